import FileSystem
import Foundation
import JobLedger
import Results
import Segmentation
import SeriesReading
import TestSupport
import Testing

@testable import Pipeline
@testable import SeriesProcessing

/// A report is kept with its segmentation, and sent behind it to whoever takes reports.
@Suite struct ReportedResultTests {
  private let small: SmallJob
  private let destinations = ResultRouting(
    [
      ResultRouting.Route(DeliveryTarget("pacs")),
      ResultRouting.Route(DeliveryTarget("reader", kinds: ["sr"])),
      ResultRouting.Route(DeliveryTarget("viewer", kinds: ["seg"])),
      ResultRouting.Route(DeliveryTarget("old", kinds: ["capture-frame", "capture-page"])),
    ]
  ) { _ in nil }

  init() async throws { small = try await SmallJob() }

  private func kinds(sentTo destination: String) throws -> [StoredObject.Kind]? {
    try small.ledger.claimDelivery(destination: destination)?.objects.map(\.kind)
  }

  @Test func aReportIsSentBehindItsSegmentation() async throws {
    var options = ResultOptions()
    options.writesReport = true
    let runner = small.runner(destinations: destinations) { _ in small.executor(options: options) }
    #expect(try await runner.runNext(id: small.id) { _ in })
    let job = try small.ledger.job(small.id).job
    #expect(job.state == "completed", "\(job.reason ?? "")")
    #expect(job.objects.map(\.kind) == [.segmentation, .report, .picture])
    let report = job.objects[1]
    let file = small.state.file(report.path)
    #expect(file.lastPathComponent == "report.dcm")
    #expect(try hexadecimalSHA256(ofFile: file) == report.sha256)
    let dump = try await runProcess("/usr/bin/dsrdump", ["+U8", file.path])
    #expect(dump.output.contains("All algorithms succeeded; with findings"))
    #expect(try kinds(sentTo: "pacs") == [.segmentation, .report])
    #expect(try kinds(sentTo: "reader") == [.report])
    #expect(try kinds(sentTo: "viewer") == [.segmentation])

    // Asked for again it is the same result.
    let again = try small.ledger.reprocess(
      series: small.series, job: NewJob(model: "untrained-tiny"))
    #expect(try await runner.runNext(id: again) { _ in })
    #expect(try small.ledger.job(again).job.sameResultAs == small.id)
  }

  /// Single frames are for whoever asks for them.
  @Test func capturesAreSentBehindTheSegmentation() async throws {
    var options = ResultOptions()
    options.captures = .both
    options.writesSingleFrames = true
    let runner = small.runner(destinations: destinations) { _ in small.executor(options: options) }
    #expect(try await runner.runNext(id: small.id) { _ in })
    let job = try small.ledger.job(small.id).job
    let kinds = job.objects.map(\.kind)
    #expect(kinds.prefix(3) == [.segmentation, .capture, .captureFrame])
    #expect(kinds.suffix(3) == [.capturePage, .picture, .picture])
    #expect(try self.kinds(sentTo: "pacs") == [.segmentation, .capture, .capturePage])
    let single = try #require(try self.kinds(sentTo: "old"))
    #expect(Set(single.dropLast()) == [.captureFrame] && single.last == .capturePage)
    #expect(try self.kinds(sentTo: "reader") == nil)
  }

  /// An executor that finds nothing, and writes a report that says so.
  private struct FindsNothing: WrappingExecutor {
    var inner: any JobExecutor
    var warnings: [String] = []

    func execute(
      _ request: JobRequest, progress: @escaping @Sendable (SegmentationProgress) -> Void
    ) async throws -> JobOutcome {
      let file = request.output.appendingPathComponent("report.dcm")
      let picture = request.output.appendingPathComponent("contours.png")
      for url in [file, picture] { try Data(url.path.utf8).write(to: url) }
      let report = ProvedReport(
        file: file, sopInstanceUID: "2.25.99", sha256: try hexadecimalSHA256(ofFile: file))
      return JobOutcome(
        processed: ProcessedSeries(
          outcome: .nothingFound(
            picture: picture, warnings: warnings, objects: [], report: report),
          assessments: []),
        modelVersion: "1", times: StageTimes())
    }
  }

  /// An executor that finds what another one does, and something unusual about it.
  private struct FindsUnusual: WrappingExecutor {
    var inner: any JobExecutor
    var warnings: [String]

    func execute(
      _ request: JobRequest, progress: @escaping @Sendable (SegmentationProgress) -> Void
    ) async throws -> JobOutcome {
      var outcome = try await inner.execute(request, progress: progress)
      if case .segmented(var series) = outcome.processed.outcome {
        series.objects[0].warnings = warnings
        outcome.processed.outcome = .segmented(series)
      }
      return outcome
    }
  }

  @Test func nothingFoundIsSentAsAReport() async throws {
    let runner = small.runner(destinations: destinations) { FindsNothing(inner: $0) }
    #expect(try await runner.runNext(id: small.id) { _ in })
    let job = try small.ledger.job(small.id).job
    #expect(job.state == "completed" && job.objects.map(\.kind) == [.report, .picture])
    #expect(try kinds(sentTo: "pacs") == [.report])
    #expect(try kinds(sentTo: "reader") == [.report])
    #expect(try kinds(sentTo: "viewer") == nil)
  }

  /// What is unusual is in the log and in the ledger, also where nothing was found.
  @Test(arguments: [true, false]) func whatIsUnusualIsLogged(isSomethingFound: Bool) async throws {
    let unusual = ["Spleen was not found", "brighter than any image"]
    let lines = LoggedLines()
    let runner = small.runner(
      destinations: destinations, logger: lines.logger(naming: "series")
    ) { inner in
      isSomethingFound
        ? FindsUnusual(inner: inner, warnings: unusual) as any JobExecutor
        : FindsNothing(inner: inner, warnings: unusual)
    }
    #expect(try await runner.runNext(id: small.id) { _ in })
    let job = try small.ledger.job(small.id).job
    #expect(job.state == "completed")
    #expect(job.objects.contains { $0.kind == .segmentation } == isSomethingFound)
    for warning in unusual {
      let line = "warning: \(warning) of \(small.series)"
      #expect(lines.text.count { $0 == line } == 1, "\(lines.text)")
      #expect(job.summary?.contains("warning: \(warning)") == true, "\(job.summary ?? "")")
    }
  }
}
