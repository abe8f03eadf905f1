import Checkpoints
import Foundation
import UNETRPP
import Wording

extension ModelPreset {
  /// The preset with spacing, transposes and intensities of the plans that the network was trained
  /// with.
  ///
  /// The patch stays the network's: its weights fit no other, and the reference's trainers leave
  /// another one in the plans. Returns what else was noticed.
  ///
  /// - Parameters:
  ///   - plans: as they were read from the file.
  ///   - path: named in errors and as the source.
  mutating func apply(_ plans: TrainingPlans, path: String) throws(ModelImportError) -> [String] {
    func mismatch(_ reason: String) -> ModelImportError {
      .plansMismatch(path: path, reason: reason)
    }
    guard plans.channels.count == network.inputChannels else {
      throw mismatch(
        "\(counted(plans.channels.count, "channel")), the network has \(network.inputChannels)")
    }
    if let classes = plans.classes, classes + 1 != network.classes {
      throw mismatch("\(counted(classes, "label")), the network has \(network.classes - 1)")
    }
    guard ["GenericPreprocessor", "DefaultPreprocessor"].contains(plans.preprocessor) else {
      throw mismatch(
        "their preprocessing is \(plans.preprocessor), neither GenericPreprocessor (nnU-Net 1) nor "
          + "DefaultPreprocessor (nnU-Net 2)")
    }
    if let settings = plans.exportSettings {
      throw mismatch("results are resampled in another way than the reference's: \(settings)")
    }
    var normalization: [Normalization] = []
    for (index, channel) in plans.channels.enumerated() {
      guard let scheme = Normalization(channel) else {
        throw mismatch(
          "channel \(index) has the scheme \(channel.scheme)"
            + (channel.scheme.hasPrefix("CT") ? " without intensities" : "")
            + "; CT and z-score are known")
      }
      normalization.append(scheme)
    }
    preprocessing.transpose = plans.transposeForward
    preprocessing.spacing = plans.spacing
    preprocessing.normalization = normalization
    input.spacing = input.spacing.transposed(plans.transposeForward)
    input.extent = input.extent.transposed(plans.transposeForward)
    replaceSources(
      ["spacing", "intensities"], by: "the plans \(URL(fileURLWithPath: path).lastPathComponent)")
    var notes: [String] = []
    if plans.preprocessor == "DefaultPreprocessor" {
      notes.append(
        "nnU-Net 2 normalises intensities before it resamples, this program after: they differ a "
          + "little at sharp edges")
    }
    guard plans.patch != network.patch else { return notes }
    return notes + [
      "the plans' patch \(plans.patch) is not the network's \(network.patch), which is kept"
    ]
  }
}

extension Normalization {
  /// nil for a scheme that the reference's networks do not use.
  fileprivate init?(_ channel: TrainingPlans.Channel) {
    switch (channel.scheme, channel.intensities) {
    case ("CT", let found?), ("CTNormalization", let found?):
      self = .ct(
        lower: Float(found.lower), upper: Float(found.upper), mean: Float(found.mean),
        sd: Float(found.sd), insideMask: channel.usesMask)
    case ("nonCT", _), ("MRI", _), ("MR", _), ("ZScoreNormalization", _):
      self = .zscore(insideMask: channel.usesMask)
    default: return nil
    }
  }
}

extension InputLimits.Range {
  fileprivate func transposed(_ order: [Int]) -> InputLimits.Range {
    InputLimits.Range(min: order.map { min[$0] }, max: order.map { max[$0] })
  }
}
