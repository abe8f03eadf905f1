/// How results become objects, where a site wants it otherwise than by default.
public struct ResultOptions: Sendable, Equatable, Codable {
  /// Frames that an object may have at all: one with more can be written, but its header is larger than what
  /// is read of a file.
  public static let mostFrames = 50_000
  /// Whether a segment has a frame for each image, also where it has no voxel: some viewers show segments
  /// on wrong slices where empty frames are left out.
  public var keepsEmptyFrames = false
  /// Most frames of an object: a result with more is divided, by whole segments, into several objects of its
  /// series. nil divides beyond ``mostFrames`` only.
  public var maximumFrames: Int?
  /// Whether a measurement report is written next to segmentations.
  public var writesReport = false
  /// Whether a label map is written next to each segmentation.
  public var writesLabelMap = false
  /// Whether the network's probabilities are written next to each segmentation, as a fractional one.
  public var writesFractional = false
  /// Whether a structure set is written next to each segmentation.
  public var writesStructureSet = false
  /// What is written where nothing is found.
  public var nothingFound = NothingFound.report

  /// Whether a series whose result is unusual is held, and not delivered with what is unusual. Changes no
  /// byte of a result.
  public var holdsSuspect = false

  /// Whether a new result names the series of an earlier one, whose place it takes.
  public var namesReplaced = true

  /// Which pictures are written as secondary captures.
  public var captures = Captures.none
  /// Whether the pictures of the images are written as objects of one frame too.
  public var writesSingleFrames = false

  /// Pictures of a result as DICOM objects.
  public enum Captures: String, Sendable, Equatable, Codable, CaseIterable {
    case none
    /// The images with contours, as one object.
    case frames
    /// The picture that shows the result at a glance.
    case page
    case both

    public var hasFrames: Bool { self == .frames || self == .both }
    public var hasPage: Bool { self == .page || self == .both }
  }

  /// What shows that images were segmented, and nothing was found in them.
  public enum NothingFound: String, Sendable, Equatable, Codable {
    /// A measurement report that says so.
    case report
    /// A segmentation object with all segments of the model, and one empty frame each.
    case segmentation
    case none
  }

  public init() {}

  /// The options that are not the default, for a fingerprint.
  public var changes: [String] {
    let changes: [String?] = [
      keepsEmptyFrames ? "keepsEmptyFrames" : nil,
      maximumFrames.map { "maximumFrames=\($0)" },
      nothingFound == .report ? nil : "nothingFound=\(nothingFound)",
      writesReport ? "writesReport" : nil,
      captures == .none ? nil : "captures=\(captures)",
      writesLabelMap ? "writesLabelMap" : nil,
      writesStructureSet ? "writesStructureSet" : nil,
      writesFractional ? "writesFractional" : nil,
      namesReplaced ? nil : "addsToEarlierResults",
    ]
    return changes.compactMap(\.self)
  }
}
