import Terminology
import UNETRPP
import Volumes

extension ModelPreset {
  /// ACDC: cine MR of the heart in short axis, one phase at a time.
  public static let acdc = ModelPreset(
    name: "acdc", summary: "Ventricles and myocardium on short-axis MR (UNETR++, ACDC)",
    network: .acdc,
    preprocessing: Preprocessing(
      // Short-axis slices are oblique to the body's axes; the files hold them as acquired.
      orientation: [], spacing: [6.35, 1.52, 1.52], cropToNonzero: true,
      normalization: [.zscore(insideMask: false)]),
    mirrorAxes: [0, 1, 2],
    labels: [
      .anatomy(1, "Right ventricle", "53085002", "Right ventricle", [0, 90, 200]),
      .anatomy(2, "Myocardium", "74281007", "Myocardium", [200, 60, 40]),
      .anatomy(3, "Left ventricle", "87878005", "Left ventricle", [224, 150, 40]),
    ],
    seriesText: """
      cine:
        phases: ed-es
        cavities: [3, 1]
        myocardium: 2
        ejectionFraction: {usual: [0.08, 0.85], accepted: [0.03, 0.95]}   # training 0.105-0.819
      """,
    input: InputLimits(
      modalities: ["MR"], bodyParts: [],
      spacing: .init(min: [3, 0.6, 0.6], max: [15, 2.5, 2.5]),
      extent: .init(min: [30, 150, 150], max: [250, 600, 600])),
    output: [
      OutputLimit(label: 1, millilitres: [20, 350], largestPart: 0.8),
      OutputLimit(label: 2, millilitres: [25, 350], largestPart: 0.8),
      OutputLimit(label: 3, millilitres: [15, 450], largestPart: 0.8),
    ],
    relations: [
      LabelRelation(label: 3, other: 2, kind: .inside(leastPart: 0.85)),
      LabelRelation(label: 1, other: 3, kind: .direction(.rightOf)),
    ],
    rulesSource: """
      volumes, the largest connected part, how much of the left ventricle's border is to the \
      myocardium and the ejection fraction were measured on the labels of the challenge's \
      training images for the bundled model `cardiac` (28.4-294, 32.6-298 and 22.1-374 ml; at \
      least 0.952; at least 0.987; 0.105-0.819), and are widened here; the right ventricle is on \
      the right of the left one but in dextrocardia
      """,
    trainingData: "Automated Cardiac Diagnosis Challenge (ACDC; Bernard et al., IEEE TMI 2018): "
      + "cine MR in short axis at end diastole and end systole, slices of 5 to 10 mm",
    sources: [
      architecture,
      Source(
        subject: "orientation",
        source:
          "taken as acquired: the files' short-axis slices are oblique to the patient's axes, "
          + "and training mirrored all axes at random; the files were not seen",
        isConfirmed: false),
      Source(
        subject: "spacing",
        source: "the nnFormer paper (Zhou et al., IEEE TIP 2023), on whose pipeline the authors "
          + "built; they publish no plans of their own for ACDC",
        isConfirmed: false),
      Source(
        subject: "intensities",
        source: "nnU-Net's rule for MR: each image by its own mean and standard deviation, over "
          + "all voxels because its crop removes little",
        isConfirmed: false),
    ],
    remarks: ["For short-axis series of one phase; long-axis views were never seen."])

  /// Lung: task 6 of the Medical Segmentation Decathlon.
  public static let lung = ModelPreset(
    name: "lung", summary: "Lung tumours on CT (UNETR++, Decathlon task 6)", network: .lung,
    preprocessing: Preprocessing(
      orientation: [.superior, .anterior, .right], spacing: [1.24498, 0.78516, 0.78516],
      cropToNonzero: true,
      normalization: [.ct(lower: -1024, upper: 325, mean: -158.58, sd: 324.7)]),
    mirrorAxes: [0, 1, 2],
    labels: [
      .finding(
        1, "Lung tumour",
        CodedConcept(value: "108369006", scheme: "SCT", meaning: "Neoplasm"),
        in: CodedConcept(value: "39607008", scheme: "SCT", meaning: "Lung"), [255, 0, 200])
    ],
    input: InputLimits(
      modalities: ["CT"], bodyParts: [],
      spacing: .init(min: [0.4, 0.4, 0.4], max: [5, 1.2, 1.2]),
      extent: .init(min: [150, 200, 200], max: [900, 620, 620])),
    output: [OutputLimit(label: 1, millilitres: [0, 1000], largestPart: 0.5, parts: 10)],
    rulesSource: """
      by ours: a tumour of 1000 ml, a ball of 12 cm, fills half of a lung; the data set has one \
      tumour in most images, so that more than ten parts, or none that has half of what was \
      found, are scattered voxels; nothing found is not unusual
      """,
    trainingData: "Medical Segmentation Decathlon, task 6 (63 CT volumes with non-small-cell lung "
      + "cancer; CC BY-SA 4.0)",
    sources: [
      architecture, decathlonOrientation,
      Source(
        subject: "spacing",
        source: "nnU-Net's plans for Decathlon task 6; the authors publish none of their own",
        isConfirmed: false),
      Source(
        subject: "intensities",
        source: "nnU-Net's plans for Decathlon task 6, as its paper's supplement prints them "
          + "rounded (Isensee et al., Nat. Methods 2021); the authors publish none of their own",
        isConfirmed: false),
    ],
    remarks: [])

  /// A part of the tumour as BraTS scores it; DICOM's context groups have no code for each.
  private static func grouping(
    _ value: UInt8, _ name: String, _ labels: Set<UInt8>, _ color: [UInt8]
  ) -> SegmentDescription {
    SegmentDescription(
      value: value, labels: labels, name: name, category: SegmentDescription.abnormality,
      type: CodedConcept(value: "108369006", scheme: "SCT", meaning: "Neoplasm"),
      anatomicRegion: brain, color: color)
  }

  private static let brain = CodedConcept(value: "12738006", scheme: "SCT", meaning: "Brain")

  /// BraTS: task 1 of the Medical Segmentation Decathlon, four MR sequences.
  public static let brats = ModelPreset(
    name: "brats", summary: "Glioma on four MR sequences (UNETR++, BraTS)", network: .tumor,
    preprocessing: Preprocessing(
      orientation: [.superior, .anterior, .right], spacing: [1, 1, 1], cropToNonzero: true,
      normalization: Array(repeating: .zscore(insideMask: true), count: 4)),
    mirrorAxes: [0, 1, 2],
    labels: [
      .finding(
        1, "Edema", CodedConcept(value: "79654002", scheme: "SCT", meaning: "Edema"), in: brain,
        [140, 224, 228]),
      .finding(
        2, "Non-enhancing tumour",
        CodedConcept(value: "C81175", scheme: "NCIt", meaning: "Non-Enhancing Lesion"), in: brain,
        [160, 32, 240]),
      .finding(
        3, "Enhancing tumour",
        CodedConcept(value: "C113842", scheme: "NCIt", meaning: "Enhancing Lesion"), in: brain,
        [255, 230, 60]),
    ],
    groupings: [
      grouping(1, "Whole tumour", [1, 2, 3], [140, 224, 228]),
      grouping(2, "Tumour core", [2, 3], [160, 32, 240]),
      grouping(3, "Enhancing tumour", [3], [255, 230, 60]),
    ],
    seriesText: """
      # Criteria by ours: the authors took the four files of each subject by name.
      channels:
        - name: flair
          require: {modality: MR, echoTime: {min: 60}, inversionTime: {min: 1500, max: 3500}}
          prefer: [{seriesDescription: flair, weight: 3}]
        - name: t1
          require: {modality: MR, echoTime: {max: 40}, contrast: false}
          prefer: [{seriesDescription: [t1, mprage, spgr, bravo], weight: 3}]
        - name: t1ce
          reference: true
          require: {modality: MR, echoTime: {max: 40}, contrast: true}
          prefer: [{seriesDescription: [t1, mprage, spgr, bravo], weight: 3}]
        - name: t2
          require:
            modality: MR
            echoTime: {min: 60}
            scanningSequence: {exclude: [IR]}
            seriesDescription: {exclude: [flair, dwi, diff, adc]}
          prefer: [{seriesDescription: t2, weight: 3}]
      """,
    input: InputLimits(
      modalities: ["MR"], bodyParts: [],
      spacing: .init(min: [0.4, 0.4, 0.4], max: [1.6, 1.6, 1.6]),
      extent: .init(min: [90, 90, 90], max: [280, 280, 280])),
    output: (1...3).map { OutputLimit(label: $0, millilitres: [0, 500], largestPart: 0.1) },
    rulesSource: """
      by ours: 500 ml is a third of the brain of an adult (1450 g of men and 1300 g of women, \
      ICRP Publication 89), and each part of a glioma may be absent or in several places
      """,
    trainingData: "Medical Segmentation Decathlon, task 1 (BraTS 2016 and 2017; 484 subjects; "
      + "CC BY-SA 4.0): FLAIR, T1, T1 with contrast and T2, co-registered, skull stripped, 1 mm",
    sources: [
      architecture, decathlonOrientation,
      Source(
        subject: "spacing", source: "the data set's own 1 mm; the authors publish no plans",
        isConfirmed: false),
      Source(
        subject: "intensities",
        source: "nnU-Net's rule for MR whose crop removes much: each image by its own mean and "
          + "standard deviation inside the brain",
        isConfirmed: false),
    ],
    remarks: [
      "Channels in this order: FLAIR, T1, T1 with contrast agent, T2.",
      "The images must be skull stripped, with 0 outside the brain: the statistics are taken of "
        + "what is not 0.",
      "A plain softmax over four classes; enhancing tumour (3), tumour core (2, 3) and whole "
        + "tumour (1, 2, 3) are groupings for scoring. A result holds the labels, or with "
        + "`segments: groupings` in model.yaml the groupings as overlapping segments.",
    ])
}
