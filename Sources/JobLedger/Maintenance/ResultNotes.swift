import FileSystem
import Foundation
import GRDB

/// What the ledger knows of a result, as it is kept next to the files of the result: from these a lost
/// ledger learns again what was made and what arrived.
public struct ResultNote: Sendable, Codable, Equatable {
  /// A destination that has the result.
  public struct Delivered: Sendable, Codable, Equatable {
    public var destination: String
    public var at: Date
    /// SOP Instance UIDs of what it has; nil in a note of an older version.
    public var objects: [String]?
    /// SOP Instance UIDs of what it declined; nil where there is none.
    public var declined: [String]?
    /// Whether its arrival was proved, or no proof is asked for; nil in a note of an older version.
    public var isProved: Bool?
  }

  /// A further series that the job was about.
  public struct Input: Sendable, Codable, Equatable {
    /// The model's channel; nil for a series of one stack with the job's.
    public var channel: String?
    public var seriesInstanceUID: String
    public var modality: String
  }

  /// A series of the study that a rule compared with the job's.
  public struct Alternative: Sendable, Codable, Equatable {
    public var seriesInstanceUID: String
    public var isBetter: Bool
  }

  /// In the folder of the result.
  public static let fileName = "result.json"

  public var job: Int64
  public var studyInstanceUID: String
  public var seriesInstanceUID: String
  public var modality: String
  public var model: String
  public var modelVersion: String
  public var modelSHA256: String?
  public var fingerprint: String?
  public var isForced: Bool
  public var resultStudyInstanceUID: String?
  public var resultSeriesInstanceUID: String?
  public var replacedStudyInstanceUID: String?
  public var replacedSeriesInstanceUID: String?
  public var createdAt: Date
  public var finishedAt: Date
  public var summary: String
  public var measurements: [ResultMeasurement]
  public var objects: [StoredObject]
  public var delivered: [Delivered]
  /// The volume that was chosen; nil for the only one.
  public var volume: ChosenVolume?
  /// Nil in a note of an older version.
  public var inputs: [Input]?
  /// How many instances the job's series had, by Series Instance UID, as far as none has come since; nil in a
  /// note of an older version.
  public var instanceCounts: [String: Int]?
  public var alternatives: [Alternative]?

  /// Of the files, relative to the state directory; nil where they are not all in one folder.
  public var folder: String? {
    let folders = Set(objects.map { ($0.path as NSString).deletingLastPathComponent })
    return folders.count == 1 ? folders.first : nil
  }
}

extension Ledger {
  /// Notes of results that have files.
  ///
  /// - Parameter jobs: of these jobs, or those whose result is theirs; nil for all.
  public func resultNotes(ofJobs jobs: [Int64]? = nil) throws(LedgerError) -> [ResultNote] {
    try read { db in
      let owners =
        try jobs.map { jobs in
          try Set(
            jobs.compactMap { job in
              try Int64.fetchOne(
                db, sql: "SELECT ifnull(same_as, job_id) FROM results WHERE job_id = ?",
                arguments: [job])
            }
          ).sorted()
        }
        ?? Int64.fetchAll(
          db, sql: "SELECT job_id FROM results WHERE same_as IS NULL AND purged_at IS NULL")
      return try owners.compactMap { try note(ofJob: $0, db) }
    }
  }

  /// Jobs whose result, or what became of it, is newer than an event.
  ///
  /// - Parameter event: the last one that was seen.
  /// - Returns: the jobs, and the last event now.
  public func resultsChanged(after event: Int64) throws(LedgerError) -> (
    jobs: [Int64], event: Int64
  ) {
    try read { db in
      let jobs = try Int64.fetchAll(
        db,
        sql: """
          SELECT DISTINCT job_id FROM events
          WHERE id > ? AND kind IN ('completed', 'sent', 'delivered') AND job_id IS NOT NULL
          """, arguments: [event])
      return (jobs, try EventChain.head(db).event)
    }
  }

  private func note(ofJob job: Int64, _ db: Database) throws -> ResultNote? {
    let row = try Row.fetchOne(
      db,
      sql: """
        SELECT jobs.*, series.study_uid, series.modality, results.model_version, results.summary,
          results.measurements, results.study_uid AS result_study
        FROM results JOIN jobs ON jobs.id = results.job_id JOIN series USING (series_uid)
        WHERE results.job_id = ? AND results.purged_at IS NULL
        """, arguments: [job])
    guard let row, let finished = try optionalDate(row, "finished_at") else { return nil }
    let objects = try objects(job: job, db)
    guard !objects.isEmpty else { return nil }
    let measurements: String? = try row.value("measurements")
    let delivered = try Row.fetchAll(
      db,
      sql: """
        SELECT id, destination, ifnull(delivered_at, sent_at) AS arrived_at,
          state = 'delivered' AS is_proved FROM deliveries
        WHERE job_id = ? AND state IN ('sent', 'delivered') ORDER BY destination
        """, arguments: [job])
    return ResultNote(
      job: job, studyInstanceUID: try row.value("study_uid"),
      seriesInstanceUID: try row.value("series_uid"), modality: try row.value("modality"),
      model: try row.value("model"), modelVersion: try row.value("model_version"),
      modelSHA256: try row.value("model_sha256"), fingerprint: try row.value("fingerprint"),
      isForced: try row.value("is_forced"), resultStudyInstanceUID: try row.value("result_study"),
      resultSeriesInstanceUID: try row.value("result_series_uid"),
      replacedStudyInstanceUID: try row.value("replaced_study"),
      replacedSeriesInstanceUID: try row.value("replaced_series"),
      createdAt: try date(row, "created_at"), finishedAt: finished,
      summary: try row.value("summary"),
      measurements: try measurements.map {
        try JSONDecoder().decode([ResultMeasurement].self, from: Data($0.utf8))
      } ?? [],
      objects: objects,
      delivered: try delivered.map {
        let sent = try deliveredObjects(try $0.value("id"), db)
        let declined = sent.filter { $0.declinedAt != nil }.map(\.sopInstanceUID)
        return ResultNote.Delivered(
          destination: try $0.value("destination"), at: try date($0, "arrived_at"),
          objects: sent.filter { $0.declinedAt == nil }.map(\.sopInstanceUID),
          declined: declined.isEmpty ? nil : declined, isProved: try $0.value("is_proved"))
      },
      volume: try ChosenVolume(row), inputs: try inputs(ofJob: job, db),
      instanceCounts: try instanceCounts(ofJob: job, db),
      alternatives: try Row.fetchAll(
        db, sql: "SELECT * FROM job_alternatives WHERE job_id = ? ORDER BY position",
        arguments: [job]
      ).map {
        ResultNote.Alternative(
          seriesInstanceUID: try $0.value("series_uid"), isBetter: try $0.value("is_better"))
      })
  }

  private func instanceCounts(ofJob job: Int64, _ db: Database) throws -> [String: Int] {
    let rows = try Row.fetchAll(
      db,
      sql: """
        SELECT series_uid, (SELECT count(DISTINCT sop_uid) FROM instances
          WHERE instances.series_uid = series.series_uid) AS n
        FROM (SELECT series_uid, revision FROM jobs WHERE id = ?1
          UNION ALL SELECT series_uid, revision FROM job_inputs WHERE job_id = ?1) AS input
        JOIN series USING (series_uid) WHERE input.revision = series.revision
        """, arguments: [job])
    return Dictionary(
      try rows.map { (try $0.value("series_uid") as String, try $0.value("n") as Int) },
      uniquingKeysWith: { first, _ in first })
  }

  private func inputs(ofJob job: Int64, _ db: Database) throws -> [ResultNote.Input] {
    try Row.fetchAll(
      db,
      sql: """
        SELECT job_inputs.*, modality FROM job_inputs JOIN series USING (series_uid)
        WHERE job_id = ? ORDER BY position
        """, arguments: [job]
    ).map {
      let channel: String = try $0.value("channel")
      return ResultNote.Input(
        channel: channel.isEmpty ? nil : channel, seriesInstanceUID: try $0.value("series_uid"),
        modality: try $0.value("modality"))
    }
  }
}

/// A lost ledger is rebuilt from what is on disk.
extension Ledger {
  /// Has jobs that are made from now on get higher numbers: folders of results are named by them.
  public func reserveJobs(upTo number: Int64) throws(LedgerError) {
    try write { db in
      try db.execute(
        sql: "UPDATE sqlite_sequence SET seq = max(ifnull(seq, 0), ?) WHERE name = 'jobs'",
        arguments: [number])
      guard db.changesCount == 0 else { return }
      try db.execute(
        sql: "INSERT INTO sqlite_sequence (name, seq) VALUES ('jobs', ?)", arguments: [number])
    }
  }

  /// Takes up a result whose files are on disk as they were proved, with its job and with where it
  /// arrived. Take them up in the order of their jobs.
  ///
  /// A job of the same images, model and settings comes to this result: it is not computed, and not
  /// sent again to where it arrived.
  ///
  /// - Returns: whether it was not in the ledger.
  public func takeUp(_ note: ResultNote) throws(LedgerError) -> Bool {
    try write { db in
      let isKnown = try Bool.fetchOne(
        db, sql: "SELECT EXISTS (SELECT 1 FROM jobs WHERE id = ?)", arguments: [note.job])
      guard isKnown == false, try !hasObjects(of: note, db) else { return false }
      // Where it was computed again meanwhile, that result counts.
      let newerResult = try Int64.fetchOne(
        db,
        sql: """
          SELECT max(job_id) FROM results JOIN jobs ON jobs.id = job_id
          WHERE series_uid = ? AND model = ? AND jobs.id > ?
          """, arguments: [note.seriesInstanceUID, note.model, note.job])
      try insertSeries(of: note, db)
      try insertJob(of: note, db)
      let ended = EndedJob(series: note.seriesInstanceUID, model: note.model)
      let newer = try newerResult ?? betterResult(than: note.job, of: ended, db)
      try db.execute(
        sql: """
          INSERT INTO results (job_id, model_version, summary, measurements, created_at, study_uid,
            superseded_by)
          VALUES (?, ?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          note.job, note.modelVersion, note.summary, try Self.json(note.measurements),
          time(of: note.finishedAt), note.resultStudyInstanceUID, newer,
        ])
      try insert(note.objects, job: note.job, db)
      for delivered in note.delivered { try insert(delivered, of: note, db) }
      try event(
        db, "taken up", by: .program, series: note.seriesInstanceUID, job: note.job,
        "the result was on disk and not in the ledger: \(note.summary)")
      if newer == nil {
        try supersede(
          olderThan: note.job, series: note.seriesInstanceUID, model: note.model, but: nil, db)
        for series in try outdoneSeries(note.job, of: ended, db) {
          try supersede(by: note.job, series: series, model: note.model, db)
        }
      }
      return true
    }
  }

  /// Whether another result has an object of the note, as where the job was computed again.
  private func hasObjects(of note: ResultNote, _ db: Database) throws -> Bool {
    try note.objects.compactMap(\.sopInstanceUID).contains { uid in
      try Bool.fetchOne(
        db, sql: "SELECT EXISTS (SELECT 1 FROM result_objects WHERE sop_uid = ?)", arguments: [uid])
        ?? false
    }
  }

  private func insert(_ delivered: ResultNote.Delivered, of note: ResultNote, _ db: Database) throws
  {
    let arrivedAt = time(of: delivered.at)
    try db.execute(
      sql: """
        INSERT INTO deliveries (job_id, destination, state, attempt_count, scheduled_at, sent_at,
          delivered_at)
        VALUES (?1, ?2, iif(?4, 'delivered', 'sent'), 1, iif(?4, ?3, ?5), ?3, iif(?4, ?3, NULL))
        """,
      // What was not proved is asked for once more.
      arguments: [
        note.job, delivered.destination, arrivedAt, delivered.isProved ?? false, now,
      ])
    let delivery = db.lastInsertedRowID
    for object in note.objects where object.kind.isSent {
      guard let uid = object.sopInstanceUID else { continue }
      let isDeclined = delivered.declined?.contains(uid) ?? false
      guard isDeclined || delivered.objects.map({ $0.contains(uid) }) ?? true else { continue }
      try db.execute(
        sql: """
          INSERT INTO delivery_objects (delivery_id, sop_uid, arrived_at, declined_at)
          VALUES (?1, ?2, iif(?4, NULL, ?3), iif(?4, ?3, NULL))
          """,
        arguments: [delivery, uid, arrivedAt, isDeclined])
    }
  }

  private func insertSeries(of note: ResultNote, _ db: Database) throws {
    try db.execute(
      sql: "INSERT INTO studies (study_uid, created_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
      arguments: [note.studyInstanceUID, now])
    let series =
      [(note.seriesInstanceUID, note.modality)]
      + (note.inputs ?? []).map { ($0.seriesInstanceUID, $0.modality) }
    for (uid, modality) in series {
      try db.execute(
        sql: """
          INSERT INTO series (series_uid, study_uid, modality, last_received_at) VALUES (?, ?, ?, ?)
          ON CONFLICT DO NOTHING
          """, arguments: [uid, note.studyInstanceUID, modality, now])
    }
  }

  /// About what is here of the series now: what it was then is not known.
  private func insertJob(of note: ResultNote, _ db: Database) throws {
    try db.execute(
      sql: """
        INSERT INTO jobs (id, series_uid, revision, model, state, created_at, scheduled_at,
          finished_at, is_forced, fingerprint, model_sha256, result_series_uid, replaced_study,
          replaced_series, volume, volume_cause)
        SELECT ?1, series_uid, revision, ?2, 'completed', ?3, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?12, ?13
        FROM series WHERE series_uid = ?11
        """,
      arguments: [
        note.job, note.model, time(of: note.createdAt),
        time(of: note.finishedAt), note.isForced, note.fingerprint, note.modelSHA256,
        note.resultSeriesInstanceUID, note.replacedStudyInstanceUID,
        note.replacedSeriesInstanceUID, note.seriesInstanceUID, note.volume?.name,
        note.volume?.cause.rawValue,
      ])
    let inputs = (note.inputs ?? []).map {
      NewJob.Input(channel: $0.channel, seriesInstanceUID: $0.seriesInstanceUID)
    }
    try insert(inputs, job: note.job, db)
    let alternatives = (note.alternatives ?? []).map {
      NewJob.Alternative(seriesInstanceUID: $0.seriesInstanceUID, isBetter: $0.isBetter)
    }
    try insert(alternatives, job: note.job, db)
  }
}
