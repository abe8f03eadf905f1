/// The states of a job. The ledger's triggers allow the same transitions, and Operation.md draws them.
public enum JobState: String, Sendable, Codable, CaseIterable {
  /// Waits for its turn.
  case available
  /// Is being run by a process.
  case running
  /// Failed, or waits for memory or for a fault of the machine to pass; runs again after a pause.
  case retryable
  /// Has a proved result, or found nothing.
  case completed
  /// Needs a person, or what is missing.
  case held
  /// Another job or nothing takes its place.
  case cancelled

  /// The states that a job may go to from this one.
  public var next: Set<JobState> {
    switch self {
    case .available, .retryable: [.running, .held, .cancelled]
    case .running: [.available, .retryable, .completed, .held, .cancelled]
    case .held: [.available, .cancelled]
    case .completed, .cancelled: []
    }
  }

  /// Whether nothing happens to a job any more unless a person asks for it.
  public var isFinal: Bool { [.completed, .held, .cancelled].contains(self) }
}

/// The states of a result on its way to one destination; the ledger's triggers allow the same
/// transitions, and Operation.md draws them.
public enum DeliveryState: String, Sendable, Codable, CaseIterable {
  /// Is sent when its time has come.
  case waiting
  /// Is being sent.
  case sending
  /// The destination took every object; proof that it keeps them is waited for.
  case sent
  /// Every object arrived, and was proved to have where the destination is asked for that.
  case delivered
  /// A newer result takes its place.
  case superseded
  /// The destination will not take it as it is; a person has to mend what is wrong.
  case held

  /// The states that a delivery may go to from this one.
  public var next: Set<DeliveryState> {
    switch self {
    case .waiting: [.sending, .superseded, .held]
    case .sending: [.waiting, .sent, .delivered, .superseded, .held]
    // What is missing at the destination after all is sent again.
    case .sent: [.delivered, .waiting, .superseded, .held]
    case .held: [.waiting, .delivered, .superseded]
    // Where an object was declined, and a person has it tried again.
    case .delivered: [.waiting]
    // The same result once more, as after a correction that was taken back.
    case .superseded: [.waiting]
    }
  }
  /// Whether the files of the result are not needed for it any more.
  public var isOver: Bool { [.delivered, .superseded].contains(self) }
}

/// The states of a peer's request for storage commitment, as Operation.md tells them.
public enum CommitmentState: String, Sendable, Codable, CaseIterable {
  /// Its objects have not been looked at.
  case requested
  /// It is known which of them are held; the report is to be sent.
  case ready
  /// The peer has the report.
  case reported
  /// The report was given up.
  case discarded

  /// The states that a request may go to from this one.
  public var next: Set<CommitmentState> {
    switch self {
    case .requested: [.ready]
    case .ready: [.reported, .discarded]
    case .reported, .discarded: []
    }
  }
}
