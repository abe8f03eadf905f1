import GRDB

/// A ledger that was rebuilt from the spool does not know what was refused and which associations broke
/// off: series count as incomplete unless all is here that a result on disk was made of. The ledger notes that
/// a rebuild has begun, so that one that is interrupted does not end as if nothing had been lost.
extension Ledger {
  private static let rebuildKeys = "key >= 'lost ledger/' AND key < 'lost ledger0'"
  private static let underWay = "the ledger was lost and is being rebuilt"
  private static let done = "the ledger was lost, and with it how the instances came"

  /// Whether nothing was ever received.
  public func isEmpty() throws(LedgerError) -> Bool {
    try read { db in try Int.fetchOne(db, sql: "SELECT 1 FROM series LIMIT 1") == nil }
  }

  /// Whether a rebuild has begun that has not ended.
  public func isBeingRebuilt() throws(LedgerError) -> Bool {
    try read { db in try rebuild(db) != nil }
  }

  /// Notes that the ledger is rebuilt from now on.
  ///
  /// - Parameter session: of the process, for the key of the association that is recorded in place of the
  ///   unknown ones.
  public func beginRebuild(session: String) throws(LedgerError) {
    try write { db in
      guard try rebuild(db) == nil else { return }
      try db.execute(
        sql: """
          INSERT INTO associations (key, calling_ae, called_ae, peer_address, started_at, ended_at,
            outcome, message) VALUES (?1, '', '', '', ?2, ?2, 'interrupted', ?3)
          """, arguments: ["lost ledger/\(session)", now, Self.underWay])
    }
  }

  /// Ends a rebuild: a series is held until it is sent again, the query source confirms it, or a person releases
  /// it, unless all that a result was made of is here.
  ///
  /// - Parameter counts: how many instances results were made of, by Series Instance UID.
  public func endRebuild(instanceCounts counts: [String: Int]) throws(LedgerError) {
    try write { db in
      guard let association = try rebuild(db) else { return }
      let series = try Row.fetchAll(
        db,
        sql: """
          SELECT series_uid, (SELECT count(DISTINCT sop_uid) FROM instances
            WHERE instances.series_uid = series.series_uid) AS n
          FROM series WHERE assembled_revision < revision
          """)
      try db.execute(
        sql: "UPDATE associations SET message = ? WHERE id = ?",
        arguments: [Self.done, association])
      for row in series {
        let (uid, count): (String, Int) = (try row.value("series_uid"), try row.value("n"))
        guard count != counts[uid] else { continue }
        try db.execute(
          sql: """
            INSERT INTO association_series (association_id, series_uid, stored, refused, last_at)
            VALUES (?, ?, ?, 0, ?)
            """, arguments: [association, uid, count, now])
        try event(db, "association", by: .fault, series: uid, Self.done)
      }
    }
  }

  private func rebuild(_ db: Database) throws -> Int64? {
    try Int64.fetchOne(
      db, sql: "SELECT id FROM associations WHERE \(Self.rebuildKeys) AND message = ?",
      arguments: [Self.underWay])
  }
}
