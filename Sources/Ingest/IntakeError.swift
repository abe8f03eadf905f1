import SeriesReading

/// An object that was offered and not taken.
public enum IntakeError: Error, Sendable, CustomStringConvertible {
  /// The file is no image that can be taken.
  case refused(ImageRefusal)
  /// The dataset is of another instance than the request said.
  case otherInstance(requested: String, found: String)
  /// Our own disk or ledger failed.
  case notStored(reason: String)

  public var description: String {
    switch self {
    case .refused(let refusal): refusal.description
    case .otherInstance(let requested, let found):
      "not taken: C-STORE of SOP class and instance \(requested), but (0008,0016) and (0008,0018) "
        + "of the dataset are \(found)"
    case .notStored(let reason): "the object could not be stored: \(reason)"
    }
  }
}
