/// Why a file cannot be read, decoded or written. Messages name the file and the tag; values are
/// quoted only for UIDs and image attributes, never for the patient's.
public enum DICOMError: Error, Equatable, Sendable, CustomStringConvertible {
  /// DCMTK cannot work in this process, for example without its data dictionary.
  case toolkitUnavailable(reason: String)
  case cannotRead(file: String, reason: String)
  case cannotWrite(file: String, reason: String)
  /// No DICM prefix (PS3.10 7.1), and no dataset at the beginning either.
  case notDICOM(file: String)
  /// The file ends before the value of `tag` does.
  case truncated(file: String, tag: Tag, needed: Int, available: Int)
  case malformed(file: String, tag: Tag, reason: String)
  case nestedTooDeeply(file: String, tag: Tag, limit: Int)
  case tooLarge(file: String, reason: String)
  case unsupportedTransferSyntax(file: String, uid: String)
  case missingAttribute(file: String, tag: Tag)
  case invalidAttribute(file: String, tag: Tag, value: String)
  /// The pixels are of a kind that is not read.
  case unsupportedPixels(file: String, reason: String)
  /// The pixel data of a frame (from 1) does not decode to exactly the frame.
  case damagedPixels(file: String, frame: Int, reason: String)
  /// No file is known for an instance of the stack.
  case noFile(sopInstanceUID: String)
  /// A value cannot be stored in an element.
  case notStorable(tag: Tag, reason: String)

  public var description: String {
    switch self {
    case .toolkitUnavailable(let reason): "DCMTK cannot be used: \(reason)"
    case .cannotRead(let file, let reason): "\(file): cannot be read: \(reason)"
    case .cannotWrite(let file, let reason): "\(file): cannot be written: \(reason)"
    case .notDICOM(let file): "\(file): not a DICOM file (no DICM prefix)"
    case .truncated(let file, let tag, let needed, let available):
      "\(file): ends within \(tag): \(needed) bytes needed, \(available) left"
    case .malformed(let file, let tag, let reason): "\(file): malformed at \(tag): \(reason)"
    case .nestedTooDeeply(let file, let tag, let limit):
      "\(file): sequences nested more than \(limit) deep at \(tag)"
    case .tooLarge(let file, let reason): "\(file): too large: \(reason)"
    case .unsupportedTransferSyntax(let file, let uid):
      "\(file): transfer syntax \(printable(uid)) is not supported"
    case .missingAttribute(let file, let tag): "\(file): \(tag) is missing or empty"
    case .invalidAttribute(let file, let tag, let value):
      "\(file): \(tag) has the invalid value \"\(printable(value))\""
    case .unsupportedPixels(let file, let reason): "\(file): pixels not supported: \(reason)"
    case .damagedPixels(let file, let frame, let reason):
      "\(file): frame \(frame): damaged \(Tag.pixelData): \(reason)"
    case .noFile(let uid): "no file is known for instance \(printable(uid))"
    case .notStorable(let tag, let reason): "\(tag): value cannot be stored: \(reason)"
    }
  }

  /// Text from a file made safe for one line of a log.
  private func printable(_ text: String) -> String {
    let shown = text.unicodeScalars.prefix(80).map {
      (32..<127).contains($0.value) ? Character($0) : "?"
    }
    return String(shown)
  }
}
