import DICOM
import Foundation
import Results
import Segmentation
import SeriesReading
import TestSupport
import Testing
import Volumes

@testable import SeriesProcessing

/// Captures are written next to the segmentations where they are asked for, and proved.
@Suite struct CaptureExportTests {
  private let output: TemporaryFolder
  private let bundle: ModelBundle
  private let series: CineSeries

  init() throws {
    series = try CineSeries(triggerTimes: [0, 100])
    output = try TemporaryFolder()
    bundle = try ModelBundle.load(
      at: TestFiles.fixtures.appendingPathComponent("models/untrained-tiny-mr"))
  }

  /// - Parameter voxels: of label 2 by Trigger Time.
  private func process(
    voxels: [Double: Int], _ change: (inout ResultOptions) -> Void
  ) async throws -> SeriesOutcome {
    var options = ResultOptions()
    change(&options)
    let export = ResultExport(
      bundle: bundle, identity: ResultIdentity(fingerprint: "test"), moment: .unknown,
      installation: "TEST", options: options, output: output.url, writesNIfTI: false,
      times: StageTimes())
    return try await PhaseProcessor(
      source: series.source,
      rule: CineRule(phases: .all, cavities: [2, 1]), choice: .all, export: export
    ).process { _, stack, _ in
      var labels = [UInt8](repeating: 0, count: stack.sourceGrid.voxelCount)
      for index in 0..<(voxels[stack.frames[0].triggerTime ?? -1] ?? 0) { labels[index] = 2 }
      return SegmentedStack(
        labels: LabelVolume(grid: stack.sourceGrid, labels: labels), predictedMemory: 1,
        warnings: ["dark"], notes: [])
    }
  }

  private func names(_ captures: [ProvedCapture]) throws -> [String] {
    for capture in captures {
      #expect(try hexadecimalSHA256(ofFile: capture.file) == capture.sha256)
      #expect((capture.picture != nil) == (capture.form == .page))
    }
    return captures.flatMap { [$0.file, $0.picture].compactMap(\.self).map(\.lastPathComponent) }
  }

  @Test func eachPhaseHasItsCaptures() async throws {
    let outcome = try await process(voxels: [0: 40, 100: 20]) { $0.captures = .both }
    guard case .segmented(let result) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(
      try names(result.captures) == [
        "captures-phase-01.dcm", "page-phase-01.dcm", "page-phase-01.png",
        "captures-phase-02.dcm", "page-phase-02.dcm", "page-phase-02.png",
      ])
    let datasets = try result.captures.map { try DICOMFile(path: $0.file.path).dataset }
    #expect(Set(datasets.map { $0.text(.seriesInstanceUID) }).count == 1)
    #expect(Set(datasets.map { $0.text(.sopInstanceUID) }).count == 4)
    #expect(datasets.map { $0.integer(.instanceNumber) } == [1, 1001, 2, 1002])
    let listed = try FileManager.default.contentsOfDirectory(atPath: output.url.path)
    #expect(!listed.contains { $0.hasSuffix("unproved") })
  }

  @Test func aPictureForEachImageIsMadeWhereOneIsAskedFor() async throws {
    let outcome = try await process(voxels: [0: 40]) {
      $0.captures = .frames
      $0.writesSingleFrames = true
    }
    guard case .segmented(let result) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    let names = try names(result.captures)
    #expect(names.first == "captures-phase-01.dcm" && names.count > 2)
    #expect(names[1] == "capture-phase-01-0001.dcm")
    #expect(result.captures.dropFirst().allSatisfy { $0.form == .frame })
  }

  @Test func whereNothingIsFoundThereIsAPageAlone() async throws {
    let outcome = try await process(voxels: [:]) { $0.captures = .both }
    guard case .nothingFound(_, _, _, _, let captures) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(captures.map(\.form) == [.page, .page])
    let none = try await process(voxels: [0: 40]) { _ in }
    guard case .segmented(let result) = none else {
      Issue.record("\(none)")
      return
    }
    #expect(result.captures == [])
  }

  @Test func theyAreAmongWhatAResultDependsOn() {
    var options = ResultOptions()
    #expect(options.changes == [])
    options.captures = .both
    options.writesSingleFrames = true
    #expect(options.changes == ["captures=both"])
  }
}
