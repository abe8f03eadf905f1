import Foundation
import TestSupport
import Testing
import Volumes

@testable import Segmentation

/// A segmentation that was interrupted and resumes from its checkpoint comes to the very same result.
@Suite struct InterruptedPredictionTests {
  private typealias Case = StreamedLabelsTests.Case

  private let folder: TemporaryFolder
  private var checkpoints: URL { folder.url.appendingPathComponent("7") }

  init() throws { folder = try TemporaryFolder() }

  private final class Reports: @unchecked Sendable {
    // Only the thread of the segmentation, which is the test's, appends.
    var all: [PredictionCheckpoints.Report] = []
    var discarded: Int { all.count { if case .discarded = $0 { true } else { false } } }
    var written: Int { all.count { if case .written = $0 { true } else { false } } }
    var notWritten: Int { all.count { if case .notWritten = $0 { true } else { false } } }
  }

  private func control(
    _ reports: Reports = Reports(), interval: Duration? = nil, fingerprint: String = "f",
    program: String = "1", diskReserve: Int = 0, folder: URL? = nil
  ) -> SegmentationControl {
    SegmentationControl(
      interruption: Interruption(),
      checkpoints: PredictionCheckpoints(
        folder: folder ?? checkpoints, fingerprint: fingerprint, program: program,
        interval: interval, diskReserve: diskReserve
      ) { reports.all.append($0) })
  }

  /// - Parameters:
  ///   - stop: the pass after which it is interrupted.
  ///   - passes: is increased by each.
  /// - Returns: nil where it was interrupted.
  private func run(
    _ item: StreamedLabelsTests.Case, _ control: SegmentationControl = SegmentationControl(),
    purpose: SegmentationPurpose = .result, stopAfter stop: Int? = nil, arithmetic: String = "",
    passes: inout Int
  ) throws -> LabelVolume? {
    let bundle = try StreamedLabelsTests.bundle(item)
    let volume = StreamedLabelsTests.volume(item)
    var done = 0
    defer { passes += done }
    do {
      return try segmentation(
        of: { [volume] }, bundle: bundle, purpose: purpose, control: control,
        arithmetic: arithmetic, progress: { _ in },
        forward: { input, logits in
          StreamedLabelsTests.classify(input, logits)
          done += 1
          if done == stop { control.interruption?.request() }
        })
    } catch is SegmentationInterrupted {
      return nil
    }
  }

  /// At each of several passes, in the middle of a patch too, and after every single one.
  @Test(arguments: StreamedLabelsTests.cases)
  func resumesWithTheSameLabels(_ item: StreamedLabelsTests.Case) throws {
    var all = 0
    let expected = try #require(try run(item, passes: &all))
    let points = all <= 12 ? Array(1...all) : [1, 2, 3, all / 3, all / 2, all - 1, all]
    for point in points {
      var passes = 0
      let interrupted = try run(item, control(), stopAfter: point, passes: &passes)
      #expect(interrupted == nil && passes == point)
      #expect(try run(item, control(), passes: &passes) == expected, "after \(point) of \(all)")
      #expect(passes == all, "nothing is computed twice")
      try FileManager.default.removeItem(at: checkpoints)
    }
    var (passes, attempts) = (0, 0)
    var labels: LabelVolume?
    while labels == nil, attempts <= all {
      labels = try run(item, control(), stopAfter: 1, passes: &passes)
      attempts += 1
    }
    #expect(labels == expected && passes == all && attempts == all + 1)
  }

  /// Not only the labels: every bit of the probabilities.
  @Test(arguments: [[], [0, 1, 2]])
  func theSumsAreTheSameBits(mirrorAxes: [Int]) throws {
    let window = SlidingWindow(
      patch: [4, 8, 6], channels: 1, classes: 5, step: 0.5, mirrorAxes: mirrorAxes)
    let shape = [13, 11, 17]
    let image = (0..<shape.reduce(1, *)).map { Float(($0 * 7919) % 101) / 13 }
    struct Stop: Error {}
    func planes(from state: PredictionState?, stopAfter stop: Int?) throws -> (
      [[UInt32]], PredictionState?
    ) {
      var planes: [[UInt32]] = []
      var (passes, stopped) = (0, nil as PredictionState?)
      do {
        try window.forEachPlane(
          image, shape: shape, from: state, forward: StreamedLabelsTests.classify
        ) { _, _ in
        } passDone: { position, accumulator in
          passes += 1
          guard passes == stop else { return }
          stopped = PredictionState(
            position: position, isFinished: false, planes: accumulator.state,
            assembly: .init(planesSeen: 0, slicesDone: 0, labels: [], lower: [1.5], upper: []))
          throw Stop()
        } planeDone: {
          planes.append($0.map(\.bitPattern))
        }
      } catch is Stop {}
      return (planes, stopped)
    }
    let expected = try planes(from: nil, stopAfter: nil).0
    let bundle = try untrainedBundle()
    let plan = try PreprocessingPlan(
      bundle.preprocessing, grid: uprightGrid(shape: shape, spacing: [1, 1, 1]))
    let subject = PredictionSubject(try #require(control().checkpoints), bundle, window, plan)
    let path = folder.url.appendingPathComponent("state").path
    for stop in [1, 2, 7, 20, 31] {
      let (before, state) = try planes(from: nil, stopAfter: stop)
      try PredictionFile.write(try #require(state), subject: subject, to: path)
      let read = try PredictionFile.read(path, subject: subject)
      #expect(read.assembly.lower == [1.5] && read.position == state?.position)
      let after = try planes(from: read, stopAfter: nil).0
      #expect(before + after == expected, "after pass \(stop)")
    }
  }

  private static let item = Case(
    shape: [19, 23, 30], spacing: [2, 2, 2], target: [2, 2.3, 2], patch: [8, 8, 8])

  /// Whatever became of the file, the result is right, and computed from the beginning.
  @Test func aDamagedCheckpointIsNotUsed() throws {
    var all = 0
    let expected = try run(Self.item, passes: &all)
    var passes = 0
    #expect(try run(Self.item, control(), stopAfter: all / 2, passes: &passes) == nil)
    let file = checkpoints.appendingPathComponent("volume.prediction")
    let whole = try Data(contentsOf: file)
    var damaged: [Data] = [
      Data(), whole.prefix(7), whole.prefix(60), whole.dropLast(), whole + [0],
    ]
    for place in [
      0, 8, 15, 30, whole.count / 3, whole.count / 2, whole.count - 40, whole.count - 1,
    ] {
      var copy = whole
      copy[place] ^= 0x10
      damaged.append(copy)
    }
    for data in damaged {
      try data.write(to: file)
      let reports = Reports()
      passes = 0
      #expect(try run(Self.item, control(reports), passes: &passes) == expected)
      #expect(passes == all && reports.discarded == 1)
      #expect(!FileManager.default.fileExists(atPath: file.path))
    }
  }

  @Test func aCheckpointOfSomethingElseIsNotUsed() throws {
    var all = 0
    let expected = try run(Self.item, passes: &all)
    var other = Self.item
    other.mirrorAxes = [1]
    for (item, control) in [
      (Self.item, control(fingerprint: "g")), (Self.item, control(program: "2")),
      (other, control()), (Self.item, control().volume(named: "volume2")),
    ] {
      var passes = 0
      #expect(try run(Self.item, self.control(), stopAfter: all / 2, passes: &passes) == nil)
      passes = 0
      let labels = try run(item, control, passes: &passes)
      if item.mirrorAxes.isEmpty { #expect(labels == expected && passes == all) }
      #expect(passes >= all)
    }
  }

  /// A search sees each patch once, as a model that does not mirror; its sums are not those of a result.
  @Test func aSearchIsNotMirroredAndItsCheckpointNotUsedForAResult() throws {
    var mirrored = Self.item
    mirrored.mirrorAxes = [1, 2]
    var (plain, all, passes) = (0, 0, 0)
    let expected = try run(Self.item, passes: &plain)
    let result = try run(mirrored, passes: &all)
    #expect(try run(mirrored, purpose: .search, passes: &passes) == expected)
    #expect(passes == plain && all > plain && plain > 2)
    for second in SegmentationPurpose.allCases {
      let first = second == .result ? SegmentationPurpose.search : .result
      let stopped = try run(
        mirrored, control(), purpose: first, stopAfter: plain / 2, passes: &passes)
      #expect(stopped == nil)
      let reports = Reports()
      passes = 0
      #expect(
        try run(mirrored, control(reports), purpose: second, passes: &passes)
          == (second == .search ? expected : result))
      #expect(passes == (second == .search ? plain : all) && reports.discarded == 1)
    }
  }

  /// Sums of two kinds of processors would be those of neither.
  @Test func aCheckpointOfAnotherArithmeticIsNotUsed() throws {
    var all = 0
    _ = try run(Self.item, passes: &all)
    var passes = 0
    let stopped = try run(
      Self.item, control(), stopAfter: all / 2, arithmetic: "avx2", passes: &passes)
    #expect(stopped == nil)
    let reports = Reports()
    passes = 0
    _ = try run(Self.item, control(reports), arithmetic: "avx512", passes: &passes)
    #expect(passes == all && reports.discarded == 1)
  }

  /// What another executor has computed is taken along; of two that which is further.
  @Test func checkpointsOfAnotherFolderAreTakenOver() throws {
    var all = 0
    let expected = try run(Self.item, passes: &all)
    // Of another file system, where there is one.
    let memory = "/dev/shm/segmentd-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: memory) }
    let others = [folder.url.appendingPathComponent("job"), URL(fileURLWithPath: memory)]
    func interrupted(at place: URL, after pass: Int) throws {
      var passes = 0
      #expect(
        try run(Self.item, control(folder: place), stopAfter: pass, passes: &passes) == nil)
    }
    let places = [(nil, all / 2), (all / 3, all / 2), (all / 2, all / 3)] as [(Int?, Int)]
    for (number, (here, there)) in (places + places).enumerated() {
      let parent = others[number % 2]
      let other = parent.appendingPathComponent("checkpoint")
      guard
        (try? FileManager.default.createDirectory(
          at: parent, withIntermediateDirectories: true)) != nil
      else { continue }
      if let here { try interrupted(at: checkpoints, after: here) }
      try interrupted(at: other, after: there)
      let reports = Reports()
      let taken = try #require(control(reports).checkpoints).takeOver(from: other)
      #expect(taken == (there > here ?? 0 ? 1 : 0) && reports.all.isEmpty)
      #expect(try FileManager.default.contentsOfDirectory(atPath: other.path) == [])
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: checkpoints.path)
          == ["volume.prediction"])
      var passes = 0
      #expect(try run(Self.item, control(), passes: &passes) == expected)
      #expect(passes == all - max(there, here ?? 0))
      try FileManager.default.removeItem(at: checkpoints)
    }
    #expect(try #require(control().checkpoints).takeOver(from: checkpoints) == 0)
  }

  /// Damaged, of other work, or no file at all.
  @Test func whatIsNotOfTheJobIsNotTakenOver() throws {
    var all = 0
    _ = try run(Self.item, passes: &all)
    let other = folder.url.appendingPathComponent("checkpoint")
    let file = other.appendingPathComponent("volume.prediction")
    var passes = 0
    #expect(
      try run(Self.item, control(folder: other), stopAfter: all / 2, passes: &passes) == nil)
    let whole = try Data(contentsOf: file)
    var damaged = whole
    damaged[whole.count / 2] ^= 1
    let link = folder.url.appendingPathComponent("whole")
    try whole.write(to: link)
    for (content, control) in [
      (damaged, { control($0) }), (whole, { control($0, fingerprint: "g") }),
      (whole, { control($0, program: "2") }), (nil, { control($0) }),
    ] as [(Data?, (Reports) -> SegmentationControl)] {
      if let content {
        try content.write(to: file)
      } else {
        try FileManager.default.createSymbolicLink(at: file, withDestinationURL: link)
      }
      let reports = Reports()
      #expect(try #require(control(reports).checkpoints).takeOver(from: other) == 0)
      #expect(reports.discarded == 1 && reports.all.count == 1)
      #expect(try FileManager.default.contentsOfDirectory(atPath: other.path) == [])
      #expect(try FileManager.default.contentsOfDirectory(atPath: checkpoints.path) == [])
    }
  }

  /// Written while it runs, readable by us alone, and enough for a process that was killed.
  @Test func checkpointsAreWrittenAllAlong() throws {
    var (all, passes) = (0, 0)
    let expected = try run(Self.item, passes: &all)
    let reports = Reports()
    #expect(try run(Self.item, control(reports, interval: .zero), passes: &passes) == expected)
    #expect(reports.written >= 1 && reports.notWritten == 0)
    let file = checkpoints.appendingPathComponent("volume.prediction")
    for (path, mode) in [(file.path, 0o600), (checkpoints.path, 0o700)] {
      let attributes = try FileManager.default.attributesOfItem(atPath: path)
      #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == mode)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: checkpoints.path).count == 1)
    passes = 0
    #expect(try run(Self.item, control(), passes: &passes) == expected)
    #expect(passes < all)
  }

  /// Without space, or without a folder, it goes on and comes to its result.
  @Test func whereNothingCanBeWrittenTheSegmentationContinues() throws {
    var all = 0
    let expected = try run(Self.item, passes: &all)
    let blocked = folder.url.appendingPathComponent("file")
    try Data().write(to: blocked)
    for control in [
      { control($0, interval: .zero, diskReserve: .max / 2) },
      { control($0, interval: .zero, folder: blocked.appendingPathComponent("7")) },
    ] as [(Reports) -> SegmentationControl] {
      let reports = Reports()
      var passes = 0
      #expect(try run(Self.item, control(reports), passes: &passes) == expected)
      #expect(passes == all && reports.written == 0 && reports.notWritten >= 1)
      passes = 0
      #expect(try run(Self.item, control(Reports()), stopAfter: 3, passes: &passes) == nil)
      passes = 0
      #expect(try run(Self.item, control(Reports()), passes: &passes) == expected)
      #expect(passes == all)
    }
  }

  /// One of several volumes: its labels are kept until the others are done.
  @Test func aFinishedVolumeIsNotComputedAgain() throws {
    var (all, passes) = (0, 0)
    let expected = try run(Self.item, passes: &all)
    #expect(try run(Self.item, control().volume(named: "phase-1"), passes: &passes) == expected)
    passes = 0
    #expect(try run(Self.item, control().volume(named: "phase-1"), passes: &passes) == expected)
    #expect(passes == 0)
    #expect(try run(Self.item, control().volume(named: "phase-2"), passes: &passes) == expected)
    #expect(passes == all)
  }
}
