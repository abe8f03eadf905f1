/// Something in a state directory that is not as it has to be.
public struct LedgerFinding: Sendable, Codable, Equatable {
  public enum Kind: String, Sendable, Codable, CaseIterable {
    /// The file is damaged.
    case damage
    /// A row refers to one that is not there.
    case reference
    /// A job, an attempt, a result or a delivery is in a state that it cannot be in.
    case state
    /// Several results of one series and model count.
    case severalResults = "several results"
    /// An event was changed, removed or added.
    case event
    /// The file of an instance is missing, or is not what was received.
    case spoolFile = "spool file"
    /// The file of a result is missing, or is not what was proved.
    case resultFile = "result file"
    /// A file of the spool is not in the ledger.
    case unknownSpoolFile = "unknown spool file"
    /// A file among the results is not in the ledger.
    case unknownResultFile = "unknown result file"
    /// Something in spool or results that no segmentd made.
    case foreignFile = "foreign file"
  }

  public var kind: Kind
  /// For people; without patient data.
  public var text: String
  /// Relative to the state directory, of a file.
  public var path: String?

  public init(_ kind: Kind, _ text: String, path: String? = nil) {
    self.kind = kind
    self.text = text
    self.path = path
  }
}
