import DICOM
import Foundation
import Results
import Segmentation
import SeriesReading
import TestSupport
import Testing
import Volumes

@testable import SeriesProcessing

/// Label maps and structure sets are written next to the segmentations of a series, and proved.
@Suite struct CompanionExportTests {
  private let output: TemporaryFolder
  private let series: CineSeries

  init() throws {
    output = try TemporaryFolder()
    series = try CineSeries(triggerTimes: [0, 100])
  }

  private func process(voxels: Int) async throws -> SeriesOutcome {
    var options = ResultOptions()
    options.writesLabelMap = true
    options.writesStructureSet = true
    #expect(options.changes == ["writesLabelMap", "writesStructureSet"])
    let export = ResultExport(
      bundle: try ModelBundle.load(
        at: TestFiles.fixtures.appendingPathComponent("models/untrained-tiny-mr")),
      identity: ResultIdentity(fingerprint: "test"), moment: .unknown, installation: "TEST",
      options: options, output: output.url, writesNIfTI: false, times: StageTimes())
    return try await PhaseProcessor(
      source: series.source, rule: CineRule(phases: .extremes, cavities: [2, 1]), choice: .all,
      export: export
    ).process { _, stack in
      var labels = [UInt8](repeating: 0, count: stack.sourceGrid.voxelCount)
      for index in 0..<voxels { labels[index] = 2 }
      return SegmentedStack(
        labels: LabelVolume(grid: stack.sourceGrid, labels: labels), predictedMemory: 1,
        warnings: [], notes: ["a note"])
    }
  }

  @Test func eachPhaseHasItsOwn() async throws {
    let outcome = try await process(voxels: 30)
    guard case .segmented(let result) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(result.notes == ["a note"])
    let companions = result.objects.flatMap(\.companions)
    #expect(companions.map(\.kind) == [.labelMap, .structureSet, .labelMap, .structureSet])
    #expect(
      companions.map(\.file.lastPathComponent) == [
        "labelmap-phase-01.dcm", "structures-phase-01.dcm", "labelmap-phase-02.dcm",
        "structures-phase-02.dcm",
      ])
    for companion in companions {
      #expect(try hexadecimalSHA256(ofFile: companion.file) == companion.sha256)
      let dataset = try DICOMFile(path: companion.file.path).dataset
      #expect(dataset.text(.sopInstanceUID) == companion.sopInstanceUID)
    }
    // Each kind is a series, and no two objects share a UID.
    let all = result.objects.map(\.segmentation) + companions.map(\.file)
    let datasets = try all.map { try DICOMFile(path: $0.path).dataset }
    #expect(Set(datasets.map { $0.text(.sopInstanceUID) }).count == 6)
    #expect(Set(datasets.map { $0.text(.seriesInstanceUID) }).count == 3)
    #expect(Set(outcome.dicomFiles) == Set(all))
  }

  @Test func whereNothingIsFoundThereAreNone() async throws {
    let outcome = try await process(voxels: 0)
    guard case .nothingFound = outcome else {
      Issue.record("\(outcome)")
      return
    }
    let files = try FileManager.default.contentsOfDirectory(atPath: output.url.path)
    #expect(!files.contains { $0.hasPrefix("labelmap") || $0.hasPrefix("structures") })
  }
}
