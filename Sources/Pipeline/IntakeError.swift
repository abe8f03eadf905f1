/// An object that was offered and not taken.
public enum IntakeError: Error, Sendable, CustomStringConvertible {
  /// No DICOM file, or one that cannot be read; `name` is a path or a SOP instance UID.
  case unreadable(name: String, reason: String)
  /// The file is there but cannot be read now.
  case notReadable(name: String, reason: String)
  /// A DICOM object of a kind that is not segmented.
  case notAnImage(name: String, sopClassUID: String)
  /// The dataset is of another instance than the request said.
  case otherInstance(requested: String, found: String)
  /// Our own disk or ledger failed.
  case notStored(reason: String)

  public var description: String {
    switch self {
    case .unreadable(let name, let reason): "\(name): not taken: \(reason)"
    case .notReadable(let name, let reason): "\(name): cannot be read: \(reason)"
    case .notAnImage(let name, let sopClassUID):
      "\(name): not taken: SOP class \(sopClassUID) is not a CT or MR image"
    case .otherInstance(let requested, let found):
      "not taken: C-STORE of SOP class and instance \(requested), but (0008,0016) and (0008,0018) "
        + "of the dataset are \(found)"
    case .notStored(let reason): "the object could not be stored: \(reason)"
    }
  }
}
