import Terminology
import UNETRPP
import Volumes

/// Abdominal CT: the 30 public volumes of the challenge "Multi-Atlas Labeling Beyond the Cranial
/// Vault", divided in two ways.
extension ModelPreset {
  /// Synapse: 18 volumes for training, 12 for testing; the paper scores eight of the organs.
  public static let synapse = abdominal(
    name: "synapse",
    summary: "13 abdominal organs on CT (UNETR++, Synapse)",
    sources: [
      Source(
        subject: "spacing", source: plansSource, isConfirmed: true),
      Source(subject: "intensities", source: plansSource, isConfirmed: true),
    ],
    remarks: [
      "The paper scores spleen, both kidneys, gallbladder, liver, stomach, aorta and pancreas."
    ])

  /// BTCV: all 30 volumes, tested on the challenge's hidden cases; all 13 organs are scored.
  public static let btcv = abdominal(
    name: "btcv",
    summary: "13 abdominal organs on CT (UNETR++, BTCV)",
    sources: [
      Source(
        subject: "spacing",
        source: plansSource + "; the authors publish none of their own for BTCV, whose volumes "
          + "include those of Synapse",
        isConfirmed: false),
      Source(
        subject: "intensities",
        source: plansSource + "; the authors publish none of their own for BTCV",
        isConfirmed: false),
    ],
    remarks: ["The benchmark scores all 13 organs."])

  private static let plansSource =
    "the plans in the authors' repository (inferTs/swin_nomask_2/plans.pkl, restored)"

  private static func abdominal(
    name: String, summary: String, sources: [Source], remarks: [String]
  ) -> ModelPreset {
    ModelPreset(
      name: name, summary: summary, network: .synapse,
      preprocessing: Preprocessing(
        // NIfTI arrays as SimpleITK reads them: z, y, x grow as the file's k, j, i.
        orientation: [.superior, .anterior, .left],
        spacing: [3.0, 0.75781244, 0.75781244], cropToNonzero: true,
        normalization: [.ct(lower: -958, upper: 326, mean: 82.95177, sd: 136.94818)]),
      mirrorAxes: [0, 1, 2], labels: organs,
      input: InputLimits(
        modalities: ["CT"], bodyParts: [],
        spacing: .init(min: [0.5, 0.4, 0.4], max: [8, 1.5, 1.5]),
        extent: .init(min: [100, 200, 200], max: [2100, 720, 720])),
      output: AbdominalRules.output, relations: AbdominalRules.relations,
      rulesSource: AbdominalRules.source,
      trainingData: "Multi-Atlas Labeling Beyond the Cranial Vault (BTCV, Synapse syn3193805); "
        + "contrast-enhanced abdominal CT in the portal venous phase, slices of 2.5 to 5 mm",
      sources: [
        architecture,
        Source(
          subject: "orientation",
          source: "the challenge's NIfTI files as they are commonly described, first axis to the "
            + "left, second to the anterior, third to the head (LAS); the files were not seen",
          isConfirmed: false),
      ] + sources,
      remarks: remarks)
  }

  private static let organs: [SegmentDescription] = [
    .anatomy(1, "Spleen", "78961009", "Spleen", [157, 108, 162]),
    .anatomy(
      2, "Right kidney", "64033007", "Kidney", side: SegmentDescription.right, [185, 102, 83]),
    .anatomy(
      3, "Left kidney", "64033007", "Kidney", side: SegmentDescription.left, [212, 141, 99]),
    .anatomy(4, "Gallbladder", "28231008", "Gallbladder", [139, 150, 98]),
    .anatomy(5, "Esophagus", "32849002", "Esophagus", [211, 171, 143]),
    .anatomy(6, "Liver", "10200004", "Liver", [221, 130, 101]),
    .anatomy(7, "Stomach", "69695003", "Stomach", [90, 190, 170]),
    .anatomy(8, "Aorta", "15825003", "Aorta", [224, 50, 40]),
    .anatomy(9, "Inferior vena cava", "64131007", "Inferior vena cava", [0, 90, 200]),
    .anatomy(
      10, "Portal and splenic vein", "110765007", "Portal vein and splenic vein", [0, 151, 206]),
    .anatomy(11, "Pancreas", "15776009", "Pancreas", [249, 180, 111]),
    .anatomy(
      12, "Right adrenal gland", "23451007", "Adrenal gland", side: SegmentDescription.right,
      [178, 128, 26]),
    .anatomy(
      13, "Left adrenal gland", "23451007", "Adrenal gland", side: SegmentDescription.left,
      [241, 220, 34]),
  ]
}
