import Foundation
import GRDB

extension Ledger {
  /// All that is known of a study, or of one of its series, as it is at one moment.
  ///
  /// - Parameters:
  ///   - study: Study Instance UID.
  ///   - only: Series Instance UID; nil for all of the study.
  /// - Throws: ``LedgerError/unknownStudy(_:)`` or ``LedgerError/unknownSeries(series:study:)``.
  public func record(ofStudy study: String, only: String? = nil) throws(LedgerError) -> StudyRecord
  {
    try read { db in
      let rows = try Row.fetchAll(db, sql: StudyQueries.series, arguments: [study])
      guard !rows.isEmpty else { throw LedgerError.unknownStudy(study) }
      let series = try rows.map { try self.series($0, db) }
        .filter { only == nil || $0.seriesInstanceUID == only }
      guard !series.isEmpty else {
        throw LedgerError.unknownSeries(series: only ?? "", study: study)
      }
      let uids = series.map(\.seriesInstanceUID)
      let jobs = try uids.flatMap { try self.jobs(ofSeries: $0, db) }.sorted {
        $0.job.id < $1.job.id
      }
      return StudyRecord(
        studyInstanceUID: study, series: series, jobs: jobs,
        refusals: try refusals(study: study, series: uids, db),
        commitments: try commitments(series: uids, db),
        events: try events(series: uids, jobs: jobs.map(\.job.id), db),
        processing: try processingState(db))
    }
  }

  private func series(_ row: Row, _ db: Database) throws -> StudyRecord.Series {
    let uid: String = try row.value("series_uid")
    let (revision, assembled): (Int, Int) = (
      try row.value("revision"), try row.value("assembled_revision")
    )
    return StudyRecord.Series(
      seriesInstanceUID: uid, modality: try row.value("modality"),
      instances: try Int.fetchOne(db, sql: StudyQueries.instanceCount, arguments: [uid]) ?? 0,
      lastReceivedAt: try date(row, "last_received_at"), isAssembled: assembled == revision,
      isHeldAsIncomplete: try row.value("held_as_incomplete"),
      handover: try handoverText(series: uid, db),
      associations: try associations(series: uid, db),
      arrivals: try Row.fetchAll(db, sql: StudyQueries.arrivals, arguments: [uid]).map {
        let source: String = try $0.value("source")
        return StudyRecord.Arrival(
          source: InstanceSource(rawValue: source) ?? .command,
          callingAETitle: try $0.value("calling_ae"), instances: try $0.value("n"),
          byteCount: try $0.value("bytes"), firstAt: try date($0, "first_at"),
          lastAt: try date($0, "last_at"))
      },
      completeness: try Row.fetchOne(db, sql: StudyQueries.completeness, arguments: [uid]).map {
        StudyRecord.Completeness(
          state: try $0.value("state"), attempts: try $0.value("attempt_count"),
          firstAt: try date($0, "first_at"), nextAt: try date($0, "scheduled_at"),
          listed: try $0.value("listed"), reason: try $0.value("reason"))
      },
      verdicts: try verdicts(series: uid, db), purgedAt: try optionalDate(row, "purged_at"),
      purgedInstances: try Int.fetchOne(db, sql: StudyQueries.purgedCount, arguments: [uid]) ?? 0)
  }

  private func jobs(ofSeries series: String, _ db: Database) throws -> [StudyRecord.Job] {
    try Row.fetchAll(db, sql: StudyQueries.jobs, arguments: [series]).compactMap { row in
      let id: Int64 = try row.value("id")
      guard let job = try summary(job: id, db)?.withoutFiles else { return nil }
      let isWaiting = Self.waitingStates.contains(job.state)
      let due: Double = try row.value("scheduled_at")
      let priority: Int = try row.value("priority")
      return StudyRecord.Job(
        job: job, attempts: try attempts(job: id, db), dueAt: date(due),
        jobsAhead: isWaiting
          ? try Int.fetchOne(db, sql: StudyQueries.jobsAhead, arguments: [priority, due]) ?? 0 : 0,
        waitingDeliveries: try Row.fetchAll(
          db, sql: StudyQueries.deliveries, arguments: [job.sameResultAs ?? id]
        ).map {
          StudyRecord.WaitingDelivery(
            destination: try $0.value("destination"), state: try $0.value("state"),
            attempts: try $0.value("attempt_count"), questions: try $0.value("proof_count"),
            nextAt: try date($0, "scheduled_at"), lastError: try $0.value("last_error"))
        })
    }
  }

  /// Files of watch folders are not named: their names may be a patient's.
  private func refusals(study: String, series: [String], _ db: Database) throws -> [RefusalRecord] {
    var rows = try Row.fetchAll(db, sql: StudyQueries.refusalsOfStudy, arguments: [study])
    for uid in series {
      rows += try Row.fetchAll(db, sql: StudyQueries.refusals, arguments: [uid])
    }
    var found: [Int64: RefusalRecord] = [:]
    for row in rows {
      found[try row.value("id")] = try refusal(row).withoutFile
    }
    return found.sorted { $0.key < $1.key }.map(\.value)
  }

  private func commitments(series: [String], _ db: Database) throws -> [StudyRecord.Commitment] {
    var found: [Int64: StudyRecord.Commitment] = [:]
    for uid in series {
      for row in try Row.fetchAll(db, sql: StudyQueries.commitments, arguments: [uid]) {
        let id: Int64 = try row.value("id")
        var commitment =
          try found[id]
          ?? StudyRecord.Commitment(
            transactionUID: row.value("transaction_uid"),
            callingAETitle: row.value("calling_ae"), peerAddress: row.value("peer_address"),
            requestedAt: date(row, "requested_at"), state: row.value("state"),
            attempts: row.value("attempt_count"), nextAt: date(row, "scheduled_at"),
            reportedAt: optionalDate(row, "reported_at"), lastError: row.value("last_error"),
            references: 0, failed: 0)
        commitment.references += 1
        if try row.value("is_missing") { commitment.failed += 1 }
        found[id] = commitment
      }
    }
    return found.sorted { $0.key < $1.key }.map(\.value)
  }

  private func events(series: [String], jobs: [Int64], _ db: Database) throws
    -> [StudyRecord.Event]
  {
    let rows =
      try series.flatMap { try Row.fetchAll(db, sql: StudyQueries.events, arguments: [$0]) }
      + jobs.flatMap { try Row.fetchAll(db, sql: StudyQueries.eventsOfJob, arguments: [$0]) }
    return try rows.map { row in
      (
        try row.value("id") as Int64,
        StudyRecord.Event(
          at: try eventDate(row), kind: try row.value("kind"),
          seriesInstanceUID: try row.value("series_uid"), job: try row.value("job_id"),
          cause: EventCause(try row.value("cause")), message: try row.value("message"))
      )
    }.sorted { $0.0 < $1.0 }.map(\.1)
  }
}
