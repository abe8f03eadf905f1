import DICOM
import Terminology
import Volumes

/// A DICOM segmentation object (PS3.3 A.51, C.8.20): one binary object for all segments, frames on
/// the planes of the source images.
///
/// Each frame has the position, orientation and spacing of its source image, copied as the source
/// stores them, and refers to it. Frames without a voxel are left out; labels that occur nowhere
/// are too, and the others are numbered from 1.
///
/// Where the source images do not share one frame of reference the object has none: its frames are
/// placed by the images they refer to alone, pixel for pixel (PS3.3 A.51.3, C.7.6.16.2.6). Frames
/// on the tiles of a mosaic have computed places.
public struct SegmentationObject: ResultObject {
  /// On the source grid of the stack, one slice for each image, order z, y, x.
  public let labels: LabelVolume
  /// The source images with their files.
  public let stack: SliceStack
  /// What the labels mean.
  public let segments: [SegmentDescription]
  public let origin: ResultOrigin
  public let identifiers: ResultIdentifiers

  public init(
    _ labels: LabelVolume, stack: SliceStack, segments: [SegmentDescription],
    origin: ResultOrigin, identifiers: ResultIdentifiers
  ) {
    self.labels = labels
    self.stack = stack
    self.segments = segments
    self.origin = origin
    self.identifiers = identifiers
  }

  /// Writes the object; nothing is found where all labels are background.
  ///
  /// - Throws: ``SegmentationError``.
  public func write(to path: String) throws(SegmentationError) -> WriteOutcome {
    try checkArguments()
    let frames = try SegmentFrames(labels, segments: segments)
    guard !frames.frames.isEmpty else { return .nothingFound }
    let builder = SegmentationBuilder(
      stack: stack, source: try SourceImages(stack), frames: frames, origin: origin,
      identifiers: identifiers)
    let dataset: Dataset
    do { dataset = try builder.dataset(labels) } catch { throw .uncopied(error) }
    do { try dataset.write(to: path) } catch { throw .dicom(error) }
    return .written
  }

  /// Proves every voxel and the identity; see ``SegmentationProof``.
  ///
  /// - Throws: ``ProofError``.
  public func prove(_ path: String) throws(ProofError) {
    try SegmentationProof.prove(
      path, labels: labels, stack: stack, segments: segments, identifiers: identifiers,
      replaces: origin.replaces)
  }

  private func checkArguments() throws(SegmentationError) {
    let grid = stack.sourceGrid
    guard labels.grid == grid else { throw .gridsDiffer(reason: "other grid") }
    guard labels.labels.count == grid.voxelCount, stack.frames.count == grid.slices else {
      throw .gridsDiffer(
        reason: "\(labels.labels.count) labels and \(stack.frames.count) images for "
          + "\(grid.voxelCount) voxels in \(grid.slices) slices")
    }
    for uid in [identifiers.seriesInstanceUID, identifiers.sopInstanceUID]
    where !DICOMUID.isValid(uid) { throw .invalidIdentifier(uid: uid) }
    // Whole images can be referred to without a place in the patient; tiles of one cannot.
    if let tile = stack.frames.first(where: { $0.mosaicTile != nil }), !stack.hasFrameOfReference {
      throw .noFrameOfReference(sopInstanceUID: tile.sopInstanceUID)
    }
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
