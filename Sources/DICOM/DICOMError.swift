import FileSystem

/// Why a file cannot be read, decoded or written. Messages name the file and the tag; values are
/// quoted only for UIDs and image attributes, never for the patient's.
public enum DICOMError: Error, Equatable, Sendable, CustomStringConvertible {
  /// DCMTK cannot work in this process, for example without its data dictionary.
  case toolkitUnavailable(reason: String)
  /// `system` is the error of the operating system, where it is one.
  case cannotRead(file: String, reason: String, system: SystemError? = nil)
  case cannotWrite(file: String, reason: String, system: SystemError? = nil)
  /// No DICM prefix (PS3.10 7.1), and no dataset at the beginning either.
  case notDICOM(file: String)
  /// The file ends before the value of `tag` does.
  case truncated(file: String, tag: Tag, needed: Int, available: Int)
  case malformed(file: String, tag: Tag, reason: String)
  case nestedTooDeeply(file: String, tag: Tag, limit: Int)
  case tooLarge(file: String, reason: String)
  case unsupportedTransferSyntax(file: String, uid: String)
  /// The dataset is not coded as Transfer Syntax UID (0002,0010) states.
  case contradictsTransferSyntax(file: String, stated: String, reason: String)
  case missingAttribute(file: String, tag: Tag)
  case invalidAttribute(file: String, tag: Tag, value: String)
  /// Images of a kind that has no planes in the patient's space.
  case unsupportedSOPClass(file: String, uid: String)
  /// The pixels are of a kind that is not read.
  case unsupportedPixels(file: String, reason: String)
  /// The pixel data of a frame (from 1) does not decode to exactly the frame.
  case damagedPixels(file: String, frame: Int, reason: String)
  /// No file is known for an instance of the stack.
  case noFile(sopInstanceUID: String)
  /// A value cannot be stored in an element.
  case notStorable(tag: Tag, reason: String)

  static func cannotRead(_ file: String, _ error: SystemError) -> DICOMError {
    .cannotRead(file: file, reason: error.description, system: error)
  }

  package init(_ error: DurableFileError) {
    self = .cannotWrite(file: error.file, reason: error.reason, system: error.system)
  }

  public var description: String { file.map { "\($0): \(reason)" } ?? reason }

  /// The file that the error is about.
  public var file: String? {
    switch self {
    case .cannotRead(let file, _, _), .cannotWrite(let file, _, _), .notDICOM(let file),
      .truncated(let file, _, _, _), .malformed(let file, _, _), .nestedTooDeeply(let file, _, _),
      .tooLarge(let file, _), .unsupportedTransferSyntax(let file, _),
      .contradictsTransferSyntax(let file, _, _), .unsupportedSOPClass(let file, _),
      .missingAttribute(let file, _),
      .invalidAttribute(let file, _, _), .unsupportedPixels(let file, _),
      .damagedPixels(let file, _, _):
      file
    case .toolkitUnavailable, .noFile, .notStorable: nil
    }
  }

  /// The description without the file.
  public var reason: String {
    switch self {
    case .toolkitUnavailable(let reason): "DCMTK cannot be used: \(reason)"
    case .cannotRead(_, let reason, _): "cannot be read: \(reason)"
    case .cannotWrite(_, let reason, _): "cannot be written: \(reason)"
    case .notDICOM: "not a DICOM file (no DICM prefix)"
    case .truncated(_, let tag, let needed, let available):
      "ends within \(tag): \(needed) bytes needed, \(available) left"
    case .malformed(_, let tag, let reason): "malformed at \(tag): \(reason)"
    case .nestedTooDeeply(_, let tag, let limit):
      "sequences nested more than \(limit) deep at \(tag)"
    case .tooLarge(_, let reason): "too large: \(reason)"
    case .unsupportedTransferSyntax(_, let uid):
      "transfer syntax \(printable(uid)) is not supported"
    case .contradictsTransferSyntax(_, let stated, let reason):
      "\(Tag.transferSyntaxUID) is \(printable(stated)), but \(reason)"
    case .unsupportedSOPClass(_, let uid):
      "SOP class \(DICOMUID.described(uid)) is not a CT, MR or PET image"
    case .missingAttribute(_, let tag): "\(tag) is missing or empty"
    case .invalidAttribute(_, let tag, let value):
      "\(tag) has the invalid value \"\(printable(value))\""
    case .unsupportedPixels(_, let reason): "pixels not supported: \(reason)"
    case .damagedPixels(_, let frame, let reason):
      "frame \(frame): damaged \(Tag.pixelData): \(reason)"
    case .noFile(let uid): "no file is known for instance \(printable(uid))"
    case .notStorable(let tag, let reason): "\(tag): value cannot be stored: \(reason)"
    }
  }
}

/// Text from a file made safe for one line of a log.
private func printable(_ text: String) -> String {
  let characters = text.unicodeScalars.prefix(80).map {
    (32..<127).contains($0.value) ? Character($0) : "?"
  }
  return String(characters)
}

extension DICOMUID {
  /// A UID with its keyword for a message, whatever text it is.
  public static func described(_ uid: String) -> String {
    keyword(of: uid).map { "\($0) (\(uid))" } ?? printable(uid)
  }
}
