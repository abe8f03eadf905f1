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
    let chosen = ContourMontage.chosenSlices(labels)
    let plane = labels.grid.rows * labels.grid.columns
    var part = SliceStack(grid: stack.sourceGrid, frames: chosen.map { stack.frames[$0] })
    part.grid.slices = chosen.count
    let files = Dictionary(
      stack.frames.map { ($0.sopInstanceUID, $0.file) }, uniquingKeysWith: { first, _ in first })
    let volume = try PixelReader.read(part) { files[$0] }
    let shown = LabelVolume(
      grid: part.grid, labels: chosen.flatMap { labels.labels[$0 * plane..<($0 + 1) * plane] })
    var values: [Float] = []
    for (index, label) in shown.labels.enumerated() where label != 0 {
      values.append(volume.storage[index])
    }
    let isMostWithin = { (window: (low: Float, high: Float)) in
      2 * values.count { $0 > window.low && $0 < window.high } >= values.count
    }
    let middle = stack.frames[chosen[chosen.count / 2]]
    let isInverted = middle.photometricInterpretation == "MONOCHROME1"
    var candidates = [try Self.stated(in: middle.file)].compactMap(\.self)
    if middle.modality == "CT" { candidates.append((-160, 240)) }
    if let window = candidates.first(where: isMostWithin) {
      self.init(low: window.low, high: window.high, isInverted: isInverted)
    } else {
      let range = ContourMontage.grayWindow(volume, shown, slices: Array(chosen.indices))
      self.init(low: range.lowerBound, high: range.upperBound, isInverted: isInverted)
    }
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
