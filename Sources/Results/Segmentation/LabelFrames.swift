import DICOM
import Volumes

/// The frames of a label map, a byte for each pixel, made frame by frame.
struct LabelFrames {
  private let frames: SegmentFrames
  private let labels: LabelVolume
  private let frameSize: Int

  init(_ frames: SegmentFrames, labels: LabelVolume) {
    self.frames = frames
    self.labels = labels
    frameSize = labels.grid.rows * labels.grid.columns
  }

  var streamed: StreamedPixelData {
    StreamedPixelData(
      count: frameSize * frames.frames.count, parts: frames.frames.count, part: frame)
  }

  private func frame(_ index: Int) -> [UInt8] {
    let start = frames.frames[index].slice * frameSize
    return labels.labels[start..<start + frameSize].map { frames.numbers[Int($0)] }
  }
}
