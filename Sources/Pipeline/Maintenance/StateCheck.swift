import Foundation
import Ingest
import JobLedger
import Wording

/// What is found of a state directory: its ledger, its spool and its results.
public struct StateReport: Sendable, Codable, Equatable {
  /// What is not as it has to be, the gravest first; empty for a sound state directory.
  public var findings: [LedgerFinding] = []
  /// What is on its way, or put right by the next start, for people.
  public var notes: [String] = []
  /// Instances and files of results that were compared.
  public var instances = 0
  public var resultFiles = 0
  /// Whether every file was read and its SHA-256 compared.
  public var comparesHashes: Bool
  /// Nil where the ledger is damaged.
  public var events: EventChainReport?
}

/// Compares ledger, spool and results, and changes nothing.
///
/// It may run while a daemon does: the ledger is read as it is at one moment, and what looks wrong in the files
/// is looked at again before it is a finding. A ledger that cannot be written is enough.
///
/// ```swift
/// let ledger = try Ledger(reading: state.ledger.path)
/// let report = try StateCheck(state: state, ledger: ledger).run()
/// ```
public struct StateCheck: Sendable {
  private let state: StateDirectory
  private let ledger: Ledger
  private let comparesHashes: Bool
  private let mark: EventMark?
  private let patience: Duration

  /// - Parameters:
  ///   - state: the state directory.
  ///   - ledger: its ledger.
  ///   - comparesHashes: whether every file is read; else whether it is there, and its size.
  ///   - mark: an event that is to be in the ledger's history, noted before.
  ///   - patience: how long a complete file that is not in the ledger may be on its way there.
  public init(
    state: StateDirectory, ledger: Ledger, comparesHashes: Bool = true, mark: EventMark? = nil,
    patience: Duration = .seconds(15)
  ) {
    self.state = state
    self.ledger = ledger
    self.comparesHashes = comparesHashes
    self.mark = mark
    self.patience = patience
  }

  /// - Parameter progress: is told how many instances were compared.
  /// - Throws: `LedgerError`, or the error of a file that cannot be read now.
  public func run(progress: (Int) -> Void = { _ in }) throws -> StateReport {
    try compare(progress).report
  }

  /// The report and what it is made of; nil parts where the ledger is damaged.
  func compare(_ progress: (Int) -> Void = { _ in }) throws -> StateComparison {
    let (findings, events) = try ledger.checkConsistency(mark: mark)
    var comparison = StateComparison(
      report: StateReport(findings: findings, comparesHashes: comparesHashes, events: events))
    guard events != nil else { return comparison }
    comparison.spool = try SpoolComparison(
      state: state, ledger: ledger, comparesHashes: comparesHashes, patience: patience
    ).run(progress: progress)
    comparison.results = try ResultComparison(
      state: state, ledger: ledger, comparesHashes: comparesHashes, patience: patience
    ).run()
    comparison.filesToRemove = try ledger.filesToRemove().count
    comparison.add(lostBefore: Set(try ledger.lostInstances().map(\.spoolPath)))
    return comparison
  }
}

/// A report and what it is made of.
struct StateComparison {
  var report: StateReport
  var spool = SpoolComparison.Report()
  var results = ResultComparison.Report()
  /// Files and folders of a purge that is under way, or was interrupted.
  var filesToRemove = 0

  fileprivate mutating func add(lostBefore: Set<String>) {
    report.instances = spool.instances
    report.resultFiles = results.files
    for (record, what) in spool.lost {
      let path = record.spoolPath
      let text = what + (lostBefore.contains(path) ? "; it waits for it to be sent again" : "")
      report.findings.append(LedgerFinding(.spoolFile, text, path: path))
    }
    for (result, path, what) in results.lost {
      report.findings.append(
        LedgerFinding(.resultFile, "the result of job \(result.job): \(what)", path: path))
    }
    for path in spool.unknown {
      report.findings.append(
        LedgerFinding(.unknownSpoolFile, "\(path) is not in the ledger", path: path))
    }
    for (path, what) in results.unknown {
      report.findings.append(LedgerFinding(.unknownResultFile, what, path: path))
    }
    for path in spool.foreign + results.foreign {
      report.findings.append(
        LedgerFinding(
          .foreignFile, "\(path) is not of segmentd: look what it is, and remove it", path: path))
    }
    report.notes = notes
  }

  private var notes: [String] {
    var notes: [String] = []
    if !spool.found.isEmpty {
      notes.append(
        counted(spool.found.count, "file that was lost is", "files that were lost are")
          + " there again: segmentd ledger repair notes it"
      )
    }
    if !spool.unacknowledged.isEmpty {
      notes.append(
        counted(spool.unacknowledged.count, "instance")
          + " without an acknowledgement and a whole file, withdrawn when the association ends, or at the "
          + "next start")
    }
    if spool.unfinished > 0 {
      notes.append(
        counted(spool.unfinished, "file")
          + " of the spool on the way in, or removed at the next start"
      )
    }
    if filesToRemove > 0 {
      notes.append(
        counted(filesToRemove, "purged file is", "purged files are")
          + " being removed, by the next start at the latest")
    }
    if results.ofAttempts > 0 {
      notes.append(
        counted(results.ofAttempts, "file") + " of jobs that have not ended, or are held")
    }
    return notes
  }
}
