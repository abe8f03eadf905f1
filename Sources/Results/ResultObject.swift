import DICOM

/// A DICOM object that holds a result: it is written to disk, and proved from what is on disk.
///
/// Each kind of object has a folder of its own in this module. A conforming type is a value that
/// holds all that the object is made from, so that writing and proving begin from the same facts:
///
/// ```swift
/// let object = SegmentationObject(
///   labels, stack: stack, segments: segments, origin: origin, identifiers: identifiers)
/// if try object.write(to: path) == .written { try object.prove(path) }
/// ```
public protocol ResultObject: Sendable {
  var identifiers: ResultIdentifiers { get }

  /// Writes the object under a temporary name, syncs and renames it; mode 0600.
  ///
  /// - Throws: a ``ResultError`` where the object cannot be written.
  func write(to path: String) throws -> WriteOutcome

  /// Reads the written object back and compares it with what it was made from and with its source.
  ///
  /// - Throws: ``ProofError`` at the first thing that differs.
  func prove(_ path: String) throws
}

/// The outcome of writing a result.
public enum WriteOutcome: Sendable, Equatable {
  case written
  /// Nothing was found; no file is written.
  case nothingFound
}

/// Why a result object cannot be written.
public protocol ResultError: Error, CustomStringConvertible {
  /// Whether the source images are at fault, so that no further attempt will succeed.
  var isSourceFault: Bool { get }
}

/// UIDs of an object, which follow from what the object is made of: see ``ResultIdentity``.
public struct ResultIdentifiers: Sendable, Equatable, Codable {
  public var seriesInstanceUID: String
  public var sopInstanceUID: String

  public init(seriesInstanceUID: String, sopInstanceUID: String) {
    self.seriesInstanceUID = seriesInstanceUID
    self.sopInstanceUID = sopInstanceUID
  }

  /// Whether the Tracking UIDs of an object's segments follow from its SOP Instance UID, as in every segmentation
  /// of ours and in none that somebody else made or saved under another UID.
  public static func track(_ dataset: Dataset) -> Bool {
    guard let uid = dataset.text(.sopInstanceUID) else { return false }
    let own = ResultIdentifiers(seriesInstanceUID: "", sopInstanceUID: uid)
    // The background of a label map has number 0 and no tracking UID.
    let segments = dataset.items(.segmentSequence).filter { $0.integer(.segmentNumber) != 0 }
    return !segments.isEmpty
      && segments.allSatisfy { segment in
        segment.text(.trackingUID)
          == segment.integer(.segmentNumber).map { own.trackingUID(ofSegment: $0) }
      }
  }

  /// Dimension Organization UID (0020,9164) of the object.
  var dimensionOrganizationUID: String { DICOMUID.named("\(sopInstanceUID)/dimensions") }

  /// Tracking UID (0062,0021) of a segment by its number.
  func trackingUID(ofSegment number: Int) -> String {
    DICOMUID.named("\(sopInstanceUID)/segments/\(number)")
  }
}
