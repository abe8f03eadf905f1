import GRDB

extension Ledger {
  /// Records which submission of a running job to a cluster counts from now on: the result of no other one is taken.
  ///
  /// - Parameters:
  ///   - name: of the submission, which no other one ever has.
  ///   - job: its number.
  /// - Throws: ``LedgerError/wrongState(job:state:needed:)`` where the job does not run.
  public func record(submission name: String, of job: Int64) throws(LedgerError) {
    try write { db in
      try db.execute(
        sql: "UPDATE attempts SET submission = ? WHERE job_id = ? AND finished_at IS NULL",
        arguments: [name, job])
      guard db.changesCount == 0 else { return }
      let state = try String.fetchOne(
        db, sql: "SELECT state FROM jobs WHERE id = ?", arguments: [job])
      guard let state else { throw LedgerError.unknownJob(job) }
      throw LedgerError.wrongState(job: job, state: state, needed: "running")
    }
  }

  /// The submission of a job to a cluster that was recorded last, by whichever attempt; nil where none was.
  public func submission(ofJob job: Int64) throws(LedgerError) -> String? {
    try read { db in
      try String.fetchOne(
        db,
        sql: """
          SELECT submission FROM attempts WHERE job_id = ? AND submission IS NOT NULL
          ORDER BY number DESC LIMIT 1
          """, arguments: [job])
    }
  }
}
