import Foundation
import Ingest
import JobLedger
import Wording

/// What a repair does, or would do.
public struct StateRepairReport: Sendable, Codable, Equatable {
  public var isDryRun: Bool
  /// For people, one line each.
  public var steps: [String] = []
  /// What is left afterwards, or, of a dry run, what is found.
  public var report: StateReport
}

/// Mends what can be mended in a state directory, while no daemon runs on it.
///
/// - Files of the spool that the ledger does not know are recorded, as at the start of a daemon.
/// - Instances whose file is lost are marked: their series is held until they come again.
/// - A result that counts and whose file is lost is made again; what arrived is not sent again.
/// - Results on disk that the ledger does not know are taken up by their notes.
/// - Files that belong to no result are removed.
/// - Held jobs in whose place a newer result has come are cancelled.
///
/// A damaged ledger is not mended: restore a copy, or have it rebuilt from what is on disk.
public struct StateRepair: Sendable {
  private let state: StateDirectory
  private let ledger: Ledger
  private let intake: Intake
  private let isDryRun: Bool
  private let comparesHashes: Bool
  private let removesUnknownResults: Bool

  /// - Parameters:
  ///   - state: the state directory, whose lock the caller holds.
  ///   - ledger: its ledger.
  ///   - intake: takes files of the spool.
  ///   - isDryRun: whether nothing is changed.
  ///   - comparesHashes: whether every file is read; else whether it is there, and its size.
  ///   - removesUnknownResults: whether files of results are removed of which the ledger has no job.
  public init(
    state: StateDirectory, ledger: Ledger, intake: Intake, isDryRun: Bool,
    comparesHashes: Bool = true,
    removesUnknownResults: Bool = false
  ) {
    self.state = state
    self.ledger = ledger
    self.intake = intake
    self.isDryRun = isDryRun
    self.comparesHashes = comparesHashes
    self.removesUnknownResults = removesUnknownResults
  }

  /// - Parameter progress: is told how many instances were compared.
  /// - Throws: `LedgerError`, or the error of a file that cannot be read or removed now.
  public func run(progress: (Int) -> Void = { _ in }) throws -> StateRepairReport {
    let check = StateCheck(
      state: state, ledger: ledger, comparesHashes: comparesHashes, patience: .zero)
    // Nothing is written into a ledger that is damaged.
    guard try isDryRun || ledger.checkConsistency().events != nil else {
      return StateRepairReport(
        isDryRun: isDryRun, steps: [], report: try check.compare(progress).report)
    }
    var steps = isDryRun ? [] : try endOfLastProcess()
    let comparison = try check.compare(progress)
    guard comparison.report.events != nil else {
      return StateRepairReport(isDryRun: isDryRun, steps: steps, report: comparison.report)
    }
    steps += try mendLedger(comparison)
    steps += try mendSpool(comparison.spool)
    steps += try mendResults(comparison.results)
    return StateRepairReport(
      isDryRun: isDryRun, steps: steps,
      report: isDryRun || steps.isEmpty ? comparison.report : try check.run(progress: progress))
  }

  /// As at the start of a daemon.
  private func endOfLastProcess() throws -> [String] {
    let recovery = Recovery(intake)
    recovery.removeUnacknowledged()
    let removed = try recovery.finishPurge()
    var steps = removed == 0 ? [] : ["\(removed) file(s) of an interrupted purge removed"]
    let unfinished = recovery.removeUnfinishedResults()
    if unfinished > 0 { steps.append("\(unfinished) file(s) removed that were being written") }
    steps += try recovery.withdrawUnfinished()
    let rescued = try recovery.rescue()
    if rescued > 0 { steps.append("\(rescued) interrupted job(s) will run again") }
    try recovery.rebuildLedger { line, _ in steps.append(line) }
    return steps + (try recovery.cancelOutdated())
  }

  private func mendLedger(_ comparison: StateComparison) throws -> [String] {
    let findings = comparison.report.findings.filter {
      $0.kind == .severalResults || $0.kind == .state
    }
    guard !findings.isEmpty, !isDryRun else { return [] }
    return try ledger.mendResults()
  }

  private func mendSpool(_ spool: SpoolComparison.Report) throws -> [String] {
    var steps: [String] = []
    let lost = spool.lost.map(\.record)
    let new = Set(lost.map(\.spoolPath)).subtracting(
      try ledger.lostInstances().map(\.spoolPath))
    let series = Dictionary(grouping: lost.filter { new.contains($0.spoolPath) }) {
      $0.seriesInstanceUID
    }
    for (uid, records) in series.sorted(by: { $0.key < $1.key }) {
      steps.append(
        "\(counted(records.count, "instance")) of series \(uid) marked as lost: it is held until "
          + "\(records.count == 1 ? "that is" : "they are") sent again"
      )
    }
    steps += spool.found.map { "the file of instance \($0.sopInstanceUID) is there again" }
    if isDryRun {
      steps += spool.unknown.map { "\($0) is recorded, where it is what was received" }
    } else {
      _ = try ledger.markLost(lost)
      try ledger.markFound(spool.found)
      try Recovery(intake).rescan { line, _ in steps.append(line) }
    }
    return steps
  }

  private func mendResults(_ results: ResultComparison.Report) throws -> [String] {
    var steps: [String] = []
    let folders = ResultFolders(state: state)
    if isDryRun {
      for number in try folders.unknownNumbers(ledger) {
        guard let note = folders.note(number), folders.fault(note) == nil,
          try ledger.state(ofJob: note.job) == nil
        else { continue }
        steps.append("the result of job \(note.job) is taken up from \(folders.folder(number))")
      }
    } else {
      try folders.takeUpAll(in: ledger) { line, _ in steps.append(line) }
    }
    let lost = Dictionary(grouping: results.lost, by: \.result.job).values.compactMap(\.first)
    for result in lost.map(\.result).sorted(by: { $0.job < $1.job }) where result.isCurrent {
      if isDryRun {
        steps.append("the result of job \(result.job) is made again by a new job")
      } else if let job = try ledger.makeAgain(job: result.job) {
        steps.append("the result of job \(result.job) is made again by job \(job)")
      }
    }
    return steps + (try removeUnknown(results))
  }

  private func removeUnknown(_ results: ResultComparison.Report) throws -> [String] {
    var steps: [String] = []
    let known = try ledger.resultPaths()
    let folders = ResultFolders(state: state)
    var whole: [Int64: Bool] = [:]
    for (path, _) in results.unknown where !known.contains(path) {
      let number = Int64(path.split(separator: "/").dropFirst().first ?? "") ?? 0
      // A result that was proved, and may have been sent, is not removed unasked.
      if whole[number] == nil {
        whole[number] = folders.note(number).map { folders.fault($0)?.isPassing ?? true } ?? false
      }
      guard removesUnknownResults || whole[number] == false else { continue }
      guard try removesUnknownResults || ledger.state(ofJob: number) != nil else { continue }
      steps.append("\(path), which belongs to no result, is removed")
      if !isDryRun { try FileManager.default.removeItem(at: state.file(path)) }
    }
    return steps
  }
}
