import JobLedger

extension Ledger {
  /// By which all log lines about a study are found: the Study Instance UID of a job. The log waits for nothing:
  /// where the ledger cannot be read, it is "unknown".
  func studyForLog(ofJob job: Int64) -> String { ((try? study(ofJob: job)) ?? nil) ?? "unknown" }
}
