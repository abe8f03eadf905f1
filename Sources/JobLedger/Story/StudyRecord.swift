import Foundation

/// All that the ledger knows of a study, without patient data and without paths.
public struct StudyRecord: Sendable, Codable, Equatable {
  /// A series of the study.
  public struct Series: Sendable, Codable, Equatable {
    public var seriesInstanceUID: String
    public var modality: String
    /// Different SOP Instance UIDs that are here.
    public var instances: Int
    /// When an instance or a refusal came last.
    public var lastReceivedAt: Date
    /// Whether jobs were made of everything that came.
    public var isAssembled: Bool
    /// Whether it is held because instances may be missing.
    public var isHeldAsIncomplete: Bool
    /// What of it waits to be handed over, at a listener to the head or at the head by a listener; nil where
    /// nothing does.
    public var handover: String?
    /// The associations over which it came, the oldest first.
    public var associations: [AssociationRecord]
    /// What came in each way.
    public var arrivals: [Arrival]
    /// What the query source says of it; nil where it was not asked.
    public var completeness: Completeness?
    /// Every verdict of the geometry gate, the oldest first.
    public var verdicts: [RecordedVerdict]
    /// When the files of all instances were purged; nil where any is kept.
    public var purgedAt: Date?
    /// Instances whose file was purged and has not come again.
    public var purgedInstances: Int
  }

  /// Instances of a series that came in one way.
  public struct Arrival: Sendable, Codable, Equatable {
    public var source: InstanceSource
    /// Nil for files.
    public var callingAETitle: String?
    public var instances: Int
    public var byteCount: Int
    public var firstAt: Date
    public var lastAt: Date
  }

  /// What the query source said of a series.
  public struct Completeness: Sendable, Codable, Equatable {
    /// waiting, confirmed, incomplete, unconfirmed or unchecked.
    public var state: String
    /// How many times it was asked.
    public var attempts: Int
    public var firstAt: Date
    /// When it is asked next, in the states that wait.
    public var nextAt: Date
    /// How many instances it lists.
    public var listed: Int?
    public var reason: String?
  }

  /// A job with everything that happened to it.
  public struct Job: Sendable, Codable, Equatable {
    public var job: JobSummary
    public var attempts: [JobAttempt]
    /// When it is due, while it waits.
    public var dueAt: Date
    /// How many jobs are before it, while it waits.
    public var jobsAhead: Int
    /// Deliveries that are not over, by destination.
    public var waitingDeliveries: [WaitingDelivery]
  }

  /// A result on its way.
  public struct WaitingDelivery: Sendable, Codable, Equatable {
    public var destination: String
    /// waiting, sending, sent or held.
    public var state: String
    public var attempts: Int
    /// How many times the destination was asked whether it keeps what was sent.
    public var questions: Int
    public var nextAt: Date
    public var lastError: String?
  }

  /// A peer's request for storage commitment that names instances of the study.
  public struct Commitment: Sendable, Codable, Equatable {
    public var transactionUID: String
    public var callingAETitle: String
    public var peerAddress: String
    public var requestedAt: Date
    /// requested, ready, reported or discarded.
    public var state: String
    public var attempts: Int
    public var nextAt: Date
    public var reportedAt: Date?
    public var lastError: String?
    /// Objects of the study that it names, and how many of them are not held.
    public var references: Int
    public var failed: Int
  }

  /// An entry of the ledger's history.
  public struct Event: Sendable, Codable, Equatable {
    public var at: Date
    public var kind: String
    public var seriesInstanceUID: String?
    public var job: Int64?
    /// Nil of one that an older version wrote.
    public var cause: EventCause?
    public var message: String
  }

  public var studyInstanceUID: String
  public var series: [Series]
  public var jobs: [Job]
  /// Instances that were offered and not taken, the oldest first.
  public var refusals: [RefusalRecord]
  public var commitments: [Commitment]
  /// In the order in which they were written.
  public var events: [Event]
  /// Whether jobs are begun at all.
  public var processing: ProcessingState
}
