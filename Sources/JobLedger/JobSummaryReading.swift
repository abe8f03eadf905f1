import Foundation
import GRDB

/// The rows of other tables that belong to a page of jobs, each table read once.
private struct JobPage {
  /// By the job that has the result.
  var objects: [Int64: [StoredObject]] = [:]
  var deliveries: [Int64: [JobSummary.Delivery]] = [:]
  /// By their series, the newest first.
  var verdicts: [String: [Row]] = [:]
  /// Whether any refused instance has not arrived since.
  var hasRefusals = false
}

extension Ledger {
  /// What people see of jobs, in the order of the numbers given.
  func summaries(_ ids: [Int64], _ db: Database) throws -> [JobSummary] {
    guard !ids.isEmpty else { return [] }
    let rows = try Row.fetchAll(
      db,
      sql: """
        SELECT jobs.*, series.study_uid, results.summary, results.superseded_by,
          results.measurements, results.model_version, results.same_as,
          ifnull(results.same_as, jobs.id) AS owner,
          (SELECT place FROM attempts
            WHERE attempts.job_id = jobs.id AND attempts.finished_at IS NULL) AS place,
          (SELECT purged_at FROM results AS own
            WHERE own.job_id = ifnull(results.same_as, results.job_id)) AS purged_at,
          (SELECT count(DISTINCT sop_uid) FROM instances
            WHERE instances.series_uid = jobs.series_uid AND instances.revision <= jobs.revision) AS n
        FROM json_each(?) AS page CROSS JOIN jobs ON jobs.id = page.value
          JOIN series ON series.series_uid = jobs.series_uid
          LEFT JOIN results ON results.job_id = jobs.id
        ORDER BY page.key
        """, arguments: [jsonList(ids)])
    let page = try page(of: rows, db)
    return try rows.map { try summary($0, page, db) }
  }

  private func page(of rows: [Row], _ db: Database) throws -> JobPage {
    let owners = jsonList(Set(try rows.map { try $0.value("owner") as Int64 }).sorted())
    let series = jsonList(Set(try rows.map { try $0.value("series_uid") as String }).sorted())
    var page = JobPage()
    let objects = try Row.fetchAll(
      db,
      sql: """
        SELECT * FROM result_objects WHERE job_id IN (SELECT value FROM json_each(?))
        ORDER BY job_id, number
        """, arguments: [owners])
    for row in objects {
      page.objects[try row.value("job_id"), default: []].append(try storedObject(row))
    }
    let sent = try deliveredObjects(ofJobs: owners, db)
    let deliveries = try Row.fetchAll(
      db,
      sql: """
        SELECT * FROM deliveries WHERE job_id IN (SELECT value FROM json_each(?))
        ORDER BY job_id, destination
        """, arguments: [owners])
    for row in deliveries {
      let delivery = try delivery(row, sent[try row.value("id")] ?? [])
      page.deliveries[try row.value("job_id"), default: []].append(delivery)
    }
    let verdicts = try Row.fetchAll(
      db,
      sql: """
        SELECT * FROM verdicts WHERE series_uid IN (SELECT value FROM json_each(?))
        ORDER BY series_uid, id DESC
        """, arguments: [series])
    page.verdicts = try Dictionary(grouping: verdicts) { try $0.value("series_uid") }
    page.hasRefusals =
      try Bool.fetchOne(
        db, sql: "SELECT EXISTS (SELECT 1 FROM refused_instances WHERE resolved_at IS NULL)")
      ?? false
    return page
  }

  private func deliveredObjects(ofJobs owners: String, _ db: Database) throws
    -> [Int64: [DeliveredObject]]
  {
    let rows = try Row.fetchAll(
      db,
      sql: """
        SELECT delivery_objects.* FROM deliveries
          JOIN delivery_objects ON delivery_objects.delivery_id = deliveries.id
          JOIN result_objects ON result_objects.sop_uid = delivery_objects.sop_uid
        WHERE deliveries.job_id IN (SELECT value FROM json_each(?)) ORDER BY delivery_id, number
        """, arguments: [owners])
    return try Dictionary(grouping: rows) { try $0.value("delivery_id") as Int64 }
      .mapValues { try $0.map(deliveredObject) }
  }

  private func delivery(_ row: Row, _ objects: [DeliveredObject]) throws -> JobSummary.Delivery {
    JobSummary.Delivery(
      destination: try row.value("destination"), state: try row.value("state"),
      attempts: try row.value("attempt_count"),
      nextAt: ["waiting", "sent"].contains(try row.value("state") as String)
        ? try date(row, "scheduled_at") : nil,
      sentAt: try optionalDate(row, "sent_at"), deliveredAt: try optionalDate(row, "delivered_at"),
      lastFailure: try (row.value("last_failure") as String?)
        .flatMap(DeliveryFailure.init(rawValue:)),
      lastError: try row.value("last_error"), objects: objects)
  }

  /// The verdict that a job rests on: its own, or else the one on the instances that it is about.
  private func verdict(_ job: Row, among rows: [Row]) throws -> SeriesVerdict? {
    let (id, revision): (Int64, Int) = (try job.value("id"), try job.value("revision"))
    let row =
      try rows.first { try ($0.value("job_id") as Int64?) == id }
      ?? rows.first {
        try ($0.value("job_id") as Int64?) == nil && $0.value("revision") == revision
      }
    return try row.map { try recorded($0).verdict }
  }

  private func summary(_ row: Row, _ page: JobPage, _ db: Database) throws -> JobSummary {
    let series: String = try row.value("series_uid")
    let owner: Int64 = try row.value("owner")
    let measurements: String? = try row.value("measurements")
    let verdict = try verdict(row, among: page.verdicts[series] ?? [])
    let state: String = try row.value("state")
    return JobSummary(
      id: try row.value("id"), state: state, model: try row.value("model"),
      volume: try ChosenVolume(row),
      studyInstanceUID: try row.value("study_uid"),
      seriesInstanceUID: series, instances: try row.value("n"),
      attempts: try row.value("attempt_count"), priority: try row.value("priority"),
      createdAt: try date(row, "created_at"),
      nextAt: ["available", "retryable"].contains(state) ? try date(row, "scheduled_at") : nil,
      finishedAt: try optionalDate(row, "finished_at"),
      reason: try row.value("reason"), verdict: verdict?.kind,
      verdictReasons: verdict?.reasons ?? [], volumes: verdict?.volumes ?? [],
      summary: try row.value("summary"),
      measurements: try measurements.map {
        try JSONDecoder().decode([ResultMeasurement].self, from: Data($0.utf8))
      } ?? [],
      modelVersion: try row.value("model_version"), objects: page.objects[owner] ?? [],
      purgedAt: try optionalDate(row, "purged_at"),
      resultSeriesInstanceUID: try row.value("result_series_uid"),
      sameResultAs: try row.value("same_as"),
      modelSHA256: try row.value("model_sha256"), supersededBy: try row.value("superseded_by"),
      deliveries: page.deliveries[owner] ?? [], place: try place(row),
      reprocessing: try row.value("reprocessing_id"),
      refusedInstances: state == "held" && page.hasRefusals
        ? try refusals(of: series, onlyUnresolved: true, db) : [])
  }
}
