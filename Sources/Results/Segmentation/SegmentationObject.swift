import DICOM
import Terminology
import Volumes
import Wording

/// A DICOM segmentation object (PS3.3 A.51, C.8.20): one object for all segments, binary, a label map or of
/// probabilities, frames on the planes of the source images.
///
/// Each frame has the position, orientation and spacing of its source image, copied as the source
/// stores them, and refers to it. Frames without a voxel are left out; labels that occur nowhere
/// are too, and the others are numbered from 1.
///
/// Where the source images do not share one frame of reference the object has one that follows from their
/// series: the geometry gate took their positions as those of one volume. Frames on the tiles of a mosaic
/// have computed places.
public struct SegmentationObject: ResultObject {
  /// On the source grid of the stack, one slice for each image, order z, y, x.
  public let labels: LabelVolume
  /// On the same grid; of a fractional object.
  public let probabilities: ProbabilityVolume?
  /// The source images with their files.
  public let stack: SliceStack
  /// What the labels mean.
  public let segments: [SegmentDescription]
  /// Those that the object may hold: all of them, or some where a result is divided.
  public let held: [SegmentDescription]
  public let origin: ResultOrigin
  public let identifiers: ResultIdentifiers
  public let options: ResultOptions
  public let form: SegmentationForm

  /// - Parameters:
  ///   - labels: on the source grid of the stack.
  ///   - probabilities: on the same grid, of the classes that the labels are numbers of; of a fractional object.
  ///   - stack: the source images with their files.
  ///   - segments: what the labels mean.
  ///   - held: the segments that the object may hold; nil for all.
  ///   - origin: who made the labels, and when.
  ///   - identifiers: of the object.
  ///   - options: where a site wants it otherwise than by default.
  ///   - form: how the pixels are stored; of a label map the segments must not overlap.
  public init(
    _ labels: LabelVolume, probabilities: ProbabilityVolume? = nil, stack: SliceStack,
    segments: [SegmentDescription],
    holding held: [SegmentDescription]? = nil, origin: ResultOrigin,
    identifiers: ResultIdentifiers, options: ResultOptions = ResultOptions(),
    form: SegmentationForm = .binary
  ) {
    self.labels = labels
    self.probabilities = probabilities
    self.stack = stack
    self.segments = segments
    self.held = held ?? segments
    self.origin = origin
    self.identifiers = identifiers
    self.options = options
    self.form = form
  }

  /// The segments of each object that labels become: one object, or several where it would have more frames
  /// than ``ResultOptions/maximumFrames``, or than an object may have at all. A segment is never divided.
  public static func parts(
    of labels: LabelVolume, segments: [SegmentDescription], options: ResultOptions
  ) -> [[SegmentDescription]] {
    let maximum = min(options.maximumFrames ?? .max, ResultOptions.mostFrames)
    let isPresent = labels.presentBySlice
    var parts: [[SegmentDescription]] = []
    var room = 0
    for segment in segments {
      let found = isPresent.count { segment.hasVoxel(in: $0) }
      guard found > 0 else { continue }
      let frames = options.keepsEmptyFrames ? isPresent.count : found
      if parts.isEmpty || frames > room {
        parts.append([])
        room = maximum
      }
      parts[parts.count - 1].append(segment)
      room -= frames
    }
    return parts.isEmpty ? [segments] : parts
  }

  /// Writes the object; nothing is found where all labels are background.
  ///
  /// - Throws: ``SegmentationError``.
  public func write(to path: String) throws(SegmentationError) -> WriteOutcome {
    try LabelledImages(labels, stack: stack).check(segments, identifiers)
    guard (form == .fractional) == (probabilities != nil),
      probabilities.map({ $0.grid == labels.grid }) ?? true
    else { throw .gridsDiffer(reason: "no probabilities, or on another grid") }
    let frames = try SegmentFrames(
      labels, segments: segments, held: held, options: options, form: form,
      probabilities: probabilities)
    guard !frames.frames.isEmpty, form != .fractional || !frames.isOfNothing else {
      return .nothingFound
    }
    if form == .fractional { try refuseTooLarge(frames.frames.count) }
    let builder = SegmentationBuilder(
      stack: stack, source: try SourceImages(stack), frames: frames, origin: origin,
      identifiers: identifiers, form: form)
    let dataset: Dataset
    do { dataset = try builder.dataset() } catch { throw .uncopied(error) }
    let pixels =
      if let probabilities {
        FractionFrames(frames.frames, probabilities: probabilities).streamed
      } else {
        form == .binary
          ? PackedFrames(frames.frames, labels: labels).streamed
          : LabelFrames(frames, labels: labels).streamed
      }
    do { try dataset.write(to: path, pixelData: pixels) } catch { throw .dicom(error) }
    return .written
  }

  /// A fractional object is not divided.
  private func refuseTooLarge(_ frames: Int) throws(SegmentationError) {
    let bytes = frames * labels.grid.rows * labels.grid.columns
    guard frames > ResultOptions.mostFrames || bytes >= Int(UInt32.max) - 1 else { return }
    throw .inexpressible(
      reason: "\(counted(frames, "frame")) of \(bytes) bytes do not fit in one object")
  }

  /// Proves every voxel and the identity; see ``SegmentationProof``.
  ///
  /// - Throws: ``ProofError``.
  public func prove(_ path: String) throws(ProofError) {
    try SegmentationProof(self, path: path).prove()
  }
}
