import Clocks
import Foundation
import Synchronization
import TestSupport

@testable import JobLedger

/// A clock that a test sets.
final class ManualClock: Sendable {
  private let time = Mutex(Date(timeIntervalSince1970: 1_800_000_000))

  var now: Date { time.withLock { $0 } }
  var steady: SteadyTime { SteadyTime(seconds: now.timeIntervalSince1970) }
  func advance(_ seconds: TimeInterval) { time.withLock { $0 += seconds } }
}

/// A ledger in a folder of its own.
struct LedgerFixture {
  let folder: TemporaryFolder
  let clock = ManualClock()
  let ledger: Ledger

  var path: String { folder.url.appendingPathComponent("ledger.sqlite").path }

  init() throws {
    folder = try TemporaryFolder()
    let clock = clock
    ledger = try Ledger(
      path: folder.url.appendingPathComponent("ledger.sqlite").path, clock: TimeSource { clock.now }
    )
  }

  /// The same file through another connection, as another process has it.
  func reopened() throws -> Ledger {
    let clock = clock
    return try Ledger(path: path, clock: TimeSource { clock.now })
  }

  /// A series of some instances whose quiet period is over and whose job is made.
  @discardableResult
  func makeJob(series: String = "1.2.3", instances: Range<Int> = 0..<3, model: String = "m") throws
    -> Int64
  {
    for number in instances { try receive(.test(number, series: series)) }
    clock.advance(60)
    let due = try ledger.seriesDue(quietPeriod: 30).filter { $0.seriesInstanceUID == series }
    for series in due {
      try ledger.assembleSeries(series, jobs: [.test(model: model)])
    }
    return try ledger.jobs().map(\.id).max() ?? 0
  }

  func receive(_ record: InstanceRecord) throws { _ = try ledger.recordInstance(record) }

  func state(_ job: Int64) throws -> String { try ledger.job(job).job.state }
}

extension InstanceRecord {
  static func test(
    _ number: Int, series: String = "1.2.3", study: String = "1.2", content: Int? = nil,
    peer: String? = "MODALITY"
  ) -> InstanceRecord {
    let content = content ?? number
    return InstanceRecord(
      studyInstanceUID: study, seriesInstanceUID: series, sopInstanceUID: "\(series).\(number)",
      sopClassUID: "1.2.840.10008.5.1.4.1.1.2", modality: "CT",
      transferSyntaxUID: "1.2.840.10008.1.2.1", spoolPath: "spool/\(UUID().uuidString).dcm",
      byteCount: 1000, contentHash: String(format: "%064x", content), source: .listener,
      callingAETitle: peer)
  }
}

extension NewJob {
  static func test(model: String = "m", start: NewJob.Start = .available) -> NewJob {
    NewJob(model: model, start: start)
  }
}

extension JobResult {
  static func test(_ job: Int64) -> JobResult {
    JobResult(
      objects: [
        .segmentation(
          sopInstanceUID: "2.25.\(job)", path: "results/\(job)/seg.dcm",
          sha256: String(repeating: "a", count: 64)),
        .picture(path: "results/\(job)/contours.png", sha256: String(repeating: "b", count: 64)),
      ],
      modelVersion: "1.0.0", summary: "structure 1.00 ml")
  }

  static let nothingFound = JobResult(
    objects: [.picture(path: "results/contours.png", sha256: String(repeating: "b", count: 64))],
    modelVersion: "1.0.0", summary: "nothing")
}

extension TemporaryFolder {
  func path(_ name: String) -> String { url.appendingPathComponent(name).path }
}
