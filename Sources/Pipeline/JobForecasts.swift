import JobLedger
import Synchronization

/// How long jobs will take, by those of their models that were computed last.
final class JobForecasts: Sendable {
  private let ledger: Ledger
  private let paces = Mutex<[String: (pace: JobPace, read: ContinuousClock.Instant)]>([:])

  init(ledger: Ledger) { self.ledger = ledger }

  /// - Returns: seconds; nil where nothing is known, or the ledger cannot be read, which shows up elsewhere.
  func seconds(of job: ClaimedJob) -> Double? {
    guard let pace = try? pace(of: job.model),
      let bytes = try? ledger.byteCount(series: [job.seriesInstanceUID])
    else { return nil }
    return pace.seconds(bytes: bytes[job.seriesInstanceUID] ?? 0)
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
