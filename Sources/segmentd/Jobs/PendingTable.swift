import Explanation
import Foundation
import JobLedger

/// Series of which no job is made yet, and what each waits for.
func pendingTable(_ series: [PendingSeries], _ times: WaitingTimes) -> String {
  let head = ["SERIES", "MODALITY", "IMAGES", "REFUSED", "LAST CAME", "WAITS FOR"]
  return formatTable(
    [head]
      + series.map {
        [
          $0.seriesInstanceUID, $0.modality.isEmpty ? "-" : $0.modality, "\($0.instances)",
          "\($0.refused)", $0.lastReceivedAt.formatted(.iso8601), $0.waitText(times),
        ]
      })
}
