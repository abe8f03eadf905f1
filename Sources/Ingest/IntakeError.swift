import DICOMNetwork
import JobLedger
import SeriesReading

/// An object that was offered and not taken.
public enum IntakeError: Error, Sendable, CustomStringConvertible {
  /// The file is no image that can be taken.
  case refused(ImageRefusal)
  /// The dataset is of another instance than the request said.
  case otherInstance(requested: String, found: String)
  /// Our own disk failed.
  case notStored(reason: String)
  /// Our own ledger failed.
  case notRecorded(LedgerError)
  /// The receiving process crashed while it read the file.
  case crashed(name: String)

  public var description: String {
    switch self {
    case .refused(let refusal): refusal.description
    case .otherInstance(let requested, let found):
      "not taken: C-STORE of SOP class and instance \(requested), but (0008,0016) and (0008,0018) "
        + "of the dataset are \(found)"
    case .notStored(let reason): "the object could not be stored: \(reason)"
    case .notRecorded(let error): "the object could not be stored: \(error)"
    case .crashed(let name):
      "\(name): not read, as the receiving process crashed while it read this file; it is tried again "
        + "when the file changes"
    }
  }

  /// Whether the ledger failed, which would take no note of it either.
  var isOfLedger: Bool {
    if case .notRecorded = self { true } else { false }
  }

  /// The same without the name of the object.
  var reason: String {
    switch self {
    case .refused(let refusal): refusal.reason
    case .otherInstance, .notStored, .notRecorded, .crashed: description
    }
  }

  /// The status of a C-STORE response (PS3.4 B.2.3).
  var status: StoreStatus {
    switch self {
    case .notStored, .notRecorded, .refused(.notReadable), .refused(.readerUnavailable):
      .outOfResources
    case .otherInstance, .refused(.notAnImage): .doesNotMatch
    case .refused(.unreadable), .crashed: .cannotUnderstand
    }
  }
}
