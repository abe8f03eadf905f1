/// How labels become segmentation objects, where a site wants it otherwise than by default.
public struct SegmentationOptions: Sendable, Equatable {
  /// Whether a segment has a frame for each image, also where it has no voxel: some viewers show segments
  /// on wrong slices where empty frames are left out.
  public var keepsEmptyFrames = false
  /// Most frames of an object: a result with more is divided, by whole segments, into several objects of its
  /// series. nil never divides.
  public var maximumFrames: Int?
  /// Whether an object is written where nothing was found: all segments of the model, with one empty frame
  /// each.
  public var writesNothingFound = false

  public init() {}

  /// The options that are not the default, for a fingerprint.
  public var changes: [String] {
    (keepsEmptyFrames ? ["keepsEmptyFrames"] : [])
      + (maximumFrames.map { ["maximumFrames=\($0)"] } ?? [])
      + (writesNothingFound ? ["writesNothingFound"] : [])
  }
}
