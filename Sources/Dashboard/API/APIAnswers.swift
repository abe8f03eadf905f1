import Foundation
import JobLedger

/// Where results go, and what is on its way.
struct DestinationAnswer: Encodable, Sendable {
  var name: String
  /// Numbers of results by state.
  var deliveries: [String: Int]
  var oldestUndelivered: Date?
}

/// The models, and how far their results agree with segmentations of others.
struct ModelsAnswer: Encodable, Sendable {
  struct Model: Encodable, Sendable {
    var name: String
    var version: String
    var summary: String
    var facts: [String: String]

    init(_ model: DashboardModel) {
      name = model.name
      version = model.version
      summary = model.summary
      facts = Dictionary(model.facts.map { ($0.name, $0.value) }) { first, _ in first }
    }
  }

  var models: [Model]
  /// Why others cannot be used.
  var faults: [String]
  var quality: [LedgerStatistics.Quality]
}

/// The machine, and what it has done.
struct SystemAnswer: Encodable, Sendable {
  var version: String
  var processing: ProcessingState
  var diskFreeBytes: Int?
  var diskSizeBytes: Int?
  /// Resident memory by process.
  var memoryBytes: [String: Int]
  var lastHour: Throughput
  var lastDay: Throughput
}
