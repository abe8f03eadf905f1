import DICOM

/// An object that a peer asks to be kept (PS3.4 J.3.2).
public struct CommitmentReference: Sendable, Equatable {
  public var sopClassUID: String
  public var sopInstanceUID: String

  public init(sopClassUID: String, sopInstanceUID: String) {
    self.sopClassUID = sopClassUID
    self.sopInstanceUID = sopInstanceUID
  }
}

/// What a peer asks for by N-ACTION (PS3.4 J.3.2).
public struct CommitmentRequest: Sendable, Equatable {
  public var association: Association
  public var transactionUID: String
  public var references: [CommitmentReference]
}

/// Why an object is not kept: Failure Reason (0008,1197) (PS3.3 C.14.1.1).
public enum CommitmentFailure: UInt16, Sendable, CaseIterable {
  case processingFailure = 0x0110
  case noSuchObjectInstance = 0x0112
  /// The object is there with another SOP class.
  case classInstanceConflict = 0x0119
}

/// What is told by N-EVENT-REPORT (PS3.4 J.3.3).
public struct CommitmentReport: Sendable, Equatable {
  public struct Outcome: Sendable, Equatable {
    public var reference: CommitmentReference
    /// Nil where the object is kept.
    public var failure: CommitmentFailure?

    public init(reference: CommitmentReference, failure: CommitmentFailure?) {
      self.reference = reference
      self.failure = failure
    }
  }

  /// Of the handler's choice: by it the peer's answer is told.
  public var number: Int64
  public var transactionUID: String
  public var outcomes: [Outcome]

  public init(number: Int64, transactionUID: String, outcomes: [Outcome]) {
    self.number = number
    self.transactionUID = transactionUID
    self.outcomes = outcomes
  }
}

/// The status of an N-ACTION or N-EVENT-REPORT response (PS3.7 10.1.4.1.10, 10.1.1.1.8).
public enum ActionStatus: UInt16, Sendable {
  case success = 0x0000
  case processingFailure = 0x0110
  case invalidArgumentValue = 0x0115
  case missingAttribute = 0x0120
  case resourceLimitation = 0x0213
}

/// The storage commitment push model as SCP (PS3.4 J). The methods are called on the association's own
/// thread, so that they may block for a moment: the objects are looked at later.
public protocol CommitmentHandler: Sendable {
  func request(_ request: CommitmentRequest) -> ActionStatus

  /// A report that is ready for who opened an association that is still open; each is given once.
  func nextReport(over association: Association) -> CommitmentReport?

  /// The peer answered a report; 0 is success.
  func reported(_ number: Int64, status: UInt16)

  /// A peer says what it keeps of objects that we asked about over another association.
  func take(_ report: ReportedCommitment, over association: Association) -> ActionStatus

  /// An association ended: a report that was not answered over it did not arrive.
  func ended(_ association: Association)
}

extension CommitmentHandler {
  /// We have asked for nothing.
  public func take(_ report: ReportedCommitment, over association: Association) -> ActionStatus {
    .invalidArgumentValue
  }
}
