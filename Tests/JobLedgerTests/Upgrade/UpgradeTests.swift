import Clocks
import Foundation
import GRDB
import TestSupport
import Testing

@testable import JobLedger

/// Ledgers of every version of the tables, as files, are brought to the present one and lose nothing.
@Suite struct UpgradeTests {
  private static let fixtures = TestFiles.fixtures.appendingPathComponent("ledgers")

  private static func fixture(_ version: Int) -> URL {
    fixtures.appendingPathComponent(String(format: "v%02d.sqlite", version))
  }

  /// One for each version that there has been.
  private static let versions: [Int] = {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: fixtures.path)) ?? []
    return names.compactMap { Int($0.dropFirst().prefix(2)) }.sorted()
  }()

  private func copy(_ version: Int, in folder: TemporaryFolder) throws -> String {
    let path = folder.path("ledger.sqlite")
    try FileManager.default.copyItem(at: Self.fixture(version), to: URL(fileURLWithPath: path))
    return path
  }

  /// Rows of a file, as text, without what opening it as a ledger does.
  private func rows(_ path: String, _ sql: String) throws -> Set<String> {
    try DatabaseQueue(path: path).read { try String.fetchSet($0, sql: sql) }
  }

  private func hasTable(_ name: String, _ path: String) throws -> Bool {
    try DatabaseQueue(path: path).read { try $0.tableExists(name) }
  }

  private func version(_ path: String) throws -> Int? {
    try DatabaseQueue(path: path).read { try Int.fetchOne($0, sql: "PRAGMA user_version") }
  }

  @Test func thereIsAFixtureOfEveryVersion() {
    #expect(Self.versions == Array(1...Schema.migrations.count))
  }

  /// What has to be the same after it, by table.
  private static let kept = [
    "peers": "SELECT ae_title || first_seen || last_seen FROM peers",
    "studies": "SELECT study_uid || created_at FROM studies",
    "series":
      "SELECT series_uid || study_uid || modality || revision || assembled_revision FROM series",
    "instances": """
    SELECT id || sop_uid || series_uid || revision || spool_path || byte_count || content_hash
      || source || ifnull(calling_ae, '') || received_at FROM instances
    """,
    "jobs": """
    SELECT id || series_uid || revision || model || replace(state, 'discarded', 'held')
      || attempt_count || created_at || scheduled_at || ifnull(finished_at, '') || ifnull(reason, '')
    FROM jobs
    """,
    "attempts": """
    SELECT job_id || ' ' || number || started_at || ifnull(finished_at, '') || ifnull(outcome, '')
      || ifnull(message, '') FROM attempts
    """,
    "results": """
    SELECT job_id || model_version || summary || created_at || ifnull(superseded_by, '') FROM results
    """,
    "deliveries": """
    SELECT job_id || destination || replace(state, 'discarded', 'held') || attempt_count
      || scheduled_at || ifnull(delivered_at, '') || ifnull(last_error, '') FROM deliveries
    """,
    "events": """
    SELECT id || ' ' || at || kind || ifnull(series_uid, '') || ifnull(job_id, '') || message
    FROM events
    """,
    "job_inputs": "SELECT job_id || ' ' || position || channel || series_uid FROM job_inputs",
    "verdicts":
      "SELECT id || series_uid || revision || ifnull(job_id, '') || verdict || reasons FROM verdicts",
    "associations":
      "SELECT id || key || calling_ae || ifnull(outcome, '') || stored || refused FROM associations",
    "association_series": """
    SELECT association_id || series_uid || stored || refused || ifnull(resolved_by, '')
    FROM association_series
    """,
    "refused_instances": """
    SELECT id || first_at || count || ifnull(sop_uid, '') || reason || ifnull(resolution, '')
    FROM refused_instances
    """,
    "completeness_checks":
      "SELECT series_uid || revision || state || attempt_count FROM completeness_checks",
    "commitments": "SELECT id || transaction_uid || state || attempt_count FROM commitments",
    "commitment_references": """
    SELECT commitment_id || ' ' || position || sop_uid || ifnull(failure_reason, '')
    FROM commitment_references
    """,
    "processing": "SELECT mode || changed_at || changed_by || drained_at FROM processing",
    "crashing_files": "SELECT path || version || crash_count || is_refused FROM crashing_files",
  ]

  /// Files of results, which were columns and a table of their own before version 4.
  private func resultFiles(_ path: String) throws -> Set<String> {
    let isOne = try DatabaseQueue(path: path).read { db in
      try db.tableExists("result_objects")
        && db.columns(in: "result_objects").contains { $0.name == "kind" }
    }
    if isOne { return try rows(path, "SELECT job_id || ' ' || path FROM result_objects") }
    var files = try rows(
      path,
      """
      SELECT job_id || ' ' || path FROM results WHERE path IS NOT NULL
      UNION ALL SELECT job_id || ' ' || picture_path FROM results WHERE picture_path IS NOT NULL
      """)
    if try hasTable("result_objects", path) {
      files.formUnion(try rows(path, "SELECT job_id || ' ' || path FROM result_objects"))
    }
    return files
  }

  @Test(arguments: versions) func anOlderLedgerIsBroughtUpToDateAndLosesNothing(from version: Int)
    throws
  {
    let folder = try TemporaryFolder()
    let path = try copy(version, in: folder)
    #expect(try self.version(path) == version)
    let ledger = try Ledger(path: path, clock: TimeSource { Date(timeIntervalSince1970: 1000) })
    try ledger.checkIntegrity()
    let (findings, events) = try ledger.checkConsistency()
    #expect(findings == [] && events?.findings == [])
    #expect(try self.version(path) == Schema.migrations.count)
    let before = Self.fixture(version).path
    for (table, sql) in Self.kept where try hasTable(table, before) {
      let rows = try rows(before, sql)
      #expect(try !rows.isEmpty && self.rows(path, sql) == rows, "\(table)")
    }
    #expect(try resultFiles(path) == resultFiles(before))

    // It works: what was interrupted runs again, what waits is sent, with every object.
    #expect(try ledger.rescue() == 1)
    try ledger.resumeProcessing(by: "root", reason: nil)
    let job = try #require(try ledger.claimJob(id: 4))
    try ledger.completeJob(job.id, result: .test(400), destinations: ["pacs"])
    #expect(try ledger.record(ofStudy: "1.1").jobs.count == 8)
    var sent: [String: Int] = [:]
    while let delivery = try ledger.claimDelivery() {
      sent["\(delivery.job) \(delivery.destination)"] = delivery.objects.count
      try ledger.markDelivered(delivery)
    }
    #expect(sent["2 pacs"] == 1 && sent["2 archive"] == 1 && sent["4 pacs"] == 1)
    #expect(try ledger.checkConsistency().findings == [])
  }

  /// The ledger as it was is beside it, whole and for us alone, and an older program can use it.
  @Test(arguments: versions) func aCopyOfBeforeIsKept(version: Int) throws {
    let folder = try TemporaryFolder()
    let path = try copy(version, in: folder)
    _ = try Ledger(path: path)
    let copy = Ledger.copyBefore(version: Schema.migrations.count, of: path)
    guard version < Schema.migrations.count else {
      #expect(!FileManager.default.fileExists(atPath: copy))
      return
    }
    #expect(try self.version(copy) == version)
    let mode = try FileManager.default.attributesOfItem(atPath: copy)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    let older = try Ledger(path: copy, version: version)
    try older.checkIntegrity()
    let sql = "SELECT id || model || state FROM jobs"
    #expect(try rows(copy, sql) == rows(Self.fixture(version).path, sql))
  }

  /// Opened by one version after another, only the last copies stay.
  @Test func olderCopiesAreRemoved() throws {
    let folder = try TemporaryFolder()
    let path = try copy(1, in: folder)
    for version in 2...8 { _ = try Ledger(path: path, version: version) }
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
    #expect(
      names.filter { $0.contains(".before-v") }.sorted()
        == ["ledger.sqlite.before-v6", "ledger.sqlite.before-v7", "ledger.sqlite.before-v8"])
    #expect(!names.contains { $0.contains(".part") })
  }

  /// The ledger stays as it was where its rows do not fit, and the error says so.
  @Test func aMigrationThatFailsLeavesTheLedgerAsItWas() throws {
    let folder = try TemporaryFolder()
    let path = try copy(8, in: folder)
    try Ledger(path: path, version: 8).write { db in
      try db.execute(
        sql: """
          PRAGMA ignore_check_constraints = ON;
          INSERT INTO jobs (id, series_uid, revision, model, result_series_uid, result_sop_uid, state,
            created_at, scheduled_at)
            VALUES (77, '1.1.1', 1, 'm', '2.25.771', '2.25.772', 'unheard of', 1.0, 1.0);
          """)
    }
    let before = try rows(path, Self.kept["jobs"] ?? "")
    let error = #expect(throws: LedgerError.self) { try Ledger(path: path) }
    let text = try #require(error?.description)
    #expect(
      text.contains("could not be brought from version 8 to \(Schema.migrations.count)")
        && text.contains("are as they were"), "\(text)")
    #expect(try version(path) == 8 && rows(path, Self.kept["jobs"] ?? "") == before)
  }

  /// An older program may have it open.
  @Test func aLedgerThatMayNotBeUpgradedStaysAsItIs() throws {
    let folder = try TemporaryFolder()
    let path = try copy(17, in: folder)
    let before = try Data(contentsOf: URL(fileURLWithPath: path))
    let error = #expect(throws: LedgerError.self) { try Ledger(path: path) { false } }
    #expect(
      error == .wouldUpgrade(path: path, from: 17, to: Schema.migrations.count), "\(error as Any)")
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
    #expect(!names.contains { $0.contains("before-v") })
    _ = try Ledger(path: path)
    _ = try Ledger(path: path) { false }
  }

  @Test func aNewerLedgerIsRefusedByItsVersion() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("ledger.sqlite")
    do { try Ledger(path: path).write { try $0.execute(sql: "PRAGMA user_version = 99") } }
    let writing = #expect(throws: LedgerError.self) { try Ledger(path: path) }
    let reading = #expect(throws: LedgerError.self) { try Ledger(reading: path) }
    for error in [writing, reading] {
      let text = try #require(error?.description)
      #expect(text.contains("99") && text.contains("\(Schema.migrations.count)"), "\(text)")
    }
  }

  /// Writes the fixtures: run it with the variable set when a version was added, and keep the older ones.
  @Test(
    .enabled(if: ProcessInfo.processInfo.environment["SEGMENTD_WRITE_LEDGERS"] != nil))
  func writeFixtures() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("ledger.sqlite")
    for version in 1...Schema.migrations.count {
      let ledger = try Ledger(
        path: path, version: version, clock: TimeSource { Date(timeIntervalSince1970: 500) })
      try ledger.write { db in
        try db.execute(sql: LedgerVersions.rows(of: version))
        if version >= 13 {
          try ledger.event(db, "created", by: .rule, series: "1.2.1", job: 9, "v\(version)")
        }
      }
      let target = Self.fixture(version)
      guard !FileManager.default.fileExists(atPath: target.path) else { continue }
      try FileManager.default.createDirectory(at: Self.fixtures, withIntermediateDirectories: true)
      let copy = folder.path("copy.sqlite")
      try ledger.reader.backup(to: DatabaseQueue(path: copy))
      let small = try DatabaseQueue(path: copy)
      try small.writeWithoutTransaction { db in
        _ = try String.fetchOne(db, sql: "PRAGMA journal_mode = DELETE")
        try db.execute(sql: "PRAGMA page_size = 512; VACUUM")
      }
      try small.close()
      try FileManager.default.moveItem(atPath: copy, toPath: target.path)
    }
  }
}
