import Foundation
import JobLedger

extension PendingSeries {
  /// What it waits for, for people.
  ///
  /// - Parameter quietPeriod: seconds without an instance after which a series is assembled.
  public func waitText(_ quietPeriod: TimeInterval) -> String {
    if let sender { return "the end of the association of \(sender)" }
    let quiet = lastReceivedAt + quietPeriod
    if quiet > Date() {
      return "more, until nothing has come at \(quiet.formatted(.iso8601))"
    }
    guard isAskedAbout else { return "its assembly, by a daemon" }
    let next = askedNextAt.map { ", asked again at \($0.formatted(.iso8601))" } ?? ""
    return "the query source\(next)" + (reason.map { ": \($0)" } ?? "")
  }
}
