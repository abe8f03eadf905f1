import ConfigurationFile
import FileSystem
import Foundation
import Ingest
import JobLedger

/// Removes what nothing needs any more, as the configuration says.
///
/// Each series and each result is a purge of its own: first the ledger notes it with the files that are to be
/// removed, then these are removed, and then the ledger forgets the list. What something has happened to
/// since it was found is kept. It may run in several processes at once, with the daemon up or down.
///
/// ```swift
/// let retention = Retention(state: state, ledger: ledger, rules: configuration.retention)
/// print(try retention.plan().totals)
/// try retention.run()
/// ```
public struct Retention: Sendable {
  private let state: StateDirectory
  private let ledger: Ledger
  private let rules: SiteConfiguration.Retention
  private let ahead: TimeInterval
  private let freeBytes: @Sendable () -> Int
  private var removal: PurgedFileRemoval { PurgedFileRemoval(state: state, ledger: ledger) }

  /// - Parameters:
  ///   - state: the state directory.
  ///   - ledger: its ledger.
  ///   - rules: what is removed, and when.
  ///   - ahead: seconds that are added to the age of everything: what would be removed then.
  ///   - freeBytes: bytes free on the disk; by default those of the state directory's file system.
  public init(
    state: StateDirectory, ledger: Ledger, rules: SiteConfiguration.Retention,
    ahead: TimeInterval = 0, freeBytes: (@Sendable () -> Int)? = nil
  ) {
    self.state = state
    self.ledger = ledger
    self.rules = rules
    self.ahead = ahead
    // As good as all where that cannot be told.
    self.freeBytes = freeBytes ?? { DiskSpace(of: state.url.path)?.available ?? .max }
  }

  /// What would be removed now.
  ///
  /// - Throws: `LedgerError`
  public func plan() throws -> PurgePlan {
    try PurgePlanner(
      state: state, ledger: ledger, rules: rules, ahead: ahead, freeBytes: freeBytes()
    ).plan()
  }

  /// Removes it.
  ///
  /// - Parameters:
  ///   - purgesEvents: whether the oldest events are removed too.
  ///   - goesOn: is asked before each series and result.
  /// - Returns: what was removed.
  /// - Throws: `LedgerError`, or the error of a file that cannot be removed now.
  @discardableResult
  public func run(purgesEvents: Bool = true, goesOn: () -> Bool = { true }) throws -> PurgePlan {
    // Of a purge before that was interrupted.
    try removal.finish()
    var done = try plan()
    let items = done.items
    done.items = []
    for item in items where goesOn() {
      let rule = "retention.\(item.rule)"
      guard let purged = try ledger.purge(item.what, reason: rule) else { continue }
      try removal.remove(purged.paths)
      try ledger.forgetRemoved(purged.paths)
      done.items.append(item)
    }
    guard purgesEvents, let days = rules.events.days else {
      done.events = nil
      return done
    }
    done.events?.count = try ledger.purgeEvents(
      before: ledger.dateShown(ago: days * 86_400 - ahead), reason: "retention.events.days: \(days)"
    )
    return done
  }

  /// Whether the disk has less free than the configuration demands.
  var isDiskShort: Bool {
    rules.minimumFreeGB.map { freeBytes() < byteCount(gigabytes: $0) } ?? false
  }
}
