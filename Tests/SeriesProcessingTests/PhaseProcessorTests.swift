import DICOM
import Foundation
import GeometryGate
import Results
import Segmentation
import SeriesReading
import TestSupport
import Testing
import Volumes

@testable import SeriesProcessing

/// The phases of a cine series, one object for each.
@Suite struct PhaseProcessorTests {
  private let output: TemporaryFolder
  private let bundle: ModelBundle
  private let rule = CineRule(phases: .all, cavities: [2, 1])

  init() throws {
    output = try TemporaryFolder()
    bundle = try ModelBundle.load(
      at: TestFiles.fixtures.appendingPathComponent("models/untrained-tiny-mr"))
  }

  private func processor(
    _ source: SourceSeries, _ choice: PhaseChoice, mirrorAxes: [Int] = [],
    rule change: (inout CineRule) -> Void = { _ in }
  ) throws -> PhaseProcessor {
    var (rule, bundle) = (rule, bundle)
    change(&rule)
    bundle.inference.mirrorAxes = mirrorAxes
    return try PhaseProcessor(
      source: source, rule: rule, choice: choice,
      export: ResultExport(
        bundle: bundle, identity: ResultIdentity(fingerprint: "test"), moment: .unknown,
        installation: "TEST", options: ResultOptions(), output: output.url,
        writesNIfTI: false, times: StageTimes()))
  }

  /// Which phases were segmented, by Trigger Time in the order of the calls.
  private final class Calls {
    var times: [Double] = []
    var searched: [Double] = []
  }

  /// - Parameters:
  ///   - voxels: of label 2 by Trigger Time; label 1 has half as many.
  ///   - mirrorAxes: of the model.
  ///   - searched: `voxels` in a search, where they are others.
  private func process(
    _ series: CineSeries, _ choice: PhaseChoice, voxels: [Double: Int], calls: Calls = Calls(),
    mirrorAxes: [Int] = [], searched: [Double: Int]? = nil,
    rule change: (inout CineRule) -> Void = { _ in }
  ) async throws -> SeriesOutcome {
    try await processor(series.source, choice, mirrorAxes: mirrorAxes, rule: change).process {
      _, stack, purpose in
      let time = stack.frames[0].triggerTime ?? -1
      if purpose == .search { calls.searched.append(time) } else { calls.times.append(time) }
      var labels = [UInt8](repeating: 0, count: stack.sourceGrid.voxelCount)
      let count = (purpose == .search ? searched ?? voxels : voxels)[time] ?? 0
      for index in 0..<count { labels[index] = 2 }
      for index in 0..<count / 2 { labels[labels.count - 1 - index] = 1 }
      return SegmentedStack(
        labels: LabelVolume(grid: stack.sourceGrid, labels: labels),
        predictedMemory: Int(time) + 1000, warnings: ["at \(Int(time))"], notes: [])
    }
  }

  private func segmented(_ outcome: SeriesOutcome) throws -> SegmentedSeries {
    guard case .segmented(let series) = outcome else {
      throw UnexpectedOutcome(outcome: outcome)
    }
    return series
  }

  private struct UnexpectedOutcome: Error {
    var outcome: SeriesOutcome
  }

  private let voxels: [Double: Int] = [0: 40, 100: 20, 200: 10, 300: 30]
  private let voxelMillilitres = 2 * 2 * 8 / 1000.0

  /// By Trigger Time, in whatever order they were numbered; each object is about one phase.
  @Test func allPhasesAreSegmentedInTheOrderOfTime() async throws {
    let series = try CineSeries(triggerTimes: [200, 0, 300, 100])
    let calls = Calls()
    let result = try segmented(
      try await process(series, .all, voxels: voxels, calls: calls))
    #expect(calls.times == [0, 100, 200, 300])
    #expect(result.objects.map(\.phase?.number) == [1, 2, 3, 4])
    #expect(result.objects.map(\.phase?.triggerTime) == [0, 100, 200, 300])
    #expect(result.objects.allSatisfy { $0.phase?.count == 4 && $0.phase?.name == nil })
    #expect(Set(result.objects.map(\.sopInstanceUID)).count == 4)
    for (object, count) in zip(result.objects, [40.0, 20, 10, 30]) {
      let found = try #require(object.millilitres["Noise coded as liver"])
      #expect(abs(found - count * voxelMillilitres) < 1e-9)
      #expect(FileManager.default.fileExists(atPath: object.picture.path))
    }
    #expect(result.objects[2].segmentation.lastPathComponent == "segmentation-phase-03.dcm")
    #expect(result.memory.predicted == 1300)
    #expect(result.function.isEmpty)
    // The images that the third object refers to are those of its phase.
    let text = try String(
      decoding: Data(contentsOf: result.objects[2].segmentation), as: UTF8.self)
    #expect(text.contains("1.2.3.1\0") && !text.contains("1.2.3.5\0"))
  }

  @Test func endDiastoleAndEndSystoleAreChosenByVolume() async throws {
    let series = try CineSeries(triggerTimes: [0, 100, 200, 300])
    let calls = Calls()
    let result = try segmented(
      try await process(series, .extremes, voxels: voxels, calls: calls))
    #expect(result.objects.map(\.phase?.name) == ["end-diastole", "end-systole"])
    #expect(result.objects.map(\.phase?.number) == [1, 3])
    #expect(calls.times.count == Set(calls.times).count, "a phase was segmented twice")
    let function = try #require(result.function.first)
    #expect(result.function.map(\.cavity) == ["Noise coded as liver", "Noise coded as spleen"])
    #expect(abs(function.endDiastolicVolume - 40 * voxelMillilitres) < 1e-9)
    #expect(abs(function.endSystolicVolume - 10 * voxelMillilitres) < 1e-9)
    #expect(abs((function.ejectionFraction ?? 0) - 0.75) < 1e-9)
  }

  /// A model that mirrors takes several times the work: only for what is written.
  @Test func extremesAreLookedForWithoutMirroring() async throws {
    let series = try CineSeries(triggerTimes: [0, 100, 200, 300])
    let calls = Calls()
    // By the labels of the results phase 4 would be end-diastole.
    let result = try segmented(
      try await process(
        series, .extremes, voxels: [0: 36, 100: 18, 200: 9, 300: 38], calls: calls,
        mirrorAxes: [1, 2], searched: voxels))
    #expect(calls.searched.count == Set(calls.searched).count && calls.searched.count >= 3)
    #expect(calls.times == [0, 200])
    #expect(result.objects.map(\.phase?.name) == ["end-diastole", "end-systole"])
    #expect(result.objects.map(\.phase?.number) == [1, 3])
    let function = try #require(result.function.first)
    #expect(abs(function.endDiastolicVolume - 36 * voxelMillilitres) < 1e-9)
    #expect(abs(function.endSystolicVolume - 9 * voxelMillilitres) < 1e-9)
    #expect(
      result.warnings == [
        "end-diastole, phase 1 of 4 at 0 ms: at 0", "end-systole, phase 3 of 4 at 200 ms: at 200",
      ])
  }

  /// Without mirroring, of two phases, and where the phases are chosen, there is nothing to look for.
  @Test(
    arguments: [
      ([], [0, 100, 200, 300], .extremes), ([1, 2], [0, 200], .extremes),
      ([1, 2], [0, 100, 200], .all), ([1, 2], [0, 100, 200], .list([3, 1])),
    ] as [([Int], [Double], PhaseChoice)])
  func whatIsWrittenIsNotSearched(_ mirrorAxes: [Int], _ times: [Double], _ choice: PhaseChoice)
    async throws
  {
    let calls = Calls()
    let result = try segmented(
      try await process(
        try CineSeries(triggerTimes: times), choice, voxels: voxels, calls: calls,
        mirrorAxes: mirrorAxes))
    #expect(calls.searched.isEmpty && calls.times.count == Set(calls.times).count)
    #expect(result.objects.count >= 2)
  }

  /// Where the order of the two turns around there is no ejection fraction to report.
  @Test func aResultWhoseExtremesAreTurnedAroundIsHeld() async throws {
    let series = try CineSeries(triggerTimes: [0, 100, 200, 300])
    let error = await #expect(throws: CardiacCycleError.self) {
      try await process(
        series, .extremes, voxels: [0: 10, 200: 12], mirrorAxes: [1, 2], searched: voxels)
    }
    guard case .noContraction(let diastolic, let systolic) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(abs(diastolic - 10 * voxelMillilitres) < 1e-9)
    #expect(abs(systolic - 12 * voxelMillilitres) < 1e-9)
  }

  @Test func aHeartThatDoesNotContractHasNoExtremes() async throws {
    let series = try CineSeries(triggerTimes: [0, 100, 200, 300])
    await #expect(throws: CardiacCycleError.self) {
      try await process(series, .extremes, voxels: [0: 20, 100: 20, 200: 20, 300: 20])
    }
  }

  @Test func numbersChooseTheirPhasesAndNoOthers() async throws {
    let series = try CineSeries(triggerTimes: [0, 100, 200, 300])
    let calls = Calls()
    let result = try segmented(
      try await process(series, .list([3, 1]), voxels: voxels, calls: calls))
    #expect(calls.times == [200, 0])
    #expect(result.objects.map(\.phase?.number) == [3, 1])
    let held = await #expect(throws: HeldSeries.self) {
      try await process(series, .list([2, 5]), voxels: voxels)
    }
    #expect(held?.reasons == ["there is no phase 5: the series has 4 phases"])
  }

  /// Phases in which nothing is found have no object; where none is found there is a picture.
  @Test func emptyPhasesHaveNoObject() async throws {
    let series = try CineSeries(triggerTimes: [0, 100, 200])
    let some = try segmented(try await process(series, .all, voxels: [100: 6]))
    #expect(some.objects.map(\.phase?.number) == [2])
    #expect(
      !FileManager.default.fileExists(
        atPath: output.url.appendingPathComponent("segmentation-phase-01.dcm").path))
    guard
      case .nothingFound(let picture, let warnings, let objects, _, _) = try await process(
        series, .all, voxels: [:])
    else {
      Issue.record("something was found")
      return
    }
    #expect(picture.lastPathComponent == "contours-phase-01.png" && objects.isEmpty)
    #expect(warnings == ["at 0", "at 100", "at 200"])
  }

  /// Where phases are told apart by their number alone, the cavity says which is end-diastole.
  @Test func withoutTriggerTimesVolumesAloneDecide() async throws {
    let series = try CineSeries(triggerTimes: [0, 100, 200]) { image, phase, _ in
      image.set(.triggerTime, .DS, "")
      image.set(.temporalPositionIdentifier, .IS, "\(phase + 1)")
    }
    #expect(try series.source.assessment.usableStacks.count == 3)
    // The stacks carry no time: the first call gets most voxels, the second least.
    var counts = [40, 10, 20]
    let result = try segmented(
      try await processor(series.source, .extremes).process { _, stack, _ in
        var labels = [UInt8](repeating: 0, count: stack.sourceGrid.voxelCount)
        for index in 0..<counts.removeFirst() { labels[index] = 2 }
        return SegmentedStack(
          labels: LabelVolume(grid: stack.sourceGrid, labels: labels), predictedMemory: 1,
          warnings: [], notes: [])
      })
    #expect(counts.isEmpty)
    #expect(result.objects.map(\.phase?.number) == [1, 2])
    #expect(result.objects.map(\.phase?.triggerTime) == [nil, nil])
    #expect(result.notes.count == 1)
    #expect(result.notes.first?.contains("Trigger Time (0018,1060)") == true)
    let all = try segmented(try await process(series, .all, voxels: [-1: 4]))
    #expect(all.objects.map(\.phase?.triggerTime) == [nil, nil, nil])
  }

  @Test func twoPhasesAreEnough() async throws {
    let series = try CineSeries(triggerTimes: [0, 300])
    let result = try segmented(try await process(series, .extremes, voxels: [0: 10, 300: 40]))
    #expect(result.objects.map(\.phase?.name) == ["end-diastole", "end-systole"])
    #expect(result.objects.map(\.phase?.number) == [2, 1])
  }

  /// One picture of both extremes, next to one of each.
  @Test func theHeartbeatHasAPictureAndAMass() async throws {
    let series = try CineSeries(triggerTimes: [0, 100, 200, 300])
    let result = try segmented(
      try await process(series, .extremes, voxels: voxels, rule: { $0.myocardium = 1 }))
    let picture = try #require(result.cyclePicture)
    #expect(picture.lastPathComponent == "contours.png")
    #expect(FileManager.default.fileExists(atPath: picture.path))
    let mass = try #require(result.mass)
    #expect(mass.structure == "Noise coded as spleen")
    #expect(abs(mass.grams - 20 * voxelMillilitres * 1.05) < 1e-9)
    #expect(result.summary.contains("mass 0.7 g at end-diastole (1.05 g/ml)"))
    let all = try segmented(try await process(series, .all, voxels: voxels))
    #expect(all.cyclePicture == nil && all.mass == nil)
  }

  @Test func anImplausibleFractionIsNoHeart() async throws {
    let series = try CineSeries(triggerTimes: [0, 100, 200, 300])
    let still: [Double: Int] = [0: 100, 100: 99, 200: 99, 300: 100]
    func result(_ usual: [Double], _ voxels: [Double: Int]) async throws -> SeriesOutcome {
      try await process(
        series, .extremes, voxels: voxels,
        rule: { $0.ejectionFraction = EjectionFractionLimit(usual: usual, accepted: [0.03, 0.9]) })
    }
    await #expect(throws: CardiacCycleError.self) { try await result([0.1, 0.8], still) }
    #expect(try segmented(try await result([0.1, 0.8], voxels)).warnings.count == 2)
    let unusual = try segmented(try await result([0.1, 0.6], voxels))
    #expect(unusual.warnings.count == 3)
    #expect(
      unusual.warnings.last?.hasPrefix(
        "end-systole, phase 3 of 4 at 200 ms: the ejection fraction of Noise coded as liver is 75.0 %"
      )
        == true)
  }

  /// Volumes on different grids are no phases of one stack.
  @Test func unequalGridsAreHeld() throws {
    let series = try CineSeries(triggerTimes: [0, 100]) { image, phase, slice in
      guard phase == 1 else { return }
      image.set(.imagePosition, .DS, ["3", "0", "\(8 * slice)"])
      image.set(.temporalPositionIdentifier, .IS, "2")
    }
    let source = try series.source
    #expect(source.assessment.usableStacks.count == 2, "\(source.assessment.reasons)")
    let held = #expect(throws: HeldSeries.self) { try processor(source, .all) }
    #expect(held?.reasons.first == "the volumes of the series are not phases of one stack")
  }

  /// Magnitude and phase, echoes and b-values are other images of one moment: the network would label
  /// them, and a fraction be computed of them.
  @Test(arguments: [
    (DICOM.Tag.imageType, ["ORIGINAL\\PRIMARY\\M", "ORIGINAL\\PRIMARY\\P"], "ImageType"),
    (.echoTime, ["1.4", "4.2"], "EchoTime"), (.inversionTime, ["100", "350"], "InversionTime"),
  ])
  func volumesThatDifferByMoreThanTimeAreHeld(
    _ tag: DICOM.Tag, _ values: [String], _ name: String
  ) throws {
    // Alone, and with two phases of each.
    for times in [[0, 0], [0.0, 0, 100, 100]] {
      let series = try CineSeries(triggerTimes: times) { image, phase, _ in
        image.set(tag, tag == .imageType ? .CS : .DS, values[phase % 2])
      }
      let source = try series.source
      #expect(source.assessment.usableStacks.count == times.count, "\(source.assessment.reasons)")
      let held = #expect(throws: HeldSeries.self) { try processor(source, .all) }
      #expect(held?.reasons.first?.contains("differ by \(name) and not by time") == true)
    }
  }

  @Test func oneVolumeIsNoCine() throws {
    let source = try CineSeries(triggerTimes: [0]).source
    #expect(source.assessment.usableStacks.count == 1)
    #expect(throws: HeldSeries.self) { try processor(source, .all) }
  }
}
