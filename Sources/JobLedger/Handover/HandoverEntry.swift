import Foundation

/// One thing that a listener received, as it tells the head: everything that the head would know of it had it
/// come there. Times are those of the listener's clock.
public struct HandoverEntry: Sendable, Codable, Equatable {
  /// The association that something came over.
  public struct Source: Sendable, Codable, Equatable {
    /// Unique among all associations of the listener.
    public var key: String
    public var callingAETitle: String
    public var calledAETitle: String
    public var peerAddress: String
    public var startedAt: Date
  }

  /// An instance that was acknowledged.
  public struct Instance: Sendable, Codable, Equatable {
    public var record: InstanceRecord
    /// The hash of the path of a file of a watch folder.
    public var file: String?
    /// Bytes of its file that follow; nil where the file is lost or damaged at the listener.
    public var byteCount: Int?
  }

  /// How an association ended.
  public struct End: Sendable, Codable, Equatable {
    public var outcome: AssociationOutcome
    public var message: String?
  }

  /// Grows with each entry of a run.
  public var number: Int64
  /// Tells it from another entry of the same number.
  public var mark: String
  public var at: Date
  /// When the instance began to come.
  public var beganAt: Date?
  /// Nil for a file of a watch folder.
  public var association: Source?
  /// One of these three.
  public var instance: Instance?
  public var refusal: RefusedInstance?
  public var end: End?
}

/// A listener, as the head knows it.
public struct HandoverSender: Sendable, Hashable {
  /// As the head's configuration calls it.
  public var name: String
  /// Of its numbers.
  public var run: String

  public init(name: String, run: String) {
    self.name = name
    self.run = run
  }
}

/// The last entry of a run that a head has taken.
public struct HandoverPosition: Sendable, Equatable {
  /// 0 before the first.
  public var number: Int64
  /// Nil before the first.
  public var mark: String?

  public init(number: Int64, mark: String?) {
    self.number = number
    self.mark = mark
  }
}

/// What became of an entry at the head.
public enum HandoverOutcome: Sendable, Equatable {
  /// It was taken before: the answer to that was lost.
  case repeated
  /// Of an instance what recording it changed.
  case taken(InstanceOutcome?)
}

/// What a listener tells of itself.
public struct HandoverBacklog: Sendable, Codable, Equatable {
  /// Entries that wait.
  public var waiting: Int
  /// Since when the first of them does.
  public var oldestAt: Date?
  /// Series of which instances wait.
  public var series: [String]

  public init(waiting: Int = 0, oldestAt: Date? = nil, series: [String] = []) {
    self.waiting = waiting
    self.oldestAt = oldestAt
    self.series = series
  }
}
