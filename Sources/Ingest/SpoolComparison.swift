import Dispatch
import FileSystem
import Foundation
import JobLedger
import Synchronization
import Wording

/// Compares all files of the spool with the ledger, in both directions, also while a daemon receives.
///
/// What looks wrong is looked at again: a row that was replaced or withdrawn in the meantime is none any
/// more, and a complete file that is not in the ledger may be about to be recorded, which takes as long
/// as a locked ledger is waited for. Empty files are made in advance, and one without a seal is on its
/// way in, or was never acknowledged.
package struct SpoolComparison: Sendable {
  package struct Report: Sendable {
    /// How many instances were compared.
    package var instances = 0
    /// Instances whose file is missing or changed, and what is wrong with each.
    package var lost: [(record: InstanceRecord, what: String)] = []
    /// The same of associations that were open when the last process ended: not acknowledged.
    package var unacknowledged: [String] = []
    /// Instances that are marked as lost and whose file is as it was received.
    package var found: [InstanceRecord] = []
    /// Complete files that the ledger does not know, relative to the state directory.
    package var unknown: [String] = []
    /// What is in the spool and has no name of ours, relative to the state directory.
    package var foreign: [String] = []
    /// How many files have no seal: they are on their way in, or were never complete.
    package var unfinished = 0

    package init() {}
  }

  private let state: StateDirectory
  private let ledger: Ledger
  private let comparesHashes: Bool
  private let patience: Duration
  private static let batch = 1000

  /// - Parameters:
  ///   - state: the state directory.
  ///   - ledger: the ledger.
  ///   - comparesHashes: whether each file is read and its SHA-256 compared; else its size alone.
  ///   - patience: how long a complete file that is not in the ledger may be on its way there.
  package init(
    state: StateDirectory, ledger: Ledger, comparesHashes: Bool,
    patience: Duration = .seconds(15)
  ) {
    self.state = state
    self.ledger = ledger
    self.comparesHashes = comparesHashes
    self.patience = patience
  }

  /// - Parameter progress: is told how many instances were compared.
  /// - Throws: `LedgerError`, or the error of a file that cannot be read now.
  package func run(progress: (Int) -> Void = { _ in }) throws -> Report {
    var report = Report()
    let (unknown, since) = (try unknownFiles(&report), ContinuousClock.now)
    try compareInstances(&report, progress)
    // Of the right size it may have been damaged all the same.
    for record in try ledger.lostInstances()
    where try fault(record) == nil && SpoolCheck(state: state).finding(record) == nil {
      report.found.append(record)
    }
    var left = try unknown.filter(isUnknown)
    if !left.isEmpty {
      let wait = since + patience - .now
      if wait > .zero { usleep(UInt32(clamping: wait.components.seconds * 1_000_000)) }
      left = try left.filter(isUnknown)
    }
    report.unknown = left
    report.foreign = Spool(state: state).foreignItems()
    return report
  }

  private func compareInstances(_ report: inout Report, _ progress: (Int) -> Void) throws {
    var last: Int64 = 0
    while true {
      let batch = try ledger.recordedInstances(after: last, count: Self.batch)
      guard let end = batch.last else { return }
      last = end.id
      let faults = try faults(batch.map(\.record))
      let inDoubt = faults.isEmpty ? [] : Set(try ledger.instancesInDoubt().map(\.spoolPath))
      for (record, what) in faults {
        guard try ledger.spoolPath(of: record) == record.spoolPath,
          try fault(record) != nil
        else { continue }
        if inDoubt.contains(record.spoolPath) {
          report.unacknowledged.append(what)
        } else {
          report.lost.append((record, what))
        }
      }
      report.instances += batch.count
      progress(report.instances)
    }
  }

  /// On all processors.
  private func faults(_ records: [InstanceRecord]) throws -> [(InstanceRecord, String)] {
    let results = Mutex<[Int: Result<String, any Error>]>([:])
    DispatchQueue.concurrentPerform(iterations: records.count) { index in
      let result = Result { try fault(records[index]) }
      if case .success(nil) = result { return }
      results.withLock { $0[index] = result.map { $0 ?? "" } }
    }
    return try results.withLock { $0 }.sorted { $0.key < $1.key }.map {
      (records[$0.key], try $0.value.get())
    }
  }

  private func fault(_ record: InstanceRecord) throws -> String? {
    let path = state.file(record.spoolPath).path
    guard let status = FileStatus(path) else {
      let error = SystemError()
      guard error.number == ENOENT || error.number == ENOTDIR else { throw error }
      return text(record, "is missing")
    }
    guard status.size == record.byteCount else {
      return text(record, "has \(counted(status.size, "byte")) in place of \(record.byteCount)")
    }
    return comparesHashes ? try SpoolCheck(state: state).finding(record) : nil
  }

  private func text(_ record: InstanceRecord, _ what: String) -> String {
    "the file of instance \(record.sopInstanceUID), \(state.file(record.spoolPath).path), \(what)"
  }

  private func unknownFiles(_ report: inout Report) throws -> [String] {
    let spool = Spool(state: state)
    var unknown: [String] = []
    for folder in spool.folders() {
      // In this order: what is recorded meanwhile is among those that are known.
      let files = spool.files(inFolder: folder)
      let known = try ledger.spoolPaths(inFolder: folder)
      for path in files where !known.contains(path) {
        let file = state.file(path)
        guard let size = FileStatus(file.path)?.size, size > 0 else { continue }
        var hasPrefix = false
        if SpoolSeal(of: file, hasPrefix: &hasPrefix) == nil, hasPrefix {
          report.unfinished += 1
        } else {
          unknown.append(path)
        }
      }
    }
    return unknown
  }

  private func isUnknown(_ path: String) throws -> Bool {
    guard FileStatus(state.file(path).path) != nil else { return false }
    let folder = (path as NSString).deletingLastPathComponent
    return try !ledger.spoolPaths(inFolder: folder).contains(path)
  }
}
