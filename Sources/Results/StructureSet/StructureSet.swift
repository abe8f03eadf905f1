import DICOM
import Terminology
import Volumes

/// A DICOM RT Structure Set (PS3.3 A.19): the outlines of each segment on the planes of the source images, as
/// ``PlaneOutlines`` draws them.
///
/// Segments that occur nowhere are left out, and the others are numbered from 1 as in a
/// ``SegmentationObject``.
public struct StructureSet: ResultObject {
  /// On the source grid of the stack, one slice for each image, order z, y, x.
  public let labels: LabelVolume
  /// The source images with their files.
  public let stack: SliceStack
  /// What the labels mean.
  public let segments: [SegmentDescription]
  public let origin: ResultOrigin
  public let identifiers: ResultIdentifiers

  /// - Parameters:
  ///   - labels: on the source grid of the stack.
  ///   - stack: the source images with their files.
  ///   - segments: what the labels mean.
  ///   - origin: who made the labels, and when.
  ///   - identifiers: of the object.
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
  /// - Throws: ``SegmentationError``, of which ``SegmentationError/inexpressible(reason:)`` where the images
  ///   have no planes of their own that contours could be on.
  public func write(to path: String) throws(SegmentationError) -> WriteOutcome {
    try LabelledImages(labels, stack: stack).check(segments, identifiers)
    guard !stack.frames.contains(where: { $0.mosaicTile != nil }) else {
      throw .inexpressible(
        reason: "contours refer to images, and these slices are tiles of mosaics")
    }
    let frames = try SegmentFrames(
      labels, segments: segments, held: segments, options: ResultOptions())
    guard !frames.frames.isEmpty, !frames.isOfNothing else { return .nothingFound }
    let builder = StructureSetBuilder(
      stack: stack, source: try SourceImages(stack), frames: frames, labels: labels,
      origin: origin, identifiers: identifiers)
    let dataset = try builder.dataset()
    do { try dataset.write(to: path) } catch { throw .dicom(error) }
    return .written
  }

  /// Proves the identity, what each region says and every voxel; see ``StructureSetProof``.
  ///
  /// - Throws: ``ProofError``.
  public func prove(_ path: String) throws(ProofError) {
    try StructureSetProof(self, path: path).prove()
  }
}
