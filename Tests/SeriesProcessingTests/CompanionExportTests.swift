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

  private func export(
    _ options: ResultOptions, replacing: ReplacedSeries? = nil
  ) throws -> ResultExport {
    ResultExport(
      bundle: try ModelBundle.load(
        at: TestFiles.fixtures.appendingPathComponent("models/untrained-tiny-mr")),
      identity: ResultIdentity(fingerprint: "test", replaces: replacing), moment: .unknown,
      installation: "TEST", options: options, output: output.url, writesNIfTI: false,
      times: StageTimes())
  }

  private func process(voxels: Int) async throws -> SeriesOutcome {
    var options = ResultOptions()
    options.writesLabelMap = true
    options.writesStructureSet = true
    #expect(options.changes == ["writesLabelMap", "writesStructureSet"])
    let export = try export(options)
    return try await PhaseProcessor(
      source: series.source, rule: CineRule(phases: .extremes, cavities: [2, 1]), choice: .all,
      export: export
    ).process { _, stack, _ in
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

  /// One volume: label 2 in some voxels, which are more probable than others.
  private func write(
    _ export: ResultExport, withProbabilities: Bool = true
  ) throws -> ProvedSegmentation {
    let stack = try #require(try series.source.assessment.usableStacks.first)
    let grid = stack.sourceGrid
    var labels = LabelVolume(grid: grid, labels: [UInt8](repeating: 0, count: grid.voxelCount))
    var probabilities = ProbabilityVolume(grid: grid, classes: export.bundle.network.classes)
    for voxel in 0..<30 {
      labels.labels[voxel] = voxel < 20 ? 2 : 0
      probabilities.set(voxel < 20 ? 200 : 50, class: 2, voxel: voxel)
    }
    let written = try export.write(
      SegmentedStack(
        labels: labels, probabilities: withProbabilities ? probabilities : nil, predictedMemory: 1,
        warnings: [], notes: []), stack: stack)
    guard case .proved(let objects, _, _) = written else {
      throw HeldSeries(reasons: ["nothing was found"])
    }
    return try #require(objects.first)
  }

  @Test func probabilitiesAreNextToTheirSegmentation() throws {
    var options = ResultOptions()
    options.writesFractional = true
    #expect(options.changes == ["writesFractional"])
    let object = try write(export(options))
    let fractional = try #require(object.companions.first)
    #expect(object.companions.count == 1 && fractional.kind == .fractional && object.notes == [])
    #expect(fractional.file.lastPathComponent == "fractional.dcm")
    let (dataset, pixels) = try DICOMFile.withNativePixels(path: fractional.file.path)
    #expect(dataset.text(.segmentationType) == "FRACTIONAL")
    #expect(dataset.text(.sopInstanceUID) == fractional.sopInstanceUID)
    #expect(pixels == [UInt8](repeating: 200, count: 20) + [UInt8](repeating: 50, count: 10))
    let other = try DICOMFile(path: object.segmentation.path).dataset
    #expect(dataset.text(.seriesInstanceUID) != other.text(.seriesInstanceUID))
    #expect(try hexadecimalSHA256(ofFile: fractional.file) == fractional.sha256)

    let without = try write(export(options), withProbabilities: false)
    #expect(without.companions.isEmpty && without.notes.count == 1)
  }

  /// A second result of the same images has UIDs of its own either way.
  @Test func anEarlierResultIsNamedUnlessTheNewOneIsAdded() throws {
    let earlier = ReplacedSeries(studyInstanceUID: "1.2", seriesInstanceUID: "2.25.17")
    var options = ResultOptions()
    let replacing = try DICOMFile(
      path: write(export(options, replacing: earlier)).segmentation.path
    ).dataset
    #expect(
      replacing.items(.relatedSeriesSequence).map { $0.text(.seriesInstanceUID) } == ["2.25.17"])
    options.namesReplaced = false
    #expect(options.changes == ["addsToEarlierResults"])
    let adding = try DICOMFile(
      path: write(export(options, replacing: earlier)).segmentation.path
    ).dataset
    #expect(!adding.contains(.relatedSeriesSequence))
    let first = try DICOMFile(path: write(export(options)).segmentation.path).dataset
    #expect(adding.text(.seriesInstanceUID) != first.text(.seriesInstanceUID))
  }

  /// Objects of one series, which are proved by themselves and together.
  @Test func aLargeResultIsDivided() throws {
    var options = ResultOptions()
    options.maximumFrames = 1
    let stack = try #require(try series.source.assessment.usableStacks.first)
    let grid = stack.sourceGrid
    var labels = LabelVolume(grid: grid, labels: [UInt8](repeating: 0, count: grid.voxelCount))
    for voxel in 0..<20 { labels.labels[voxel] = voxel < 8 ? 1 : 2 }
    let written = try export(options).write(
      SegmentedStack(labels: labels, predictedMemory: 1, warnings: [], notes: []), stack: stack)
    guard case .proved(let objects, _, _) = written else {
      Issue.record("\(written)")
      return
    }
    #expect(
      objects.map(\.segmentation.lastPathComponent) == ["segmentation.dcm", "segmentation-2.dcm"])
    let datasets = try objects.map { try DICOMFile(path: $0.segmentation.path).dataset }
    #expect(datasets.map { $0.integer(.instanceNumber) } == [1, 2])
    #expect(Set(datasets.map { $0.text(.seriesInstanceUID) }).count == 1)
    #expect(datasets.allSatisfy { $0.items(.segmentSequence).count == 1 })
    #expect(objects[0].millilitres.count == 1 && objects[1].millilitres.count == 1)
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
