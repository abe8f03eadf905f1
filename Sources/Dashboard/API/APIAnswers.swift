import Foundation
import JobLedger

/// Where results go, and what is on its way.
struct DestinationAnswer: Encodable, Sendable {
  var name: String
  /// Numbers of results by state.
  var deliveries: [String: Int]
  var oldestUndelivered: Date?
}

/// A rule of the configuration, in its order.
struct RuleAnswer: Encodable, Sendable {
  var name: String
  var model: String
  var priority: Int
  var criteria: [String]

  init(_ rule: DashboardRule) {
    name = rule.name
    model = rule.model
    priority = rule.priority
    criteria = rule.criteria
  }
}

/// What the rules make of a study.
struct RuleTrialAnswer: Encodable, Sendable {
  /// In words.
  var trial: String

  /// - Throws: ``DashboardRefusal`` where there is none.
  init(_ outcome: RuleTrialOutcome) throws {
    switch outcome {
    case .made(let text): trial = text
    case .notShown(let reason): throw DashboardRefusal(.forbidden, reason)
    case .noImages(let reason): throw DashboardRefusal(.notFound, reason)
    case .busy(let reason): throw DashboardRefusal(.serviceUnavailable, reason)
    case .failed(let reason): throw DashboardRefusal(.conflict, reason)
    }
  }
}

/// The models, and how far their results agree with segmentations of others.
struct ModelsAnswer: Encodable, Sendable {
  struct Model: Encodable, Sendable {
    var name: String
    var version: String
    var summary: String
    /// In the words of its page.
    var facts: [String: String]
    /// In Markdown.
    var card: String

    init(_ model: DashboardModel) {
      name = model.name
      version = model.version
      summary = model.summary
      facts = Dictionary(model.facts.map { ($0.name, $0.value) }) { first, _ in first }
      card = model.card
    }
  }

  var models: [Model]
  /// Why others cannot be used.
  var faults: [String]
  var quality: [LedgerStatistics.Quality]
}

/// The machine, and what it has done.
struct SystemAnswer: Encodable, Sendable {
  /// Of the whole ledger.
  struct Numbers: Encodable, Sendable {
    struct Received: Encodable, Sendable {
      var count: Int
      var bytes: Int
    }

    /// Finished attempts.
    struct Model: Encodable, Sendable {
      var model: String
      var count: Int
      var meanSeconds: Double
    }

    var studies: [String: Int]
    var jobs: [String: Int]
    var oldestWaitingJob: Date?
    /// By where they came from.
    var received: [String: Received]
    var refused: Int
    var openAssociations: Int
    var models: [Model]

    init(_ numbers: LedgerStatistics) {
      studies = Dictionary(
        uniqueKeysWithValues: LedgerStatistics.StudyState.allCases.map {
          ($0.rawValue, numbers.studies[$0] ?? 0)
        })
      jobs = numbers.jobs
      oldestWaitingJob = numbers.oldestWaitingJob
      received = numbers.instances.mapValues { Received(count: $0.count, bytes: $0.bytes) }
      refused = numbers.refusals.values.reduce(0, +)
      openAssociations = numbers.openAssociations
      models = numbers.stages.filter { $0.key.name == "total" && $0.value.count > 0 }
        .map { stage, times in
          Model(
            model: stage.model, count: times.count, meanSeconds: times.sum / Double(times.count))
        }.sorted { $0.model < $1.model }
    }
  }

  /// Of a head: a listener that hands over to it.
  struct Listener: Encodable, Sendable {
    var name: String
    var lastSeenAt: Date
    var awaySince: Date?
    /// Entries that wait there, as it said last, and since when the oldest does.
    var waiting: Int
    var oldestAt: Date?
    /// The number of the last entry that was taken.
    var taken: Int64

    init(_ listener: KnownListener) {
      name = listener.name
      lastSeenAt = listener.lastSeenAt
      awaySince = listener.awaySince
      waiting = listener.waiting
      oldestAt = listener.oldestAt
      taken = listener.taken
    }
  }

  var version: String
  var numbers: Numbers
  /// Empty but for a head.
  var listeners: [Listener]
  /// The last one of each model.
  var goldenChecks: [GoldenCheck]
  var processing: ProcessingState
  var diskFreeBytes: Int?
  var diskSizeBytes: Int?
  /// Resident memory by process.
  var memoryBytes: [String: Int]
  var lastHour: Throughput
  var lastDay: Throughput
}
