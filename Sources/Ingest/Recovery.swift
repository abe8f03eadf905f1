import DICOM
import FileSystem
import Foundation
import JobLedger
import SeriesReading

/// Brings spool and ledger together after a process that was killed, or a loss of power.
///
/// New objects may arrive meanwhile. It can be repeated and be interrupted at any time.
public struct Recovery: Sendable {
  private let intake: Intake
  /// The receiving process that ended; nil for all that were before this daemon.
  private let ended: ReceivingSession?
  private var spool: Spool { intake.spool }
  private var ledger: Ledger { intake.ledger }
  private var session: ReceivingSession { intake.receptions.session }

  private var sessions: ReceivingSessions {
    ended.map { .one($0.key) } ?? .all(exceptOfDaemon: session.daemon)
  }

  /// - Parameters:
  ///   - intake: of this process.
  ///   - ended: the receiving process of this daemon that ended; nil for everything that was before
  ///     this daemon, whose own receiving processes are not touched.
  public init(_ intake: Intake, after ended: ReceivingSession? = nil) {
    self.intake = intake
    self.ended = ended
  }

  /// Removes what was on its way in. Where it is everything that was before this daemon, call it before
  /// anything new arrives.
  public func removeUnacknowledged() { spool.removeUnacknowledged(of: ended) }

  /// Takes back instances that were recorded and whose file did not reach the disk: file and row are
  /// synced at the same time, and the process, or the power, ended in between. They were not
  /// acknowledged, and their association is held as interrupted.
  ///
  /// - Returns: a line for each.
  /// - Throws: `LedgerError`
  public func withdrawUnfinished() throws -> [String] {
    var lines: [String] = []
    for record in try ledger.instancesInDoubt(of: sessions) {
      // A file that cannot be read at the moment is compared again before a job uses it.
      guard let finding = try? SpoolCheck(state: spool.state).finding(record) else { continue }
      try ledger.withdraw(record)
      unlink(spool.state.file(record.spoolPath).path)
      lines.append("not acknowledged when the last process ended, and withdrawn: \(finding)")
    }
    return lines
  }

  /// Removes the files of a purge that was interrupted.
  ///
  /// - Returns: how many files and folders were left.
  /// - Throws: `LedgerError`, or the error of a file that cannot be removed now.
  @discardableResult
  public func finishPurge() throws -> Int {
    try PurgedFileRemoval(state: spool.state, ledger: ledger).finish()
  }

  /// Removes what the last process was writing next to results when it ended.
  ///
  /// - Returns: how many files were left.
  @discardableResult
  public func removeUnfinishedResults() -> Int {
    ResultFolders(state: spool.state).removeUnfinished()
  }

  /// Makes the jobs, deliveries and associations of the last process available or ends them.
  ///
  /// - Returns: how many jobs will run again.
  /// - Throws: `LedgerError`
  public func rescue() throws -> Int { try ledger.rescue(daemon: session.daemon) }

  /// Cancels held jobs in whose place a newer result has come. Call it after the ledger was rebuilt.
  ///
  /// - Returns: a line for each.
  /// - Throws: `LedgerError`
  public func cancelOutdated() throws -> [String] {
    try ledger.cancelOutdatedJobs().map {
      "held job \($0) is cancelled: a newer result took its place"
    }
  }

  /// Records files of the spool that the ledger does not know, as when it was restored from a copy, and
  /// removes those that were never complete.
  ///
  /// - Parameter report: is called with a line for each file, and whether something is wrong with it.
  /// - Throws: `LedgerError`
  public func rescan(_ report: (String, _ isError: Bool) -> Void) throws {
    for folder in spool.folders() {
      for path in try unknownFiles(inFolder: folder) { try take(path, report) }
    }
  }

  /// Brings what is on disk into a ledger that was lost, or restored from a copy, before any job is made
  /// whose result may be there: first the files of the spool in the order in which they were received, so
  /// that of several versions of an instance the last counts, and then results with what their notes say
  /// of them. In a ledger that had nothing before, series count as incomplete unless a result was made of as
  /// many instances.
  ///
  /// It can be interrupted and repeated.
  ///
  /// - Parameter report: is called with a line for each file, and whether something is wrong with it.
  /// - Throws: `LedgerError`
  public func rebuildLedger(_ report: (String, _ isError: Bool) -> Void) throws {
    var files: [(path: String, time: Double)] = []
    for folder in spool.folders() {
      for path in try unknownFiles(inFolder: folder) {
        files.append((path, FileStatus(spool.state.file(path).path)?.modified ?? 0))
      }
    }
    files.sort { ($0.time, $0.path) < ($1.time, $1.path) }
    // Files made in advance are no loss, and a new ledger may be locked.
    if try files.contains(where: { !isUnused($0.path) }) && ledger.isEmpty() {
      try ledger.beginRebuild(session: session.key)
    }
    for file in files { try take(file.path, report) }
    try ResultFolders(state: spool.state).takeUpAll(in: ledger, report)
    if try ledger.isBeingRebuilt() {
      try ledger.endRebuild(instanceCounts: ResultFolders(state: spool.state).instanceCounts())
    }
  }

  /// Files of a folder that are not in the ledger and that no process of this daemon is writing.
  private func unknownFiles(inFolder folder: String) throws -> [String] {
    // In this order: what is recorded meanwhile is no file of an earlier process.
    let files = spool.files(inFolder: folder).filter(isConcerned)
    guard !files.isEmpty else { return [] }
    let known = try ledger.spoolPaths(inFolder: folder)
    return files.filter { !known.contains($0) }
  }

  private func take(_ path: String, _ report: (String, _ isError: Bool) -> Void) throws {
    switch try adopt(path) {
    case .unused: break
    case .recorded:
      report("recorded a file of the spool that the ledger did not know: \(path)", false)
    case .unfinished:
      report("removed a file of the spool that was never complete: \(path)", false)
    case .unreadable(let reason):
      report(
        "a file of the spool is not in the ledger and cannot be recorded: \(path): \(reason)", true)
    }
  }

  /// Whether a file of the spool may be one that a process left which has ended.
  private func isConcerned(_ path: String) -> Bool {
    let name = (path as NSString).lastPathComponent
    return ended.map { $0.names(name) } ?? !session.isOfSameDaemon(name)
  }

  private enum Finding {
    /// Made in advance and never written to.
    case unused
    case recorded
    case unfinished
    case unreadable(String)
  }

  private func isUnused(_ path: String) -> Bool {
    FileStatus(spool.state.file(path).path)?.size == 0
  }

  private func adopt(_ path: String) throws -> Finding {
    let file = spool.state.file(path)
    if isUnused(path) {
      unlink(file.path)
      return .unused
    }
    var hasPrefix = false
    let seal = SpoolSeal(of: file, hasPrefix: &hasPrefix)
    // The seal is the last that is written before the ledger; a file that cannot have one says nothing.
    if seal == nil, hasPrefix {
      unlink(file.path)
      return .unfinished
    }
    do throws(IntakeError) {
      try intake.record(fileOfSpool: path, sealed: seal)
      return .recorded
    } catch .notRecorded(.unavailable(let path, let reason)) {
      throw LedgerError.unavailable(path: path, reason: reason)
    } catch {
      return .unreadable(error.reason)
    }
  }
}
