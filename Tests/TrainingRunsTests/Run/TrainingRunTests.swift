import Checkpoints
import Foundation
import Segmentation
import TestSupport
import Testing

@testable import TrainingRuns

@Suite struct TrainingRunTests {
  private let training: PhantomTraining

  init() throws { training = try PhantomTraining() }

  /// Trains until the end, or until a step.
  @discardableResult
  private func train(
    _ training: PhantomTraining, resume: Bool = false, threads: Int = 1, stopAfter: Int? = nil,
    log: EventLog = EventLog()
  ) async throws -> TrainingReport.State {
    let stop = StopRequest()
    log.onStep = { if $0 == stopAfter { stop.request() } }
    let run = try TrainingRun(
      training.plan(threads: threads), in: RunFolder(training.output), resume: resume
    ) { log.add($0) }
    return try await run.train(stop: stop)
  }

  private func file(_ name: String, of training: PhantomTraining) -> URL {
    URL(fileURLWithPath: training.output).appendingPathComponent(name)
  }

  private func checkpoint(_ training: PhantomTraining) throws -> [String: [Float]] {
    let file = try SafetensorsFile(
      path: file("checkpoint.safetensors", of: training).path)
    return Dictionary(
      uniqueKeysWithValues: try file.tensorNames.map { ($0, try file.floats($0)) })
  }

  /// The logs without the columns of time.
  private func rows(_ name: String, of training: PhantomTraining) -> [[Substring]] {
    RowLog.rows(of: file(name, of: training)).map {
      var fields = $0.text.split(separator: ",")
      fields.remove(at: 1)
      return fields
    }
  }

  @Test func lossFallsAndDiceRises() async throws {
    let log = EventLog()
    #expect(try await train(training, log: log) == .finished)
    #expect(log.problems.isEmpty)
    let losses = log.losses
    #expect(losses.count == 60)
    let (early, late) = (losses.prefix(5).reduce(0, +) / 5, losses.suffix(5).reduce(0, +) / 5)
    #expect(late < 0.6 * early, "\(early) to \(late)")
    #expect(log.dice.count == 3)
    #expect(log.dice[2] > log.dice[0] && log.dice[2] > 0.5, "\(log.dice)")
    #expect(rows("log.csv", of: training).count == 60)
    #expect(rows("validation.csv", of: training).count == 3)
    let picture = try Data(contentsOf: file("curves.png", of: training))
    #expect(picture.prefix(4) == Data([0x89, 0x50, 0x4E, 0x47]))
    // The validated weights are a bundle that every command opens.
    let candidate = try ModelBundle.load(at: file("candidate", of: training))
    #expect(candidate.labels.map(\.name) == ["Ball", "Small ball"])
  }

  @Test(arguments: [20, 27]) func aStoppedRunContinuesAsIfItHadNot(step: Int) async throws {
    var whole = training
    whole.options.steps = 33
    try await train(whole, threads: 1)
    var parts = try PhantomTraining()
    parts.options.steps = 33
    #expect(try await train(parts, threads: 2, stopAfter: step) == .stopped)
    #expect(rows("log.csv", of: parts).count == step)
    #expect(try await train(parts, resume: true, threads: 3) == .finished)
    #expect(try checkpoint(parts) == checkpoint(whole))
    #expect(rows("log.csv", of: parts) == rows("log.csv", of: whole))
    #expect(rows("validation.csv", of: parts) == rows("validation.csv", of: whole))
  }

  @Test func aRunResumesFromItsCheckpointAfterAKill() async throws {
    var whole = training
    whole.options.steps = 12
    try await train(whole)
    var killed = try PhantomTraining()
    killed.options.steps = 12
    try await train(killed, stopAfter: 5)
    // What a kill leaves: rows after the checkpoint, a row cut short, half a checkpoint.
    let log = try FileHandle(forWritingTo: file("log.csv", of: killed))
    try log.seekToEnd()
    try log.write(contentsOf: Data("6,1.0,0.5,0.5,0.1,1.0\n7,1.".utf8))
    try log.close()
    let half = file("checkpoint.safetensors.part", of: killed)
    try Data("half".utf8).write(to: half)
    try await train(killed, resume: true)
    #expect(try checkpoint(killed) == checkpoint(whole))
    #expect(rows("log.csv", of: killed) == rows("log.csv", of: whole))
    #expect(!FileManager.default.fileExists(atPath: half.path))
  }

  @Test func otherSettingsDoNotResume() async throws {
    var training = training
    training.options.steps = 3
    try await train(training, stopAfter: 2)
    training.options.optimiser.rate = 0.5
    await #expect(
      throws: TrainingError.differentSetting(
        key: "optimiser.rate", started: "0.003", now: "0.5")
    ) { try await train(training, resume: true) }
  }

  @Test func damagedCheckpointsAreNamed() async throws {
    var training = training
    training.options.steps = 3
    try await train(training, stopAfter: 2)
    let url = file("checkpoint.safetensors", of: training)
    let data = try Data(contentsOf: url)
    for damaged in [data.prefix(data.count / 2), Data("{}".utf8), Data()] {
      try damaged.write(to: url)
      await #expect {
        try await train(training, resume: true)
      } throws: { error in
        guard case .damagedCheckpoint(url.path, _) = error as? TrainingError else { return false }
        return true
      }
    }
    try FileManager.default.removeItem(at: url)
    try SafetensorsWriter.write([("a", [1], [1])], to: url.path)
    await #expect(
      throws: TrainingError.damagedCheckpoint(
        path: url.path, reason: "is not a checkpoint of segmentd train")
    ) { try await train(training, resume: true) }
  }

  @Test func whatIsNotFiniteEndsTheTrainingAndTheLastGoodCheckpointStays() async throws {
    var training = training
    training.options.steps = 9
    training.notANumberAt = 6
    let before = EventLog()
    await #expect {
      try await train(training, log: before)
    } throws: { error in
      guard case .notFinite(6, let cases, _, let checkpoint) = error as? TrainingError else {
        return false
      }
      return cases.count == 2 && checkpoint == file("checkpoint.safetensors", of: training).path
    }
    #expect(before.losses.count == 6)
    let weights = try checkpoint(training)
    #expect(weights.values.allSatisfy { $0.allSatisfy(\.isFinite) })
    // With good images the run goes on from there.
    training.notANumberAt = nil
    #expect(try await train(training, resume: true) == .finished)
  }

  @Test func anExplodingRateIsAnErrorAndNotAModel() async throws {
    var training = training
    training.options.optimiser.rate = 1e30
    training.options.schedule.warmupSteps = 0
    await #expect {
      try await train(training)
    } throws: { error in
      guard case .notFinite = error as? TrainingError else { return false }
      return true
    }
    if FileManager.default.fileExists(atPath: file("checkpoint.safetensors", of: training).path) {
      #expect(try checkpoint(training).values.allSatisfy { $0.allSatisfy(\.isFinite) })
    }
  }

  @Test func aCheckpointThatCannotBeWrittenLeavesTheLastOne() async throws {
    var training = training
    training.options.steps = 8
    try await train(training, stopAfter: 3)
    let last = try checkpoint(training)
    // The neighbour to which the next one would be written cannot be made.
    let neighbour = file("checkpoint.safetensors.part", of: training)
    try FileManager.default.createDirectory(at: neighbour, withIntermediateDirectories: true)
    let log = EventLog()
    await #expect {
      try await train(training, resume: true, log: log)
    } throws: { error in
      guard case .unwritable(let path, _) = error as? TrainingError else { return false }
      return path.hasSuffix("checkpoint.safetensors")
    }
    // All steps were made all the same: the disk might have had room again.
    #expect(log.losses.count == 5)
    #expect(log.problems.contains { $0.contains("the last checkpoint stays") })
    #expect(try checkpoint(training) == last)
    try FileManager.default.removeItem(at: neighbour)
    #expect(try await train(training, resume: true) == .finished)
  }

  @Test(.enabled(if: SmallFileSystem.isPossible, "\(SmallFileSystem.isImpossible)"))
  func aFullDiskLeavesTheLastCheckpoint() async throws {
    var training = training
    training.options.steps = 6
    training.options.validation.everySteps = 100
    // Room for one checkpoint and not for its successor next to it.
    let bytes = try await checkpointBytes()
    let disk = try SmallFileSystem(
      at: URL(fileURLWithPath: training.output), kilobytes: bytes * 3 / 2 / 1024)
    let log = EventLog()
    await #expect {
      try await train(training, log: log)
    } throws: { error in
      guard case .unwritable(let path, let reason) = error as? TrainingError else { return false }
      return path.hasSuffix("checkpoint.safetensors") && reason.contains("No space left on device")
    }
    #expect(log.losses.count == 6)
    #expect(log.problems.count == 5)
    #expect(log.problems.allSatisfy { $0.contains("the last checkpoint stays") })
    #expect(try checkpoint(training).values.allSatisfy { $0.allSatisfy(\.isFinite) })
    try disk.remount(kilobytes: bytes * 4 / 1024)
    let second = EventLog()
    #expect(try await train(training, resume: true, log: second) == .finished)
    // The one checkpoint that fitted was that of the first step.
    #expect(second.losses.count == 5)
  }

  private func checkpointBytes() async throws -> Int {
    var training = try PhantomTraining()
    training.options.steps = 1
    try await train(training)
    let path = file("checkpoint.safetensors", of: training).path
    return try #require(FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
  }

  @Test func patienceEndsATrainingEarly() async throws {
    var training = training
    training.options.validation.everySteps = 2
    training.options.validation.patience = 2
    // Nothing is learned, so that no validation is better than the first.
    training.options.optimiser.rate = 0
    training.options.optimiser.decay = 0
    #expect(try await train(training) == .finishedEarly)
    #expect(rows("log.csv", of: training).count == 6)
    #expect(try await train(training, resume: true) == .finishedEarly)
  }
}
