import DICOM
import Terminology
import Volumes
import Wording

/// Labels and the images that they are on: what objects of several kinds are made from, and checked first.
struct LabelledImages {
  private let labels: LabelVolume
  private let stack: SliceStack

  init(_ labels: LabelVolume, stack: SliceStack) {
    self.labels = labels
    self.stack = stack
  }

  /// - Throws: ``SegmentationError``.
  func check(
    _ segments: [SegmentDescription], _ identifiers: ResultIdentifiers
  ) throws(SegmentationError) {
    let grid = stack.sourceGrid
    guard labels.grid == grid else { throw .gridsDiffer(reason: "other grid") }
    guard labels.labels.count == grid.voxelCount, stack.frames.count == grid.slices else {
      throw .gridsDiffer(
        reason:
          "\(counted(labels.labels.count, "label")) and \(counted(stack.frames.count, "image")) for "
          + "\(counted(grid.voxelCount, "voxel")) in \(counted(grid.slices, "slice"))")
    }
    for uid in [identifiers.seriesInstanceUID, identifiers.sopInstanceUID]
    where !DICOMUID.isValid(uid) { throw .invalidIdentifier(uid: uid) }
    for segment in segments {
      if segment.value == 0 || segment.labels.isEmpty || segment.labels.contains(0) {
        throw .invalidSegment(name: segment.name, reason: "0 is the background")
      }
      if segment.color.count != 3 {
        throw .invalidSegment(name: segment.name, reason: "the colour is not three numbers")
      }
      if segment.name.isEmpty || segment.category.value.isEmpty || segment.type.value.isEmpty {
        throw .invalidSegment(name: segment.name, reason: "name or codes are empty")
      }
    }
    guard Set(segments.map(\.value)).count == segments.count else {
      throw .invalidSegment(name: "", reason: "two segments describe the same label")
    }
  }
}
