import Foundation
import GRDB
import Wording

/// What one purge did, or would do.
public struct PurgedFiles: Sendable, Equatable {
  /// How many files, and their bytes as far as the ledger knows them.
  public var files: Int
  public var bytes: Int
  /// Files and folders to be removed, relative to the state directory.
  public var paths: [String]
}

/// A purge is two transactions with the removal of files between them: the first writes down that they are
/// purged and which they are, the second forgets the list once none of them is there. A process that ends
/// anywhere in between leaves a list, which the next start finishes.
extension Ledger {
  /// The first step: notes that files are purged, and lists them for removal.
  ///
  /// - Parameters:
  ///   - kept: what is purged.
  ///   - reason: by which rule, for people; without patient data. Where the ledger has an ``account``, a person
  ///     had the rule applied, and the event says who.
  /// - Returns: nil where something has happened to them since they were found, so that they are kept.
  public func purge(_ kept: KeptFiles, reason: String) throws(LedgerError) -> PurgedFiles? {
    try write { db in
      switch kept.kind {
      case .originals: try purgeOriginals(kept, reason, db)
      case .results: try purgeResult(kept, reason, db)
      }
    }
  }

  /// Files and folders that are still to be removed, relative to the state directory.
  ///
  /// - Parameter count: how many at most.
  public func filesToRemove(count: Int = .max) throws(LedgerError) -> [String] {
    try read { db in
      try String.fetchAll(
        db, sql: "SELECT path FROM purge_files ORDER BY path LIMIT ?", arguments: [count])
    }
  }

  /// The last step: forgets files that are not there any more.
  ///
  /// - Parameter paths: relative to the state directory.
  public func forgetRemoved(_ paths: [String]) throws(LedgerError) {
    try write { db in
      for path in paths {
        try db.executeCached(sql: "DELETE FROM purge_files WHERE path = ?", arguments: [path])
      }
    }
  }

  /// A command of a person, or the daemon after its rules.
  var purger: EventCause { account == nil ? .rule : .person }

  private func purgeOriginals(_ kept: KeptFiles, _ reason: String, _ db: Database) throws
    -> PurgedFiles?
  {
    let series = kept.seriesInstanceUID
    let row = try Row.fetchOne(db, sql: KeptQueries.originalsOfSeries, arguments: [series])
    guard try row.flatMap(keptOriginals) == kept else { return nil }
    let files = try Row.fetchAll(
      db,
      sql: """
        UPDATE instances SET purged_at = ?, lost_at = NULL
        WHERE series_uid = ? AND purged_at IS NULL RETURNING spool_path, byte_count
        """, arguments: [now, series])
    let paths: [String] = try files.map { try $0.value("spool_path") }
    let bytes = try files.reduce(0) { $0 + (try $1.value("byte_count") as Int) }
    try db.execute(
      sql: "UPDATE series SET purged_at = ? WHERE series_uid = ?", arguments: [now, series])
    try listForRemoval(paths, db)
    try event(
      db, "purged", by: purger, series: series,
      "its originals were purged, \(counted(paths.count, "file")), \(Self.megabytes(bytes)): \(reason)"
    )
    return PurgedFiles(files: paths.count, bytes: bytes, paths: paths)
  }

  private func purgeResult(_ kept: KeptFiles, _ reason: String, _ db: Database) throws
    -> PurgedFiles?
  {
    guard let job = kept.job else { return nil }
    let row = try Row.fetchOne(db, sql: KeptQueries.resultOfJob, arguments: [job])
    guard try row.flatMap(keptResult) == kept else { return nil }
    let objects = try objects(job: job, db)
    try db.execute(
      sql: "UPDATE results SET purged_at = ? WHERE job_id = ?", arguments: [now, job])
    let paths = Self.places(of: objects)
    try listForRemoval(paths, db)
    try event(
      db, "purged", by: purger, series: kept.seriesInstanceUID, job: job,
      "the files of its result were purged, \(counted(objects.count, "file")): \(reason)")
    return PurgedFiles(files: objects.count, bytes: 0, paths: paths)
  }

  /// Has files and folders removed by the next purge or start.
  func listForRemoval(_ paths: [String], _ db: Database) throws {
    for path in paths {
      try db.executeCached(
        sql: "INSERT INTO purge_files (path) VALUES (?) ON CONFLICT DO NOTHING", arguments: [path])
    }
  }

  /// Files and folders of a job's result, relative to the state directory.
  public func placesOfResult(_ job: Int64) throws(LedgerError) -> [String] {
    try read { db in Self.places(of: try objects(job: job, db)) }
  }

  /// The folder of a result, which has nothing else but its note; or its files, where they are elsewhere.
  static func places(of objects: [StoredObject]) -> [String] {
    var places: Set<String> = []
    for object in objects {
      let parts = object.path.split(separator: "/", omittingEmptySubsequences: false)
      let isInFolder = parts.count == 3 && parts[0] == "results" && Int64(parts[1]) != nil
      places.insert(isInFolder ? "results/\(parts[1])" : object.path)
    }
    return places.sorted()
  }

  private static func megabytes(_ bytes: Int) -> String {
    String(format: "%.1f MB", Double(bytes) / 1e6)
  }
}
