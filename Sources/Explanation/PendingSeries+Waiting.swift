import Foundation
import JobLedger

extension PendingSeries {
  /// What it waits for, for people.
  ///
  /// - Parameter times: of the configuration.
  public func waitText(_ times: WaitingTimes) -> String {
    if let sender { return "the end of the association of \(sender)" }
    if !isAskedAbout, let reason { return reason }
    let quiet = lastReceivedAt + (waitsForMissing ? times.missingPeriod : times.quietPeriod)
    if quiet > Date() {
      return (waitsForMissing ? "what is missing" : "more")
        + ", until nothing has come at \(quiet.formatted(.iso8601))"
    }
    guard isAskedAbout else { return "its assembly, by a daemon" }
    let next = askedNextAt.map { ", asked again at \($0.formatted(.iso8601))" } ?? ""
    return "the query source\(next)" + (reason.map { ": \($0)" } ?? "")
  }
}
