import Foundation
import GRDB

/// A workitem of a worklist server that we perform or have performed (PS3.4 CC).
public struct ClaimedWorkitem: Sendable, Equatable {
  public enum State: String, Sendable, CaseIterable {
    /// The server is asked for it.
    case claiming
    case performing
    /// Its last state is on the way to the server.
    case ending
    case completed
    case cancelled
    /// It belongs to somebody else, or is gone.
    case lost

    /// The states that a workitem may go to from this one.
    public var next: Set<State> {
      switch self {
      case .claiming: [.performing, .lost]
      case .performing: [.ending, .lost]
      case .ending: [.completed, .cancelled, .lost]
      case .completed, .cancelled, .lost: []
      }
    }
  }

  /// A series, or a study.
  public struct Input: Sendable, Hashable {
    public var studyInstanceUID: String
    /// Nil for every series of the study.
    public var seriesInstanceUID: String?

    public init(studyInstanceUID: String, seriesInstanceUID: String?) {
      self.studyInstanceUID = studyInstanceUID
      self.seriesInstanceUID = seriesInstanceUID
    }
  }

  public var uid: String
  public var transactionUID: String
  public var state: State
  public var beganAt: Date
  /// Why it is or will be cancelled, or was lost.
  public var reason: String?
  public var inputs: [Input]
}

extension Ledger {
  /// Writes down the transaction UID by which the server will be asked for a workitem: after a crash it is known
  /// whether the workitem is ours.
  ///
  /// - Returns: false where the workitem is known already.
  public func beginWorkitem(
    _ uid: String, transactionUID: String, inputs: [ClaimedWorkitem.Input]
  ) throws(LedgerError) -> Bool {
    try write { db in
      try db.execute(
        sql: """
          INSERT OR IGNORE INTO workitems (uid, transaction_uid, state, began_at)
          VALUES (?, ?, 'claiming', ?)
          """, arguments: [uid, transactionUID, source.wall().timeIntervalSince1970])
      guard db.changesCount == 1 else { return false }
      for input in inputs {
        try db.execute(
          sql: "INSERT OR IGNORE INTO workitem_inputs VALUES (?, ?, ?)",
          arguments: [uid, input.studyInstanceUID, input.seriesInstanceUID ?? ""])
      }
      return true
    }
  }

  /// The server says that the workitem is ours.
  ///
  /// - Throws: ``LedgerError/wrongWorkitemState(uid:state:next:)``, as the following ones: a workitem that is in the new
  ///   state already stays as it is.
  public func performWorkitem(_ uid: String) throws(LedgerError) {
    try change(uid, to: .performing, "workitem claimed", by: .peer)
  }

  /// Its last state is decided; the server is told of it until it knows.
  ///
  /// - Parameters:
  ///   - uid: of the workitem.
  ///   - reason: why it is cancelled, without patient data; nil where it is complete.
  public func endWorkitem(_ uid: String, cancelled reason: String?) throws(LedgerError) {
    try change(uid, to: .ending, "workitem performed", by: .program, reason: reason)
  }

  /// The server knows its last state.
  public func finishWorkitem(_ item: ClaimedWorkitem) throws(LedgerError) {
    try change(
      item.uid, to: item.reason == nil ? .completed : .cancelled,
      item.reason == nil ? "workitem completed" : "workitem cancelled", by: .program,
      reason: item.reason)
  }

  /// It belongs to somebody else, or is gone.
  public func loseWorkitem(_ uid: String, reason: String) throws(LedgerError) {
    try change(uid, to: .lost, "workitem lost", by: .peer, reason: reason)
  }

  /// Those that have not ended, the oldest first.
  public func openWorkitems() throws(LedgerError) -> [ClaimedWorkitem] {
    try workitems("ended_at IS NULL ORDER BY began_at", [])
  }

  /// Nil for one that we have never asked for.
  public func workitem(_ uid: String) throws(LedgerError) -> ClaimedWorkitem? {
    try workitems("uid = ?", [uid]).first
  }

  private func change(
    _ uid: String, to state: ClaimedWorkitem.State, _ kind: String, by cause: EventCause,
    reason: String? = nil
  ) throws(LedgerError) {
    let names = ClaimedWorkitem.State.allCases.filter { $0.next.contains(state) }
      .map { "'\($0.rawValue)'" }.joined(separator: ", ")
    let isOver = state.next.isEmpty
    try write { db in
      try db.execute(
        sql: """
          UPDATE workitems SET state = ?, reason = coalesce(?, reason), ended_at = ?
          WHERE uid = ? AND state IN (\(names))
          """,
        arguments: [
          state.rawValue, reason, isOver ? source.wall().timeIntervalSince1970 : nil, uid,
        ])
      guard db.changesCount == 1 else {
        let present = try String.fetchOne(
          db, sql: "SELECT state FROM workitems WHERE uid = ?", arguments: [uid])
        guard present == state.rawValue else {
          throw LedgerError.wrongWorkitemState(uid: uid, state: present, next: state)
        }
        return
      }
      try event(db, kind, by: cause, uid + (reason.map { ": \($0)" } ?? ""))
    }
  }

  private func workitems(_ condition: String, _ arguments: StatementArguments)
    throws(LedgerError) -> [ClaimedWorkitem]
  {
    try read { db in
      try Row.fetchAll(
        db, sql: "SELECT * FROM workitems WHERE \(condition)", arguments: arguments
      ).map { row in
        let uid: String = try row.value("uid")
        let state: String = try row.value("state")
        let inputs = try Row.fetchAll(
          db,
          sql: """
            SELECT study_uid, series_uid FROM workitem_inputs WHERE workitem_uid = ?
            ORDER BY study_uid, series_uid
            """, arguments: [uid])
        return ClaimedWorkitem(
          uid: uid, transactionUID: try row.value("transaction_uid"),
          state: ClaimedWorkitem.State(rawValue: state) ?? .lost,
          beganAt: Date(timeIntervalSince1970: try row.value("began_at")),
          reason: try row.value("reason"),
          inputs: try inputs.map {
            let series: String = try $0.value("series_uid")
            return ClaimedWorkitem.Input(
              studyInstanceUID: try $0.value("study_uid"),
              seriesInstanceUID: series.isEmpty ? nil : series)
          })
      }
    }
  }
}
