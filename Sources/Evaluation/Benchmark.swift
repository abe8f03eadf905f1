/// The five data sets on which UNETR++ was published (Shaker et al., IEEE TMI 2024), with the
/// classes, groups and conventions by which its tables were made.
///
/// Classes and conventions of Synapse, ACDC and BraTS are those of the reference implementation's
/// scoring scripts, which read both volumes without their spacing: distances are in voxels. It has
/// no script for BTCV and Lung, whose tables give Dice alone; distances there are ours.
public enum Benchmark: String, Sendable, CaseIterable, Codable {
  /// Eight of the thirteen abdominal organs (`inference_synapse.py`).
  case synapse
  /// All thirteen organs; Dice alone is published (the challenge's server).
  case btcv
  /// Right ventricle, myocardium, left ventricle (`inference_acdc.py`).
  case acdc
  /// Decathlon Task06; cases without a tumour in both masks do not count (nnU-Net's evaluator,
  /// which the reference runs there).
  case lung
  /// Decathlon Task01: enhancing tumour, tumour core, whole tumour (`inference_tumor.py`).
  case brats

  /// What is scored; the mean is taken over these.
  public var regions: [Region] {
    switch self {
    case .synapse: Self.organs.filter { [1, 2, 3, 4, 6, 7, 8, 11].contains($0.label) }
    case .btcv: Self.organs
    case .acdc:
      [
        Region(label: 1, name: "Right ventricle"), Region(label: 2, name: "Myocardium"),
        Region(label: 3, name: "Left ventricle"),
      ]
    case .lung: [Region(label: 1, name: "Lung cancer")]
    case .brats:
      [
        Region(key: "ET", name: "Enhancing tumour", values: [3]),
        Region(key: "TC", name: "Tumour core", values: [2, 3]),
        Region(key: "WT", name: "Whole tumour", values: [1, 2, 3]),
      ]
    }
  }

  /// The values that known labels may have. BraTS' own files number the enhancing tumour 4 and
  /// swap 1 and 2: they are refused, not scored against the wrong part.
  public var labelValues: Set<UInt8> {
    switch self {
    case .synapse, .btcv: Set(1...13)
    case .acdc, .brats: [1, 2, 3]
    case .lung: [1]
    }
  }

  public var convention: ScoringConvention {
    switch self {
    case .synapse, .acdc, .brats: .reference
    case .btcv: .standard
    case .lung:
      ScoringConvention(
        directions: .larger, unit: .millimetres, oneEmpty: .infinite, bothEmpty: .leftOut)
    }
  }

  private static let organs: [Region] = [
    "Spleen", "Right kidney", "Left kidney", "Gallbladder", "Oesophagus", "Liver", "Stomach",
    "Aorta", "Inferior vena cava", "Portal and splenic vein", "Pancreas", "Right adrenal gland",
    "Left adrenal gland",
  ].enumerated().map { Region(label: UInt8($0.offset + 1), name: $0.element) }
}
