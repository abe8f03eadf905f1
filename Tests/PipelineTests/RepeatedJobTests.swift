import DICOM
import Foundation
import JobLedger
import TestSupport
import Testing

@testable import Pipeline

/// Jobs on images that were segmented before.
@Suite struct RepeatedJobTests {
  private let small: SmallJob

  init() async throws { small = try await SmallJob() }

  private func object(of job: JobSummary) throws -> URL {
    let segmentation = try #require(job.objects.first { $0.kind == .segmentation })
    return small.state.file(segmentation.path)
  }

  /// Runs a further job of the series, or the first one.
  private func run(_ job: NewJob? = nil) async throws -> JobSummary {
    let id = try job.map { try small.ledger.reprocess(series: small.series, job: $0) } ?? small.id
    #expect(try await small.runner.runNext(id: id) { _ in })
    let ended = try small.ledger.job(id).job
    #expect(ended.state == "completed", "\(ended.reason ?? "")")
    return ended
  }

  @Test func theSameJobComesToTheSameResultWithoutComputing() async throws {
    let first = try await run()
    #expect(try #require(first.modelSHA256).count == 64)
    let again = try await run(NewJob(model: "untrained-tiny"))
    #expect(again.sameResultAs == first.id && again.objects == first.objects)
    #expect(again.resultSeriesInstanceUID == first.resultSeriesInstanceUID)
    #expect(!FileManager.default.fileExists(atPath: small.state.file("results/\(again.id)").path))
  }

  /// Results that were lost, or changed on disk, are made again, byte for byte.
  @Test(arguments: [true, false])
  func lostFilesAreMadeAgain(isRemoved: Bool) async throws {
    let first = try await run()
    let file = try object(of: first)
    let bytes = try Data(contentsOf: file)
    if isRemoved {
      try FileManager.default.removeItem(at: file.deletingLastPathComponent())
    } else {
      try Data("changed".utf8).write(to: file)
    }
    let again = try await run(NewJob(model: "untrained-tiny"))
    #expect(try object(of: again) != file)
    #expect(try Data(contentsOf: object(of: again)) == bytes)
    #expect(try object(of: small.ledger.job(first.id).job) == object(of: again))
    #expect(again.sameResultAs == first.id)
  }

  @Test func aForcedJobMakesASeriesThatNamesTheOneBefore() async throws {
    var last = try await run()
    var seen: Set = [last.resultSeriesInstanceUID]
    for _ in 0..<2 {
      var forced = NewJob(model: "untrained-tiny")
      forced.isForced = true
      let job = try await run(forced)
      let dataset = try DICOMFile(path: object(of: job).path).dataset
      #expect(dataset.text(.seriesInstanceUID) == job.resultSeriesInstanceUID)
      let related = dataset.items(.relatedSeriesSequence)
      #expect(
        related.map { $0.text(.seriesInstanceUID) } == [last.resultSeriesInstanceUID])
      #expect(seen.insert(job.resultSeriesInstanceUID).inserted)
      last = job
    }
    // Once more without force is the last one.
    #expect(try await run(NewJob(model: "untrained-tiny")).sameResultAs == last.id)
  }
}
