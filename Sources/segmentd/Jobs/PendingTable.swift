import Foundation
import JobLedger

/// Series of which no job is made yet, and what each waits for.
func pendingTable(_ series: [PendingSeries], quietPeriod: TimeInterval) -> String {
  let head = ["SERIES", "MODALITY", "IMAGES", "REFUSED", "LAST CAME", "WAITS FOR"]
  return formatTable(
    [head]
      + series.map {
        [
          $0.seriesInstanceUID, $0.modality.isEmpty ? "-" : $0.modality, "\($0.instances)",
          "\($0.refused)", $0.lastReceivedAt.formatted(.iso8601), $0.waitText(quietPeriod),
        ]
      })
}

extension PendingSeries {
  fileprivate func waitText(_ quietPeriod: TimeInterval) -> String {
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
