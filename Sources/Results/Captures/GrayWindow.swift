import DICOM
import Foundation
import Volumes

/// Which values of the source are shown black and white.
struct GrayWindow: Sendable, Equatable {
  let low: Float
  let high: Float
  /// Whether low values are white (MONOCHROME1).
  let isInverted: Bool

  init(low: Float, high: Float, isInverted: Bool) {
    self.low = low
    self.high = max(high, low.nextUp)
    self.isInverted = isInverted
  }

  /// The window that the images state, where at least half of the values in the structures are within it;
  /// else that of soft tissue for CT, by the same condition; else one that follows from the values in the
  /// structures.
  ///
  /// - Parameters:
  ///   - stack: the source images.
  ///   - labels: on them.
  /// - Throws: `DICOMError` where a source file cannot be read.
  init(for stack: SliceStack, _ labels: LabelVolume) throws(DICOMError) {
    let chosen = ChosenSlices([labels]).even(atMost: ContourMontage.maximumTiles)
    try self.init(for: stack, ShownSlices(chosen, labels, of: stack))
  }

  /// As ``init(for:_:)``, from slices that were read.
  ///
  /// - Parameters:
  ///   - stack: all source images.
  ///   - shown: some of them.
  init(for stack: SliceStack, _ shown: ShownSlices) throws(DICOMError) {
    var values: [Float] = []
    for (index, label) in shown.labels.labels.enumerated() where label != 0 {
      values.append(shown.volume.storage[index])
    }
    let isMostWithin = { (window: (low: Float, high: Float)) in
      2 * values.count { $0 > window.low && $0 < window.high } >= values.count
    }
    let middle = stack.frames[shown.indices[shown.indices.count / 2]]
    let isInverted = middle.photometricInterpretation == "MONOCHROME1"
    var candidates = [try Self.stated(in: middle.file)].compactMap(\.self)
    if middle.modality == "CT" { candidates.append((-160, 240)) }
    if let window = candidates.first(where: isMostWithin) {
      self.init(low: window.low, high: window.high, isInverted: isInverted)
    } else {
      let range = Self.range(of: shown.volume, shown.labels)
      self.init(low: range.lowerBound, high: range.upperBound, isInverted: isInverted)
    }
  }

  /// The window that follows from values: from the 5th to the 95th percentile of those in structures and as
  /// much again on both sides, within the range of all.
  ///
  /// - Parameters:
  ///   - volume: the images.
  ///   - labels: on their grid.
  static func range(of volume: Volume, _ labels: LabelVolume) -> ClosedRange<Float> {
    let voxels = Array(0..<volume.storage.count)
    let labelled = sample(volume, voxels.filter { labels.labels[$0] != 0 })
    let all = sample(volume, voxels)
    guard !all.isEmpty else { return 0...1 }
    let values = labelled.isEmpty ? all : labelled
    let percentile = { (values: [Float], permille: Int) in
      values[(values.count - 1) * permille / 1000]
    }
    let (low, high) = (percentile(values, 50), percentile(values, 950))
    let margin = max(high - low, abs(high) * 0.05, 1e-6)
    let darkest = min(low, percentile(all, 5))
    let brightest = max(low + margin, percentile(all, 995))
    return max(low - margin, darkest)...min(high + margin, brightest)
  }

  /// Values of at most some hundred thousand of the voxels, sorted.
  private static func sample(_ volume: Volume, _ voxels: [Int]) -> [Float] {
    stride(from: 0, to: voxels.count, by: max(1, voxels.count / 100_000))
      .map { volume.storage[voxels[$0]] }.filter(\.isFinite).sorted()
  }

  /// Window Center and Width (PS3.3 C.11.2), the first of several; nil where the image states none that is
  /// linear.
  private static func stated(in file: String) throws(DICOMError) -> (low: Float, high: Float)? {
    let header = try DICOMFile(path: file).dataset
    guard let center = header.reals(.windowCenter).first,
      let width = header.reals(.windowWidth).first, center.isFinite, width.isFinite,
      width >= 2, ["", "LINEAR", "LINEAR_EXACT"].contains(header.text(.voiLUTFunction) ?? "")
    else { return nil }
    return (Float(center - width / 2), Float(center + width / 2))
  }

  func level(_ value: Float) -> UInt8 {
    let fraction = (value - low) / (high - low)
    guard fraction.isFinite else { return 0 }
    let level = UInt8(min(max(fraction, 0), 1) * 255)
    return isInverted ? 255 - level : level
  }

  /// "W 400 L 40".
  var text: String {
    let (width, center) = (high - low, (high + low) / 2)
    let format = width >= 10 ? "W %.0f L %.0f" : "W %.3g L %.3g"
    return String(format: format, width, center)
  }
}
