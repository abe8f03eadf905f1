import DICOM
import Volumes

/// The frames of an object as one bit stream, packed part by part.
struct PackedFrames {
  private let frames: [SegmentFrames.Frame]
  private let labels: LabelVolume
  private let frameSize: Int

  /// Frames of a part: a multiple of eight, so that parts are whole bytes whatever the size of a frame.
  private let framesInPart: Int

  init(_ frames: [SegmentFrames.Frame], labels: LabelVolume) {
    self.frames = frames
    self.labels = labels
    frameSize = labels.grid.rows * labels.grid.columns
    let bits = 1 << 26
    framesInPart = 8 * max(1, min(bits / (8 * max(frameSize, 1)), (frames.count + 7) / 8))
  }

  var streamed: StreamedPixelData {
    StreamedPixelData(
      count: (frameSize * frames.count + 7) / 8,
      parts: (frames.count + framesInPart - 1) / framesInPart, part: part)
  }

  private func part(_ index: Int) -> [UInt8] {
    let range = index * framesInPart..<min((index + 1) * framesInPart, frames.count)
    var bytes = [UInt8](repeating: 0, count: (frameSize * range.count + 7) / 8)
    bytes.withUnsafeMutableBufferPointer { bytes in
      labels.labels.withUnsafeBufferPointer { labels in
        // Frames of whole bytes are each written by one thread.
        nonisolated(unsafe) let (target, source) = (bytes, labels)
        let isWhole = frameSize % 8 == 0
        inParallel(range.count, worthwhile: isWhole && range.count * frameSize > 100_000) { share in
          for place in share {
            let frame = frames[range.lowerBound + place]
            let start = frame.slice * frameSize
            BitPlanes.set(
              UnsafeBufferPointer(rebasing: source[start..<start + frameSize]), frame.holds,
              from: place * frameSize, in: target)
          }
        }
      }
    }
    return bytes
  }
}
