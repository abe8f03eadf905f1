import Dispatch
import Foundation
import GRDB
import Synchronization

/// Writes the changes of many threads in shared transactions: one sync of the write-ahead log serves
/// all that were asked for while the one before was on its way to disk.
///
/// Changes are made in the order in which they were asked for. Each has a savepoint, so that one that
/// fails undoes itself alone. Where the transaction fails as a whole, as on a full disk, each change
/// is tried by itself, so that only those fail for which there is no space.
final class GroupCommit: Sendable {
  /// A change and what becomes of it. `make` returns what is to be called once the change is on disk.
  private struct Change: Sendable {
    var deadline: ContinuousClock.Instant
    var make: @Sendable (Database) throws -> @Sendable () -> Void
    var fail: @Sendable (any Error) -> Void
  }

  private struct State {
    var waiting: [Change] = []
    var isWriting = false
  }

  /// Until when SQLite waits for a lock that another process holds: as long as the least patient of
  /// all that have been asked for, so that nobody waits for a more patient one before.
  private final class Patience: Sendable {
    private let deadline = Mutex(ContinuousClock.now + .seconds(30))

    func end(at instant: ContinuousClock.Instant) { deadline.withLock { $0 = instant } }

    func end(before instant: ContinuousClock.Instant) {
      deadline.withLock { $0 = min($0, instant) }
    }

    /// SQLite's busy handler (https://sqlite.org/c3ref/busy_handler.html).
    func waits(afterTries tries: Int) -> Bool {
      guard ContinuousClock.now < deadline.withLock({ $0 }) else { return false }
      usleep(UInt32(min(1 + tries, 10)) * 1000)
      return true
    }
  }

  private let path: String
  private let suspicion: DamageSuspicion
  private let database: DatabaseQueue
  private let patience = Patience()
  private let queue = DispatchQueue(label: "segmentd.ledger", qos: .userInitiated)
  private let state = Mutex(State())
  /// So many share a transaction: the first of them waits for the last.
  private static let largestBatch = 256

  /// Opens the only connection of this ledger that writes.
  init(path: String, isReadOnly: Bool = false, suspicion: DamageSuspicion) throws {
    self.path = path
    self.suspicion = suspicion
    var configuration = Configuration()
    configuration.readonly = isReadOnly
    configuration.foreignKeysEnabled = true
    let patience = patience
    configuration.busyMode = .callback { patience.waits(afterTries: $0) }
    database = try DatabaseQueue(path: path, configuration: configuration)
  }

  /// Closes the connection, after which nothing can be written.
  func close() { try? database.close() }

  /// The connection, for what is no change that others may share, such as a pragma.
  func withConnection<Value>(_ use: (Database) throws -> Value) throws -> Value {
    try database.writeWithoutTransaction(use)
  }

  /// Makes a change soon.
  ///
  /// - Parameters:
  ///   - patience: how long it may wait for another process that has locked the ledger.
  ///   - change: is called on another thread, a second time where the first transaction failed.
  func submit<Value: Sendable>(
    patience: Duration, _ change: @escaping @Sendable (Database) throws -> Value
  ) -> PendingCommit<Value> {
    let pending = PendingCommit<Value>(path: path, suspicion: suspicion)
    let change = Change(
      deadline: .now + patience,
      make: { db in
        let value = try change(db)
        return { pending.end(.success(value)) }
      },
      fail: { pending.end(.failure($0)) })
    let mustStart = state.withLock { state in
      state.waiting.append(change)
      self.patience.end(before: change.deadline)
      defer { state.isWriting = true }
      return !state.isWriting
    }
    if mustStart { queue.async { self.writeAll() } }
    return pending
  }

  /// Makes a change and returns when it is on disk.
  func perform<Value: Sendable>(
    patience: Duration, _ change: (Database) throws -> Value
  ) throws -> Value {
    try withoutActuallyEscaping(change) { change in
      let borrowed = BorrowedChange(change)
      defer { borrowed.change = nil }
      return try submit(patience: patience) { db in
        guard let change = borrowed.change else { throw CancellationError() }
        return try change(db)
      }.wait()
    }
  }

  private func writeAll() {
    while true {
      let batch = state.withLock { state in
        let batch = Array(state.waiting.prefix(Self.largestBatch))
        wait(for: state.waiting)
        state.waiting.removeFirst(batch.count)
        state.isWriting = !batch.isEmpty
        return batch
      }
      if batch.isEmpty { return }
      write(batch)
    }
  }

  /// Called with the state locked: whoever comes later shortens it.
  private func wait(for changes: [Change]) {
    patience.end(at: changes.map(\.deadline).min() ?? .now)
  }

  private func write(_ batch: [Change]) {
    do {
      for tell in try commit(batch) { tell() }
    } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
      // The others still have time.
      let now = ContinuousClock.now
      let expired = state.withLock { state in
        let all = batch + state.waiting
        state.waiting = all.filter { $0.deadline > now }
        return all.filter { $0.deadline <= now }
      }
      for change in expired { change.fail(error) }
    } catch {
      guard batch.count > 1 else {
        for change in batch { change.fail(error) }
        return
      }
      for change in batch {
        state.withLock { wait(for: [change] + $0.waiting) }
        write([change])
      }
    }
  }

  /// - Returns: what to call now that the transaction is on disk.
  private func commit(_ batch: [Change]) throws -> [@Sendable () -> Void] {
    // One that is alone needs no savepoint.
    if batch.count == 1 { return try database.write { db in [try batch[0].make(db)] } }
    return try database.write { db in
      try batch.map { try makeInSavepoint($0, db) }
    }
  }

  /// Makes a change that undoes itself alone where it fails. `Database.inSavepoint` compiles its statements
  /// anew each time.
  ///
  /// - Returns: what to call once the transaction is on disk.
  /// - Throws: where the whole transaction has to be undone.
  private func makeInSavepoint(_ change: Change, _ db: Database) throws -> @Sendable () -> Void {
    func execute(_ sql: String) throws { try db.cachedStatement(sql: sql).execute() }
    try execute("SAVEPOINT change")
    do {
      let tell = try change.make(db)
      try execute("RELEASE SAVEPOINT change")
      return tell
    } catch {
      // SQLite undoes the whole transaction after some faults of the machine
      // (https://sqlite.org/lang_transaction.html, section 3).
      guard db.isInsideTransaction else { throw error }
      try execute("ROLLBACK TO SAVEPOINT change")
      try execute("RELEASE SAVEPOINT change")
      return { change.fail(error) }
    }
  }
}

/// A change of the ledger on its way to disk.
public final class PendingCommit<Value: Sendable>: Sendable {
  private let path: String
  private let suspicion: DamageSuspicion
  private let result = Mutex<Result<Value, any Error>?>(nil)
  private let ended = DispatchSemaphore(value: 0)

  init(path: String, suspicion: DamageSuspicion) {
    self.path = path
    self.suspicion = suspicion
  }

  fileprivate func end(_ result: Result<Value, any Error>) {
    self.result.withLock { $0 = result }
    ended.signal()
  }

  /// Returns when the change is on disk: a loss of power does not undo it any more.
  ///
  /// - Throws: ``LedgerError`` where it could not be made; then nothing of it was.
  public func wait() throws(LedgerError) -> Value {
    ended.wait()
    // For whoever waits as well.
    ended.signal()
    let result = result.withLock { $0 } ?? .failure(CancellationError())
    do { return try result.get() } catch { throw suspicion.noting(error, path: path) }
  }
}

/// A closure of the thread that waits for it.
///
/// `@unchecked` as two threads never use it at once: its owner is blocked from when it was submitted
/// until it has run for the last time, and only then takes it away.
private final class BorrowedChange<Value>: @unchecked Sendable {
  var change: ((Database) throws -> Value)?

  init(_ change: @escaping (Database) throws -> Value) { self.change = change }
}
