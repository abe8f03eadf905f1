import Foundation

/// What a ledger holds, in numbers: for metrics, without any UID.
public struct LedgerStatistics: Sendable, Equatable {
  /// Where a study is, its least finished series counting.
  public enum StudyState: String, Sendable, CaseIterable {
    /// Images are still arriving, or are waited for.
    case receiving
    case running
    case waiting
    /// Needs a person, or what is missing.
    case held
    case done
    /// No rule has selected any of its series.
    case unselected
  }

  /// A number of something, and how many bytes it has.
  public struct Volume: Sendable, Equatable {
    public var count = 0
    public var bytes = 0
  }

  /// One attempt's model and outcome (``JobAttempt/outcome``).
  public struct AttemptKind: Sendable, Hashable {
    public var model: String
    public var outcome: String
  }

  public struct Stage: Sendable, Hashable {
    public var model: String
    /// As in ``JobRun/seconds``.
    public var name: String
  }

  public struct DeliveryKind: Sendable, Hashable {
    public var destination: String
    /// A ``DeliveryState``.
    public var state: String

    public init(destination: String, state: String) {
      self.destination = destination
      self.state = state
    }
  }

  /// How far results agree with segmentations of others (``Comparison``), of one structure of a model.
  public struct Quality: Sendable, Codable, Equatable {
    public var model: String
    /// As the model calls it.
    public var structure: String
    /// How many comparisons there are.
    public var count: Int
    /// Dice, the mean of all and the lowest.
    public var mean: Double
    public var least: Double

    public init(model: String, structure: String, count: Int, mean: Double, least: Double) {
      self.model = model
      self.structure = structure
      self.count = count
      self.mean = mean
      self.least = least
    }
  }

  public var studies: [StudyState: Int] = [:]
  /// Jobs by state, those of older versions' states included.
  public var jobs: [String: Int] = [:]
  /// Since when the oldest job that waits has been there.
  public var oldestWaitingJob: Date?
  /// Instances in the ledger, by `listener`, `watch` or `command`.
  public var instances: [String: Volume] = [:]
  /// Instances that were refused, by the DIMSE status that was answered; nil where none was.
  public var refusals: [Int?: Int] = [:]
  /// Associations and STOW-RS requests that have ended, by outcome.
  public var associations: [String: Int] = [:]
  public var openAssociations = 0
  public var attempts: [AttemptKind: Int] = [:]
  /// Seconds of each stage of finished attempts.
  public var stages: [Stage: Histogram] = [:]
  public var deliveries: [DeliveryKind: Int] = [:]
  /// For each destination that something waits for, since when the oldest result has been there.
  public var oldestUndelivered: [String: Date] = [:]
  public var mode = ProcessingState.Mode.active
  /// The last check of each model that was made.
  public var goldenChecks: [GoldenCheck] = []
  /// Of a listener: how handing over goes; nil of any other ledger.
  public var handover: HandoverState?
  /// Of a head: its listeners, by name.
  public var listeners: [KnownListener] = []
  /// Of all comparisons that the ledger keeps, by model and structure in alphabetical order.
  public var quality: [Quality] = []
}

/// How often a value was up to each bound.
public struct Histogram: Sendable, Equatable {
  /// Upper bounds in seconds, ascending.
  public static let bounds = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600]

  /// Of each bound, not cumulated; values beyond the last are in ``count`` alone.
  public private(set) var buckets = [Int](repeating: 0, count: bounds.count)
  public private(set) var count = 0
  public private(set) var sum = 0.0

  mutating func add(_ value: Double) {
    if let bucket = Self.bounds.firstIndex(where: { value <= $0 }) { buckets[bucket] += 1 }
    count += 1
    sum += value
  }
}
