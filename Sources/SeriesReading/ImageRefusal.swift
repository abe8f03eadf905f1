import DICOM

/// Why a file is not taken as an image.
public enum ImageRefusal: Error, Sendable, Equatable, CustomStringConvertible {
  /// No DICOM file, or one that cannot be read; `name` is a path or a SOP instance UID.
  case unreadable(name: String, reason: String)
  /// The file is there but cannot be read now.
  case notReadable(name: String, reason: String)
  /// A DICOM object of a kind that is not segmented.
  case notAnImage(name: String, sopClassUID: String)
  /// No file can be read on this machine.
  case readerUnavailable(reason: String)

  public var description: String {
    switch self {
    case .unreadable(let name, let reason): "\(name): not taken: \(reason)"
    case .notReadable(let name, let reason): "\(name): cannot be read: \(reason)"
    case .notAnImage(let name, let sopClassUID):
      "\(name): not taken: SOP class \(DICOMUID.described(sopClassUID)) is not a CT, MR or PET image"
    case .readerUnavailable(let reason): "no DICOM file can be read: \(reason)"
    }
  }

  /// The same without the name of the file.
  public var reason: String {
    switch self {
    case .unreadable(_, let reason): reason
    case .notReadable(_, let reason): "cannot be read: \(reason)"
    case .notAnImage(_, let sopClassUID):
      "SOP class \(DICOMUID.described(sopClassUID)) is not a CT, MR or PET image"
    case .readerUnavailable: description
    }
  }

  /// The file; nil where none can be read.
  var name: String? {
    switch self {
    case .unreadable(let name, _), .notReadable(let name, _), .notAnImage(let name, _): name
    case .readerUnavailable: nil
    }
  }
}
