/// What a retrieval receives: the contexts it proposes and where files go.
public struct RetrievalReception: Sendable {
  /// SOP classes of C-STORE that are accepted.
  public var sopClasses: [String]
  /// Their transfer syntaxes, the preferred one first.
  public var transferSyntaxes: [String]
  /// A folder on the file system where received objects will stay.
  public var folder: String
  /// The most objects that one request may bring.
  public var maximumCount = 100_000
  /// What an object may cost.
  public var limits = PeerLimits()

  public init(sopClasses: [String], transferSyntaxes: [String], folder: String) {
    self.sopClasses = sopClasses
    self.transferSyntaxes = transferSyntaxes
    self.folder = folder
  }
}

/// How a C-GET or C-MOVE ended (PS3.4 C.4.2.1.4, C.4.3.1.4).
public struct RetrievalOutcome: Sendable, Equatable {
  /// 0x0000, or 0xB000 where some of the sub-operations failed.
  public var status: UInt16
  /// Sub-operations as the peer counted them; nil where it did not.
  public var completed: Int?
  public var failed: Int?
  /// The instances that the peer says failed.
  public var failedInstances: [String]

  public init(status: UInt16, completed: Int?, failed: Int?, failedInstances: [String] = []) {
    self.status = status
    self.completed = completed
    self.failed = failed
    self.failedInstances = failedInstances
  }
}

/// Sub-operations that are done and that remain.
public struct RetrievalProgress: Sendable, Equatable {
  public var completed: Int
  public var remaining: Int

  public init(completed: Int, remaining: Int) {
    self.completed = completed
    self.remaining = remaining
  }
}
