import Clocks
import Dispatch
import Foundation
import JobLedger
import Synchronization

/// Whose the results of a ledger are. The ledger keeps no patient, so that headers are read, each once, the newest first;
/// what they say stays in memory. What comes to a result later is found by the ledger's history, however long ago its job
/// was made.
final class PatientIndex: Sendable {
  /// A result of a patient.
  struct Entry: Sendable, Equatable {
    var job: Int64
    /// As the images state it, taken for UTC.
    var date: Date?
  }

  private struct Model {
    var entries: [DashboardExamination.Patient: [Entry]] = [:]
    var seen: Set<Int64> = []
    /// The last event that was looked at; nil before the first.
    var event: Int64?
    /// All jobs from this one on have been looked at; nil before the first.
    var lowest: Int64?
    var isWhole = false
    var isFilling = false
  }

  private static let page = 200
  /// Of a model; older ones are left out.
  private static let mostResults = 500_000

  private let ledger: Ledger
  private let source: any DashboardSource
  private let models = Mutex<[String: Model]>([:])
  /// Where headers are read, by one thread and not for long at a time.
  private let queue = DispatchQueue(label: "segmentd.patients", qos: .utility)

  init(_ ledger: Ledger, _ source: any DashboardSource) {
    self.ledger = ledger
    self.source = source
  }

  /// The results of a model that are of a patient.
  ///
  /// - Parameters:
  ///   - patient: as an image of a study says.
  ///   - model: its name.
  ///   - seconds: for which headers are read at most; then the others are read by and by.
  /// - Returns: the results in no order, and whether all have been looked at.
  /// - Throws: `LedgerError`
  func results(
    of patient: DashboardExamination.Patient, model: String, within seconds: Double
  ) throws -> (entries: [Entry], isWhole: Bool) {
    let end = SteadyTime.now.seconds + seconds
    let isWhole = try queue.sync { try readOn(model, until: end) }
    let (entries, isFilling) = models.withLock { models in
      let found = models[model]
      models[model]?.isFilling = !isWhole
      return (found?.entries[patient] ?? [], found?.isFilling ?? false)
    }
    if !isWhole, !isFilling { fill(model) }
    return (entries, isWhole)
  }

  /// Reads on, with pauses in which others have their turn.
  private func fill(_ model: String) {
    queue.asyncAfter(deadline: .now() + 0.05) { [weak self] in
      guard let self else { return }
      // A ledger that cannot be read now is asked again by the next page.
      let isRead = (try? readOn(model, until: SteadyTime.now.seconds + 0.5)) ?? true
      if isRead { models.withLock { $0[model]?.isFilling = false } } else { fill(model) }
    }
  }

  /// - Returns: whether all results have been looked at.
  private func readOn(_ model: String, until end: Double) throws -> Bool {
    let isCurrent = try readNewer(model, until: end)
    try readOlder(model, until: end)
    return isCurrent && models.withLock { $0[model]?.isWhole == true }
  }

  /// What has come to a result since the last look. The history is looked at from the moment at which older results
  /// are first read.
  ///
  /// - Returns: whether there is nothing more.
  private func readNewer(_ model: String, until end: Double) throws -> Bool {
    while true {
      let event = models.withLock { $0[model]?.event }
      let completed = try ledger.completedJobs(after: event)
      let results =
        completed.jobs.isEmpty
        ? [] : try ledger.results(ofModel: model, jobs: completed.jobs)
      let last = look(at: results, of: model, until: end)
      guard last == results.last?.job else { return false }
      models.withLock { $0[model, default: Model()].event = completed.upTo }
      if completed.isLast { return true }
      guard SteadyTime.now.seconds < end else { return false }
    }
  }

  private func readOlder(_ model: String, until end: Double) throws {
    while SteadyTime.now.seconds < end {
      let (isWhole, lowest, count) = models.withLock { models in
        (models[model]?.isWhole ?? false, models[model]?.lowest, models[model]?.seen.count ?? 0)
      }
      guard !isWhole else { return }
      let results = try ledger.results(ofModel: model, before: lowest ?? .max, limit: Self.page)
      let last = look(at: results, of: model, until: end)
      models.withLock { models in
        if let last { models[model, default: Model()].lowest = last }
      }
      if results.isEmpty || count >= Self.mostResults {
        models.withLock { $0[model, default: Model()].isWhole = true }
      }
    }
  }

  /// Reads headers as long as there is time.
  ///
  /// - Returns: the last job that has been looked at, now or before.
  @discardableResult
  private func look(at results: [ModelResult], of model: String, until end: Double) -> Int64? {
    var last: Int64?
    for result in results {
      // Without a copy of what is known, which has an entry for each result.
      let isKnown = models.withLock { $0[model]?.seen.contains(result.job) == true }
      guard isKnown || SteadyTime.now.seconds < end else { break }
      last = result.job
      guard !isKnown else { continue }
      let examination = result.file.flatMap { source.examination(file: $0) }
      models.withLock { models in
        models[model, default: Model()].seen.insert(result.job)
        guard let examination else { return }
        models[model, default: Model()].entries[examination.patient, default: []]
          .append(Entry(job: result.job, date: examination.date))
      }
    }
    return last
  }
}
