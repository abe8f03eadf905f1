import DICOM
import Volumes

/// The frames of a fractional segmentation, a byte for each pixel, made frame by frame.
struct FractionFrames {
  private let frames: [SegmentFrames.Frame]
  private let probabilities: ProbabilityVolume
  private let frameSize: Int

  init(_ frames: [SegmentFrames.Frame], probabilities: ProbabilityVolume) {
    self.frames = frames
    self.probabilities = probabilities
    frameSize = probabilities.grid.rows * probabilities.grid.columns
  }

  var streamed: StreamedPixelData {
    StreamedPixelData(count: frameSize * frames.count, parts: frames.count, part: frame)
  }

  /// What is of a segment of several classes is of one of them.
  private func frame(_ index: Int) -> [UInt8] {
    let frame = frames[index]
    let planes = frame.holds.indices.filter { frame.holds[$0] && $0 < probabilities.classes }
      .map { probabilities[class: $0, slice: frame.slice] }.filter { !$0.isEmpty }
    guard let first = planes.first else { return [UInt8](repeating: 0, count: frameSize) }
    guard planes.count > 1 else { return first }
    return first.indices.map { pixel in
      UInt8(min(255, planes.reduce(0) { $0 + Int($1[pixel]) }))
    }
  }
}
