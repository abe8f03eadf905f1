import DICOM
import Foundation
import Results
import Segmentation
import SeriesReading
import TestSupport
import Testing
import Volumes

@testable import SeriesProcessing

/// The report on a series is written next to its segmentations, and proved.
@Suite struct ReportExportTests {
  private let output: TemporaryFolder
  private let bundle: ModelBundle

  init() throws {
    output = try TemporaryFolder()
    bundle = try ModelBundle.load(
      at: TestFiles.fixtures.appendingPathComponent("models/untrained-tiny-mr"))
  }

  private func export(_ change: (inout ResultOptions) -> Void) -> ResultExport {
    var options = ResultOptions()
    change(&options)
    return ResultExport(
      bundle: bundle, identity: ResultIdentity(fingerprint: "test"), moment: .unknown,
      installation: "TEST", options: options, output: output.url, writesNIfTI: false,
      times: StageTimes())
  }

  /// - Parameter voxels: of label 2 by Trigger Time; label 1 has half as many.
  private func process(
    _ series: CineSeries, _ export: ResultExport, voxels: [Double: Int]
  ) async throws -> SeriesOutcome {
    try await PhaseProcessor(
      source: series.source, rule: CineRule(phases: .extremes, cavities: [2, 1]),
      choice: voxels.isEmpty ? .all : .extremes, export: export
    ).process { _, stack, _ in
      var labels = [UInt8](repeating: 0, count: stack.sourceGrid.voxelCount)
      let count = voxels[stack.frames[0].triggerTime ?? -1] ?? 0
      for index in 0..<count { labels[index] = 2 }
      for index in 0..<count / 2 { labels[labels.count - 1 - index] = 1 }
      return SegmentedStack(
        labels: LabelVolume(grid: stack.sourceGrid, labels: labels), predictedMemory: 1,
        warnings: ["dark"], notes: [])
    }
  }

  private func dump(_ report: ProvedReport) async throws -> String {
    #expect(report.file.lastPathComponent == "report.dcm")
    #expect(try hexadecimalSHA256(ofFile: report.file) == report.sha256)
    return try await runProcess("/usr/bin/dsrdump", ["+U8", "+Pl", report.file.path]).output
  }

  @Test func aCineSeriesHasOneReportOnItsExtremes() async throws {
    let series = try CineSeries(triggerTimes: [0, 100, 200, 300])
    let outcome = try await process(
      series, export { $0.writesReport = true }, voxels: [0: 40, 100: 20, 200: 10, 300: 30])
    guard case .segmented(let result) = outcome, let report = result.report else {
      Issue.record("\(outcome)")
      return
    }
    let text = try await dump(report)
    for line in [
      "\"End-diastolic volume\")=\"1.28\" (ml,", "\"End-systolic volume\")=\"0.32\" (ml,",
      "\"Stroke Volume\")=\"0.96\" (ml,", "\"Cardiac ejection fraction\")=\"75\" (%,",
      "\"end-diastole, phase 1 of 4 at 0 ms\"", "\"end-systole, phase 3 of 4 at 200 ms\"",
      "\"Warning: end-diastole, phase 1 of 4 at 0 ms: dark\"",
    ] { #expect(text.contains(line), "\(line)\n\(text)") }
    #expect(text.components(separatedBy: "(SG image,,").count == 5)
    let function = try #require(result.function.first)
    #expect(abs(function.endDiastolicVolume - 1.28) < 1e-9)
  }

  @Test func thereIsNoReportUnlessOneIsAskedFor() async throws {
    let series = try CineSeries(triggerTimes: [0, 100])
    let outcome = try await process(series, export { _ in }, voxels: [0: 40, 100: 10])
    guard case .segmented(let result) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(result.report == nil)
    #expect(!FileManager.default.fileExists(atPath: output.url.path + "/report.dcm"))
  }

  @Test func whereNothingIsFoundAReportSaysSo() async throws {
    let series = try CineSeries(triggerTimes: [0, 100])
    let outcome = try await process(series, export { _ in }, voxels: [:])
    guard case .nothingFound(_, _, let objects, let report?, _) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(objects == [])
    let text = try await dump(report)
    #expect(text.contains("All algorithms succeeded; without findings"))
    #expect(text.components(separatedBy: "(MR image,").count == 9)
  }

  @Test(arguments: [ResultOptions.NothingFound.none, .segmentation])
  func noReportSaysSoWhereTheSiteWantsNone(_ choice: ResultOptions.NothingFound) async throws {
    let series = try CineSeries(triggerTimes: [0, 100])
    let outcome = try await process(
      series,
      export {
        $0.nothingFound = choice
        $0.writesReport = true
      }, voxels: [:])
    guard case .nothingFound(_, _, let objects, nil, _) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(objects.count == (choice == .none ? 0 : 2))
  }

  /// Where the site wants it, what is unusual is held, with what it is.
  @Test func anUnusualResultIsSuspect() async throws {
    let series = try CineSeries(triggerTimes: [0, 100])
    let found = try await process(series, export { _ in }, voxels: [0: 40, 100: 10])
    #expect(
      found.suspicions == [
        "suspect: end-diastole, phase 1 of 2 at 0 ms: dark",
        "suspect: end-systole, phase 2 of 2 at 100 ms: dark",
      ])
    let nothing = try await process(series, export { _ in }, voxels: [:])
    #expect(nothing.suspicions == ["suspect: dark", "suspect: dark"])
    #expect(SeriesOutcome.held(reasons: ["gap"]).suspicions == nil)
  }

  /// What is asked for is part of what a result depends on; what is not changes no UID.
  @Test func optionsAreNamedWhereTheyAreNotTheDefault() {
    var options = ResultOptions()
    #expect(options.changes == [])
    options.writesReport = true
    options.nothingFound = .none
    options.holdsSuspect = true
    #expect(options.changes == ["nothingFound=none", "writesReport"])
  }
}
