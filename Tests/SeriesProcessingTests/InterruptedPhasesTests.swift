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
  private let segmenter: Segmenter

  init() throws {
    folder = try TemporaryFolder()
    series = try CineSeries(triggerTimes: [0, 40, 80])
    var bundle = try ModelBundle.load(
      at: TestFiles.fixtures.appendingPathComponent("models/untrained-tiny-mr"))
    bundle.cine = CineRule(phases: .all, cavities: [1])
    segmenter = try Segmenter(bundle: bundle, threads: 1)
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
  private func run(_ name: String, stopAfter stop: Int? = nil, counter: Counter) async throws
    -> SeriesOutcome
  {
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

  @Test func phasesThatAreDoneAreNotComputedAgain() async throws {
    let counter = Counter()
    let expected = try hashes(await run("whole", counter: counter))
    let all = counter.value
    #expect(expected.count == 3 && all >= 3)
    for stop in 1...all {
      let counter = Counter()
      await #expect(throws: SegmentationInterrupted.self) {
        try await run("\(stop)", stopAfter: stop, counter: counter)
      }
      #expect(try hashes(await run("\(stop)", counter: counter)) == expected, "after \(stop)")
      #expect(counter.value == all)
    }
  }
}
