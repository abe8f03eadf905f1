import DICOM
import Foundation
import JobLedger
import Logging
import Results
import Segmentation
import TestSupport
import Testing

@testable import Pipeline
@testable import SeriesProcessing

/// A result that is not proved is held at once: it is neither made again nor sent.
@Suite struct FailedProofTests {
  /// An executor whose proofs fail as a test says.
  private struct Failing: WrappingExecutor {
    var inner: any JobExecutor
    var error: ProofError

    func execute(
      _ request: JobRequest, progress: @escaping @Sendable (SegmentationProgress) -> Void
    ) async throws -> JobOutcome {
      guard let reasons = SeriesProcessor.reasonsToHold(error) else { throw error }
      return JobOutcome(
        processed: ProcessedSeries(outcome: .held(reasons: reasons), assessments: []),
        modelVersion: "1", times: StageTimes())
    }
  }

  static let errors: [ProofError] = [
    .differs(file: "/x", tag: .patientID, frame: nil, reason: "is not the source image's"),
    .differs(file: "/x", tag: .segmentLabel, frame: nil, reason: "of segment 1 is not the model's"),
    .voxels(file: "/x", slice: 1, row: 2, column: 3, written: 0, labels: 1, count: 7),
    .unreadable(.truncated(file: "/x", tag: .pixelData, needed: 2, available: 1)),
  ]

  @Test(arguments: errors)
  func aFailedProofIsHeldAndNeverTriedAgainNorSent(_ error: ProofError) async throws {
    let job = try await SmallJob()
    let runner = job.runner(destinations: ["pacs"]) { Failing(inner: $0, error: error) }
    #expect(try await runner.runNext(id: job.id) { _ in })
    let held = try job.ledger.job(job.id).job
    #expect(held.state == "held" && held.objects.isEmpty)
    #expect(held.reason?.hasPrefix("proof failed: ") == true, "\(held.reason ?? "")")
    // Nothing is due, and nothing waits to be sent.
    #expect(try await runner.runNext { _ in } == false)
    #expect(try job.ledger.jobs().map(\.state) == ["held"])
    #expect(try job.ledger.claimDelivery() == nil)
  }
}
