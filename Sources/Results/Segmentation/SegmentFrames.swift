import Terminology
import Volumes

/// Which frames a label volume needs: one for each segment and slice where the segment has a voxel,
/// segment by segment.
struct SegmentFrames {
  struct Frame {
    /// From 1.
    var segmentNumber: Int
    /// Whether each label's voxels belong to the segment, by label.
    var holds: [Bool]
    /// Slice index in the grid.
    var slice: Int
  }

  var frames: [Frame] = []
  /// The segments that have a voxel, in the order of their numbers.
  var segments: [SegmentDescription] = []
  /// Slices that have any frame, ascending.
  var slices: [Int] = []

  /// - Throws: ``SegmentationError/unknownLabel(value:)``.
  init(_ labels: LabelVolume, segments: [SegmentDescription]) throws(SegmentationError) {
    let sliceSize = labels.grid.rows * labels.grid.columns
    var isPresent = [[Bool]](
      repeating: [Bool](repeating: false, count: 256), count: labels.grid.slices)
    for slice in 0..<labels.grid.slices {
      isPresent[slice] = LabelVolume.present(
        in: labels.labels[slice * sliceSize..<(slice + 1) * sliceSize])
    }
    let known = segments.reduce(into: Set<UInt8>()) { $0.formUnion($1.labels) }
    for label in UInt8(1)...255 where !known.contains(label) {
      if isPresent.contains(where: { $0[Int(label)] }) { throw .unknownLabel(value: label) }
    }
    for segment in segments {
      let present = isPresent.indices.filter { slice in
        segment.labels.contains { isPresent[slice][Int($0)] }
      }
      guard !present.isEmpty else { continue }
      self.segments.append(segment)
      let number = self.segments.count
      let holds = (0...255).map { segment.labels.contains(UInt8($0)) }
      frames += present.map { Frame(segmentNumber: number, holds: holds, slice: $0) }
    }
    slices = Set(frames.map(\.slice)).sorted()
  }
}

extension LabelVolume {
  /// Whether each label occurs, by label.
  static func present(in labels: ArraySlice<UInt8>) -> [Bool] {
    var isPresent = [Bool](repeating: false, count: 256)
    isPresent.withUnsafeMutableBufferPointer { isPresent in
      labels.withUnsafeBufferPointer { labels in
        for label in labels { isPresent[Int(label)] = true }
      }
    }
    return isPresent
  }
}
