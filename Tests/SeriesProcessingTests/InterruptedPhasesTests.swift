import Foundation
import GeometryGate
import Results
import Segmentation
import Synchronization
import TestSupport
import Testing

@testable import SeriesProcessing

/// A cine series whose segmentation is interrupted between its phases and within one.
@Suite struct InterruptedPhasesTests {
  private let folder: TemporaryFolder
  private let series: CineSeries

  init() throws {
    folder = try TemporaryFolder()
    series = try CineSeries(triggerTimes: [0, 40, 80])
  }

  private func segmenter(_ phases: PhaseChoice, mirrorAxes: [Int]) throws -> Segmenter {
    var bundle = try ModelBundle.load(
      at: TestFiles.fixtures.appendingPathComponent("models/untrained-tiny-mr"))
    bundle.cine = CineRule(phases: phases, cavities: [4])
    bundle.inference.mirrorAxes = mirrorAxes
    return try Segmenter(bundle: bundle, threads: 1)
  }

  private final class Counter: Sendable {
    private let count = Mutex(0)
    var value: Int { count.withLock { $0 } }
    func add() -> Int {
      count.withLock {
        $0 += 1
        return $0
      }
    }
  }

  /// - Parameter stop: the patch, counted over all phases, after which it is interrupted.
  private func run(
    _ name: String, _ segmenter: Segmenter, stopAfter stop: Int? = nil, counter: Counter
  ) async throws -> SeriesOutcome {
    let processor = SeriesProcessor(
      geometry: GeometryRules(), installation: "TEST", memory: MemoryBudget(limit: nil))
    let input = ModelInput(series.files)
    let fingerprint = try processor.dependencies(of: input, model: segmenter.bundle).fingerprint
    let output = folder.url.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: output, withIntermediateDirectories: false)
    let interruption = Interruption()
    return try await processor.process(
      input, segmenter: segmenter, identity: ResultIdentity(fingerprint: fingerprint),
      output: output,
      control: SegmentationControl(
        interruption: interruption,
        checkpoints: PredictionCheckpoints(
          folder: folder.url.appendingPathComponent(name), fingerprint: fingerprint, program: "1"))
    ) { _ in
      if counter.add() == stop { interruption.request() }
    }.outcome
  }

  private func hashes(_ outcome: SeriesOutcome) throws -> [String] {
    guard case .segmented(let series) = outcome else {
      Issue.record("\(outcome)")
      return []
    }
    return series.objects.map(\.sha256)
  }

  /// Of all phases; and of the extremes, which are mirrored once they are found among phases that are not.
  @Test(arguments: [(.all, []), (.extremes, [1, 2])] as [(PhaseChoice, [Int])])
  func phasesThatAreDoneAreNotComputedAgain(_ phases: PhaseChoice, _ mirrorAxes: [Int])
    async throws
  {
    let segmenter = try segmenter(phases, mirrorAxes: mirrorAxes)
    let counter = Counter()
    let expected = try hashes(await run("whole", segmenter, counter: counter))
    let all = counter.value
    #expect(expected.count == (phases == .all ? 3 : 2))
    #expect(all >= (phases == .all ? 3 : 5))
    for stop in 1...all {
      let counter = Counter()
      await #expect(throws: SegmentationInterrupted.self) {
        try await run("\(stop)", segmenter, stopAfter: stop, counter: counter)
      }
      #expect(
        try hashes(await run("\(stop)", segmenter, counter: counter)) == expected, "after \(stop)")
      #expect(counter.value == all)
    }
  }
}
