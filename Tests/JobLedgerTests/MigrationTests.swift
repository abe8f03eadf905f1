import Foundation
import TestSupport
import Testing

@testable import JobLedger

/// Ledgers that older versions wrote.
@Suite struct MigrationTests {
  /// A ledger in which results had one object, further ones in a table of their own, and a picture:
  /// job 1 two phases, being delivered; job 2 one object, superseded by job 3; job 3 found nothing.
  private func makeLedgerWithFurtherObjects(_ path: String) throws {
    let hash = { (digit: String) in String(repeating: digit, count: 64) }
    try Ledger(path: path, version: 3).write { db in
      try db.execute(
        sql: """
          INSERT INTO studies VALUES ('1.2', 1.0);
          INSERT INTO series VALUES ('1.2.3', '1.2', 'MR', 1, 1, 1.0), ('1.2.4', '1.2', 'CT', 1, 1, 1.0);
          INSERT INTO jobs (series_uid, revision, model, result_series_uid, result_sop_uid, state,
            attempt_count, created_at, scheduled_at, finished_at, reason) VALUES
            ('1.2.3', 1, 'cine', '2.25.1', '2.25.2', 'completed', 1, 1.0, 1.0, 2.0, NULL),
            ('1.2.4', 1, 'm', '2.25.3', '2.25.4', 'completed', 1, 1.0, 1.0, 2.0, NULL),
            ('1.2.4', 1, 'm', '2.25.5', '2.25.6', 'completed', 1, 1.0, 1.0, 3.0, NULL);
          INSERT INTO results (job_id, sop_uid, path, sha256, picture_path, model_version, summary,
            created_at, superseded_by, measurements) VALUES
            (1, '2.25.2', 'results/1/segmentation-phase-01.dcm', '\(hash("a"))',
              'results/1/contours-phase-01.png', '1.0', 'two phases', 2.0, NULL,
              '[{"name":"LV ejection fraction","unit":"%","value":60}]'),
            (2, '2.25.4', 'results/2/segmentation.dcm', '\(hash("b"))', 'results/2/contours.png',
              '1.0', 'liver', 2.0, 3, NULL),
            (3, NULL, NULL, NULL, 'results/3/contours.png', '1.1', 'nothing', 3.0, NULL, NULL);
          INSERT INTO result_objects VALUES
            (1, 3, '2.25.8', 'results/1/segmentation-phase-20.dcm', '\(hash("d"))'),
            (1, 2, '2.25.7', 'results/1/segmentation-phase-09.dcm', '\(hash("c"))');
          INSERT INTO deliveries (job_id, destination, state, attempt_count, scheduled_at,
            delivered_at, last_failure, last_error) VALUES
            (1, 'pacs', 'waiting', 4, 5.0, NULL, 'unreachable', 'no answer'),
            (2, 'pacs', 'delivered', 1, 2.0, 2.5, NULL, NULL);
          """)
    }
  }

  @Test func resultsBecomeOneListOfObjects() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("ledger.sqlite")
    try makeLedgerWithFurtherObjects(path)
    let ledger = try Ledger(path: path)
    try ledger.checkIntegrity()
    let jobs = try ledger.jobs()
    #expect(
      jobs.map { $0.objects.map(\.kind.rawValue) } == [
        ["seg", "seg", "seg", "picture"], ["seg", "picture"], ["picture"],
      ])
    #expect(
      jobs[0].objects.map(\.sopInstanceUID) == ["2.25.2", "2.25.7", "2.25.8", nil])
    #expect(
      jobs[0].objects.map(\.path) == [
        "results/1/segmentation-phase-01.dcm", "results/1/segmentation-phase-09.dcm",
        "results/1/segmentation-phase-20.dcm", "results/1/contours-phase-01.png",
      ])
    #expect(jobs[0].objects.map { $0.sha256?.first } == ["a", "c", "d", nil])
    #expect(jobs[0].measurements.map(\.value) == [60])
    #expect(jobs.map(\.summary) == ["two phases", "liver", "nothing"])
    #expect(jobs.map(\.modelVersion) == ["1.0", "1.0", "1.1"])
    #expect(jobs.map(\.supersededBy) == [nil, 3, nil])
  }

  /// What waited for its destination still does, with every object; what arrived is not sent again.
  @Test func deliveriesGoOn() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("ledger.sqlite")
    try makeLedgerWithFurtherObjects(path)
    let ledger = try Ledger(path: path)
    #expect(try ledger.deliveryCounts() == ["waiting": 1, "delivered": 1])
    let delivery = try #require(try ledger.claimDelivery())
    #expect(delivery.job == 1 && delivery.attempt == 5)
    #expect(delivery.objects.map(\.sopInstanceUID) == ["2.25.2", "2.25.7", "2.25.8"])
    try ledger.markDelivered(delivery)
    #expect(try ledger.claimDelivery() == nil)
  }

  /// Jobs keep their numbers and histories; a result of before is one that a new one replaces by its UID.
  @Test func olderResultsAreReplacedByTheirUIDs() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("ledger.sqlite")
    try makeLedgerWithFurtherObjects(path)
    let ledger = try Ledger(path: path)
    #expect(try ledger.jobs().map(\.resultSeriesInstanceUID) == ["2.25.1", "2.25.3", "2.25.5"])
    let id = try ledger.reprocess(series: "1.2.4", job: NewJob(model: "m"))
    #expect(id == 4)
    _ = try ledger.claimJob(id: id)
    let hash = String(repeating: "f", count: 64)
    let earlier = try ledger.earlierResults(
      job: id, JobIdentity(fingerprint: hash, modelSHA256: hash))
    // Job 3 found nothing.
    let replaced = EarlierResults.Series(studyInstanceUID: "1.2", seriesInstanceUID: "2.25.3")
    #expect(earlier == EarlierResults(replaced: replaced))
    #expect(throws: LedgerError.self) {
      try ledger.write { try $0.execute(sql: "UPDATE jobs SET state = 'available' WHERE id = 1") }
    }
  }

  /// The rebuilt tables are guarded as they were, and foreign keys are on again.
  @Test(arguments: [
    "DELETE FROM results WHERE job_id = 1",
    "INSERT INTO results (job_id, model_version, summary, created_at) VALUES (99, '1', 'x', 1.0)",
    "INSERT INTO result_objects VALUES (99, 1, 'picture', NULL, 'x', NULL)",
    "INSERT INTO result_objects VALUES (3, 2, 'seg', '2.25.2', 'x', '\(String(repeating: "e", count: 64))')",
    "INSERT INTO result_objects VALUES (3, 2, 'seg', NULL, 'x', '\(String(repeating: "e", count: 64))')",
    "INSERT INTO result_objects VALUES (3, 2, 'seg', '2.25.9', 'x', NULL)",
    "UPDATE result_objects SET sha256 = 'short' WHERE number = 1",
  ])
  func theRebuiltTablesRefuse(statement: String) throws {
    let folder = try TemporaryFolder()
    let path = folder.path("ledger.sqlite")
    try makeLedgerWithFurtherObjects(path)
    let ledger = try Ledger(path: path)
    #expect(throws: LedgerError.self) { try ledger.write { try $0.execute(sql: statement) } }
  }

  /// A row that refers to nothing, as damage may leave it, stops the migration and is not lost.
  @Test func aMigrationThatWouldLoseARowIsUndone() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("ledger.sqlite")
    try makeLedgerWithFurtherObjects(path)
    try Ledger(path: path, version: 3).write { db in
      try db.execute(
        sql: """
          PRAGMA writable_schema = 1;
          UPDATE sqlite_schema SET sql = replace(sql, 'REFERENCES results', '')
            WHERE name = 'deliveries';
          """)
    }
    do {
      try Ledger(path: path, version: 3).write { db in
        try db.execute(
          sql: """
            INSERT INTO deliveries (job_id, destination, state, scheduled_at)
              VALUES (77, 'pacs', 'waiting', 1.0);
            PRAGMA writable_schema = 1;
            UPDATE sqlite_schema SET sql =
              replace(sql, 'job_id        INTEGER NOT NULL', 'job_id INTEGER NOT NULL REFERENCES results')
              WHERE name = 'deliveries';
            """)
      }
    }
    #expect(throws: LedgerError.self) { try Ledger(path: path) }
    let older = try Ledger(path: path, version: 3)
    #expect(
      try older.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM result_objects") } == 2)
  }
}

/// Deliveries of a version that knew nothing of their objects.
@Suite struct DeliveryMigrationTests {
  @Test func objectsOfWhatWasDeliveredHaveArrived() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("ledger.sqlite")
    let version = try #require(Schema.migrations.firstIndex(of: Schema.verifiedDelivery))
    try Ledger(path: path, version: version).write { db in
      let hash = String(repeating: "a", count: 64)
      try db.execute(
        sql: """
          INSERT INTO studies VALUES ('1.2', 1.0);
          INSERT INTO series (series_uid, study_uid, modality, revision, assembled_revision,
            last_received_at) VALUES ('1.2.3', '1.2', 'CT', 1, 1, 1.0);
          INSERT INTO jobs (series_uid, revision, model, state, created_at, scheduled_at, finished_at)
            VALUES ('1.2.3', 1, 'm', 'completed', 1.0, 1.0, 2.0);
          INSERT INTO results (job_id, model_version, summary, created_at) VALUES (1, '1', 'x', 2.0);
          INSERT INTO result_objects VALUES (1, 1, 'seg', '2.25.1', 'a', '\(hash)'),
            (1, 2, 'seg', '2.25.2', 'b', '\(hash)'), (1, 3, 'picture', NULL, 'c', '\(hash)');
          INSERT INTO deliveries (job_id, destination, state, attempt_count, scheduled_at,
            delivered_at, last_error) VALUES (1, 'pacs', 'delivered', 1, 2.0, 2.5, NULL),
            (1, 'away', 'waiting', 3, 2.0, NULL, 'no answer'),
            (1, 'strict', 'held', 1, 2.0, NULL, '0xA900');
          """)
    }
    let ledger = try Ledger(path: path)
    let deliveries = try ledger.job(1).job.deliveries
    #expect(deliveries.map(\.destination) == ["away", "pacs", "strict"])
    #expect(deliveries.map(\.state) == ["waiting", "delivered", "held"])
    let arrived = Date(timeIntervalSince1970: 2.5)
    #expect(deliveries[1].objects.map(\.arrivedAt) == [arrived, arrived])
    #expect(deliveries[1].sentAt == arrived)
    for index in [0, 2] {
      #expect(deliveries[index].objects.map(\.sopInstanceUID) == ["2.25.1", "2.25.2"])
      #expect(deliveries[index].objects.allSatisfy { $0.arrivedAt == nil })
    }
    let delivery = try #require(try ledger.claimDelivery())
    #expect(delivery.destination == "away" && delivery.objects.count == 2)
  }
}
