import JobLedger
import Synchronization

/// Series that wait for the rest of their study, so that their files are not read again until it is
/// quiet or more of them has arrived. It is lost with the process: then they are read once more.
final class WaitingSeries: Sendable {
  private let revisions = Mutex<[String: Int]>([:])

  func contains(_ series: SeriesDue) -> Bool {
    revisions.withLock { $0[series.seriesInstanceUID] == series.revision }
  }

  func insert(_ series: SeriesDue) {
    revisions.withLock { $0[series.seriesInstanceUID] = series.revision }
  }

  func remove(_ series: SeriesDue) {
    revisions.withLock { $0[series.seriesInstanceUID] = nil }
  }
}
