import DICOM
import Foundation
import Terminology
import Volumes

/// DICOM segmentation objects (PS3.3 A.51, C.8.20): one binary object for all segments, frames on
/// the planes of the source images.
public enum SegmentationObject {
  /// Segmentation Storage.
  public static let sopClassUID = "1.2.840.10008.5.1.4.1.1.66.4"

  /// UIDs of an object, chosen before it is written, so that writing again after a crash gives the
  /// same object.
  public struct Identifiers: Sendable, Equatable, Codable {
    public var seriesInstanceUID: String
    public var sopInstanceUID: String
    public var dimensionOrganizationUID: String

    public init(
      seriesInstanceUID: String, sopInstanceUID: String, dimensionOrganizationUID: String
    ) {
      self.seriesInstanceUID = seriesInstanceUID
      self.sopInstanceUID = sopInstanceUID
      self.dimensionOrganizationUID = dimensionOrganizationUID
    }

    public static func generate() -> Identifiers {
      Identifiers(
        seriesInstanceUID: DICOMUID.generate(), sopInstanceUID: DICOMUID.generate(),
        dimensionOrganizationUID: DICOMUID.generate())
    }
  }

  /// Who made the segmentation, and when.
  public struct Origin: Sendable, Equatable {
    /// The model's name and version.
    public var modelName: String
    public var modelVersion: String
    /// Version of this program.
    public var softwareVersion: String
    /// What tells this installation from others, for example its AE title.
    public var deviceSerialNumber: String
    public var seriesNumber: Int
    /// The object's number in its series, from 1.
    public var instanceNumber = 1
    /// What the object is about besides, such as a phase of the heart; empty for nothing.
    public var subject = ""
    /// Content date and time, written in UTC.
    public var date: Date
    /// What a reader should know about the result, such as an unusual input; written as Segment
    /// Description (0062,0006), and Content Description (0070,0081) points to it.
    public var remarks: [String]

    public init(
      modelName: String, modelVersion: String, softwareVersion: String,
      deviceSerialNumber: String, seriesNumber: Int, date: Date, remarks: [String] = []
    ) {
      self.modelName = modelName
      self.modelVersion = modelVersion
      self.softwareVersion = softwareVersion
      self.deviceSerialNumber = deviceSerialNumber
      self.seriesNumber = seriesNumber
      self.date = date
      self.remarks = remarks
    }
  }

  /// What became of a label volume.
  public enum Outcome: Sendable, Equatable {
    /// Segment numbers by label: absent labels are left out and the others numbered from 1.
    case written(segmentNumbers: [UInt8: Int], frames: Int)
    /// All labels are background: there is no object to write.
    case nothingFound
  }

  /// Writes the labels of a stack as a segmentation object.
  ///
  /// Each frame lies on the plane of its source image with the position, orientation and spacing
  /// copied as the source stores them, and refers to it. Frames without a voxel are left out.
  ///
  /// Where the source images do not share one frame of reference the object has none: its frames
  /// are placed by the images they refer to alone, pixel for pixel (PS3.3 A.51.3, C.7.6.16.2.6).
  /// Frames on the tiles of a mosaic have computed places.
  ///
  /// - Parameters:
  ///   - labels: on the source grid of `stack`, one slice for each image, order z, y, x.
  ///   - fileOf: path of the file of a source instance, by SOP Instance UID.
  ///   - path: written under a temporary name, synced and renamed; mode 0600.
  /// - Throws: ``SegmentationError``.
  public static func write(
    _ labels: LabelVolume, stack: SliceStack, segments: [SegmentDescription],
    origin: Origin, identifiers: Identifiers, to path: String, fileOf: (String) -> String?
  ) throws(SegmentationError) -> Outcome {
    try checkArguments(labels, stack, segments, identifiers)
    let frames = try SegmentFrames(labels, segments: segments)
    guard !frames.frames.isEmpty else { return .nothingFound }
    do throws(DICOMError) {
      let source = try SourceImages(stack, fileOf: fileOf)
      let builder = SegmentationBuilder(
        stack: stack, source: source, frames: frames, origin: origin, identifiers: identifiers)
      try builder.dataset(labels).write(to: path)
    } catch {
      throw .dicom(error)
    }
    return .written(segmentNumbers: frames.segmentNumbers, frames: frames.frames.count)
  }

  private static func checkArguments(
    _ labels: LabelVolume, _ stack: SliceStack, _ segments: [SegmentDescription],
    _ identifiers: Identifiers
  ) throws(SegmentationError) {
    let grid = stack.sourceGrid
    guard labels.grid == grid else { throw .gridsDiffer(reason: "other grid") }
    guard labels.labels.count == grid.voxelCount, stack.frames.count == grid.slices else {
      throw .gridsDiffer(
        reason: "\(labels.labels.count) labels and \(stack.frames.count) images for "
          + "\(grid.voxelCount) voxels in \(grid.slices) slices")
    }
    for uid in [
      identifiers.seriesInstanceUID, identifiers.sopInstanceUID,
      identifiers.dimensionOrganizationUID,
    ] where !DICOMUID.isValid(uid) { throw .invalidIdentifier(uid: uid) }
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
