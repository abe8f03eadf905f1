import DICOM

extension Dataset {
  /// Whether Body Part Examined says that there is no left and right one.
  var isOfUnpairedBodyPart: Bool {
    text(.bodyPartExamined).map { unpairedBodyParts.contains($0) } ?? false
  }
}

/// Those of PS3.16 Annex L that are not paired, as far as dciodvfy agrees.
private let unpairedBodyParts: Set<String> = [
  "ABDOMEN", "ABDOMENPELVIS", "AORTA", "BACK", "BLADDER", "BRAIN", "CEREBELLUM", "CHEST",
  "CHESTABDOMEN", "CHESTABDPELVIS", "CIRCLEOFWILLIS", "COCCYX", "COLON", "CORONARYARTERY", "CSPINE",
  "CTSPINE", "DUODENUM", "ESOPHAGUS", "FACE", "GALLBLADDER", "HEAD", "HEADNECK", "HEART", "ILEUM",
  "JAW", "JEJUNUM", "LARYNX", "LIVER", "LSPINE", "LSSPINE", "MAXILLA", "MEDIASTINUM", "MOUTH",
  "NECK", "NECKCHEST", "NECKCHESTABDOMEN", "NECKCHESTABDPELV", "NOSE", "PANCREAS", "PELVIS",
  "PENIS", "PHARYNX", "PROSTATE", "RECTUM", "SCALP", "SKULL", "SPINE", "SPLEEN", "SSPINE",
  "STERNUM", "STOMACH", "THYMUS", "THYROID", "TLSPINE", "TONGUE", "TRACHEA", "TSPINE", "UTERUS",
  "VAGINA", "VULVA", "WHOLEBODY",
]
