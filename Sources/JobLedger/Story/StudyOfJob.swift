import GRDB

extension Ledger {
  /// The Study Instance UID of a job's series, by which log lines about a study are found; nil where the ledger
  /// does not know the job.
  public func study(ofJob job: Int64) throws(LedgerError) -> String? {
    try read { db in
      try String.fetchOne(
        db, sql: "SELECT study_uid FROM jobs JOIN series USING (series_uid) WHERE jobs.id = ?",
        arguments: [job])
    }
  }

  /// What the audit log says of a result that is sent: its study, and the number of objects by kind.
  public func transfer(ofJob job: Int64, to destination: String) throws(LedgerError)
    -> AuditedRecords.Transfer?
  {
    try read { db in
      try deliveryTransfer(job: job, destination, .began, at: source.wall(), db)
    }
  }
}
