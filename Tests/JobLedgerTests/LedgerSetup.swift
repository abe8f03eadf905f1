import Foundation
import JobLedger
import Synchronization
import TestSupport

/// A ledger in a folder of its own, with a clock that the test moves.
final class LedgerSetup: Sendable {
  let folder: TemporaryFolder
  let ledger: JobLedger
  private let clock = TestClock()

  var path: String { folder.url.appendingPathComponent("ledger.sqlite").path }

  init() throws {
    folder = try TemporaryFolder()
    ledger = try JobLedger(
      path: folder.url.appendingPathComponent("ledger.sqlite").path
    ) { [clock] in clock.now }
  }

  func wait(_ time: Double) { clock.advance(time) }

  /// Records an instance; content is told apart by `content`.
  @discardableResult
  func receive(_ sop: String, series: String = "1.2", content: Int = 0) throws -> InstanceOutcome {
    try ledger.recordInstance(
      InstanceRecord(
        studyInstanceUID: "1", seriesInstanceUID: series, sopInstanceUID: sop,
        sopClassUID: "1.2.840.10008.5.1.4.1.1.2", modality: "CT",
        transferSyntaxUID: "1.2.840.10008.1.2.1", spoolPath: UUID().uuidString, byteCount: 100,
        contentHash: String(format: "%064x", sop.hashValue &* 31 &+ content), source: .listener,
        callingAETitle: "MODALITY"))
  }

  /// Assembles what is due into one job a series.
  func assemble() throws {
    for series in try ledger.seriesDue(quietPeriod: 30) {
      try ledger.assembleSeries(series, jobs: [Self.newJob()], heldBecause: nil)
    }
  }

  /// A series of two instances with its job running.
  func runningJob() throws -> ClaimedJob {
    try receive("1.2.1")
    try receive("1.2.2")
    wait(60)
    try assemble()
    guard let job = try ledger.claimJob() else { throw LedgerError.unknownJob(0) }
    return job
  }

  static func newJob(model: String = "m") -> NewJob {
    NewJob(
      model: model, resultSeriesInstanceUID: "2.25.\(UInt64.random(in: 1...UInt64.max))",
      resultSOPInstanceUID: "2.25.\(UInt64.random(in: 1...UInt64.max))")
  }

  static let result = JobResult(
    segmentationPath: "results/1/segmentation.dcm", picturePath: nil, modelVersion: "1",
    summary: "liver 1 ml")
}

final class TestClock: Sendable {
  private let seconds = Mutex(1_000_000.0)
  var now: Date { Date(timeIntervalSince1970: seconds.withLock { $0 }) }
  func advance(_ time: Double) { seconds.withLock { $0 += time } }
}
