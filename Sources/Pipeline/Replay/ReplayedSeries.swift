import JobLedger

/// What became of a series for a model, or would become of it by another configuration.
public struct SeriesRouting: Sendable, Codable, Equatable {
  public enum Kind: String, Sendable, Codable {
    /// The model segments it.
    case segmented
    /// A job waits for a person.
    case held
    /// No job: a rule takes another series, or it is an input of another one's job.
    case passedOver
    /// No rule has anything to do with it and the model.
    case noJob
  }

  public var kind: Kind
  /// The volume that was chosen of several.
  public var volume: String?
  /// Why, where it is not segmented.
  public var reason: String?

  public init(_ kind: Kind, volume: String? = nil, reason: String? = nil) {
    self.kind = kind
    self.volume = volume
    self.reason = reason
  }

  /// For people.
  public var text: String {
    let name = kind == .passedOver ? "passed over" : kind == .noJob ? "no job" : kind.rawValue
    return name + (volume.map { ", volume \($0)" } ?? "") + (reason.map { ": \($0)" } ?? "")
  }
}

/// A series that another configuration routes or judges otherwise.
public struct ReplayedSeries: Sendable, Codable, Equatable {
  /// What is different.
  public enum Difference: String, Sendable, Codable {
    /// Whether the model segments it.
    case routing
    /// The volume that is segmented.
    case volume
    /// The verdict of the geometry gate.
    case verdict
    /// Why the model does not take it, or that it does now.
    case input
  }

  public var studyInstanceUID: String
  public var seriesInstanceUID: String
  /// Empty where no model is concerned.
  public var model: String
  public var differences: [Difference]
  /// The last job for the model; nil where there was none.
  public var job: Int64?
  public var was: SeriesRouting
  public var wouldBe: SeriesRouting
  /// Of the geometry gate; nil where none is on record.
  public var verdictWas: SeriesVerdict.Kind?
  public var verdictWouldBe: SeriesVerdict.Kind
  /// Of the verdict that would be.
  public var verdictReasons: [String]
}

/// A series of which it cannot be told.
public struct UnreplayedSeries: Sendable, Codable, Equatable {
  public var studyInstanceUID: String
  public var seriesInstanceUID: String
  public var reason: String
}

/// What a configuration would change.
public struct ReplayReport: Sendable, Codable, Equatable {
  public var studies = 0
  /// How many series were assessed.
  public var series = 0
  public var differences: [ReplayedSeries] = []
  public var unreplayed: [UnreplayedSeries] = []

  public init() {}
}
