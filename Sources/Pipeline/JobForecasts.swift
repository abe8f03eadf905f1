import JobLedger
import Synchronization

/// What jobs will take, by those of their models that were computed last.
final class JobForecasts: Sendable {
  private let ledger: Ledger
  private let paces = Mutex<[String: (pace: JobPace, read: ContinuousClock.Instant)]>([:])

  init(ledger: Ledger) { self.ledger = ledger }

  /// - Returns: seconds of computing and bytes of memory, each nil where nothing is known; nil where the ledger cannot be
  ///   read, which shows up elsewhere.
  func forecast(of job: ClaimedJob) -> (seconds: Double?, memory: Int?)? {
    guard let pace = try? pace(of: job.model),
      let all = try? ledger.byteCount(series: [job.seriesInstanceUID])
    else { return nil }
    let bytes = all[job.seriesInstanceUID] ?? 0
    return (pace.seconds(bytes: bytes), pace.memory(bytes: bytes))
  }

  private func pace(of model: String) throws -> JobPace {
    let now = ContinuousClock.now
    let known = paces.withLock { $0[model] }
    if let known, known.read.duration(to: now) < .seconds(known.pace.jobs.isEmpty ? 5 : 60) {
      return known.pace
    }
    let pace = try ledger.pace(model: model)
    paces.withLock { $0[model] = (pace, now) }
    return pace
  }
}
