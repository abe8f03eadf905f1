import Foundation
import GeometryGate
import Ingest
import JobLedger
import Logging
import Results
import SeriesSelection
import TestSupport
import Testing

@testable import Pipeline
@testable import SeriesProcessing

/// A received series of a few CT images, and the job that a tiny network has with it.
struct SmallJob {
  let folder: TemporaryFolder
  let state: StateDirectory
  let ledger: Ledger
  let series: String
  /// The job's number; 0 where the series is not assembled.
  let id: Int64
  private let models = TestFiles.fixtures.appendingPathComponent("models")
  private let logger = Logger(label: "test")

  /// - Parameters:
  ///   - isAssembled: whether the job is made.
  ///   - options: of `make_series.py`.
  ///   - other: has the series, in place of a new one.
  init(
    isAssembled: Bool = true, options: [String] = ["--slices", "5", "--size", "32"],
    series other: SmallJob? = nil
  ) async throws {
    folder = try TemporaryFolder()
    state = try StateDirectory(path: folder.url.appendingPathComponent("state").path)
    ledger = try Ledger(path: state.ledger.path)
    let intake = Intake(
      state: state, ledger: ledger, receptions: ReceptionLog(ledger: ledger, logger: logger),
      logger: logger)
    let files = (other?.folder ?? folder).url.appendingPathComponent("series")
    if other == nil { _ = try await Self.makeSeries(at: files, options) }
    for file in try FileManager.default.contentsOfDirectory(
      at: files, includingPropertiesForKeys: nil)
    { try intake.take(copyOf: file) }
    let due = try #require(try ledger.seriesDue(quietPeriod: 0).first)
    series = due.seriesInstanceUID
    if isAssembled {
      try ledger.assembleSeries(due, jobs: [NewJob(model: "untrained-tiny")])
    }
    id = try ledger.jobs().first?.id ?? 0
  }

  var intake: Intake {
    Intake(
      state: state, ledger: ledger, receptions: ReceptionLog(ledger: ledger, logger: logger),
      logger: logger)
  }

  var runner: JobRunner { runner(memory: MemoryBudget(limit: nil)) }

  /// A runner whose results are sent to destinations, with an executor made of the usual one.
  func runner(
    destinations: ResultRouting, logger: Logger? = nil,
    executor: (any JobExecutor) -> any JobExecutor
  ) -> JobRunner {
    JobRunner(
      state: state, ledger: ledger, executors: [executor(self.executor())],
      destinations: destinations, logger: logger ?? self.logger)
  }

  func runner(memory: MemoryBudget, destinations: ResultRouting = [], ledger: Ledger? = nil)
    -> JobRunner
  {
    JobRunner(
      state: state, ledger: ledger ?? self.ledger, executors: [executor(memory: memory)],
      destinations: destinations, logger: logger)
  }

  func runner(_ executor: any JobExecutor, checkpoints: CheckpointSettings = CheckpointSettings())
    -> JobRunner
  {
    JobRunner(
      state: state, ledger: ledger, executors: [executor], destinations: [],
      checkpoints: checkpoints,
      logger: logger)
  }

  func executor(
    memory: MemoryBudget = MemoryBudget(limit: nil), threads: Int = 1,
    options: ResultOptions = ResultOptions()
  ) -> LocalExecutor {
    LocalExecutor(
      models: ModelLibrary(directories: [models], threads: threads),
      processor: SeriesProcessor(
        geometry: GeometryRules(), installation: "TEST", memory: memory, options: options))
  }

  /// Another series of five images arrives and is assembled.
  ///
  /// - Parameters:
  ///   - priority: of its job.
  ///   - other: has the series, in place of a new one.
  /// - Returns: the number of its job.
  func addJob(priority: Int, of other: SmallJob? = nil) async throws -> Int64 {
    let series = (other?.folder ?? folder).url.appendingPathComponent("other")
    if other == nil {
      _ = try await Self.makeSeries(
        at: series, ["--slices", "5", "--size", "32", "--seed", "9"])
    }
    for file in try FileManager.default.contentsOfDirectory(
      at: series, includingPropertiesForKeys: nil)
    { try intake.take(copyOf: file) }
    let due = try #require(try ledger.seriesDue(quietPeriod: 0).first)
    try ledger.assembleSeries(due, jobs: [NewJob(model: "untrained-tiny", priority: priority)])
    return try #require(try ledger.jobs().last).id
  }

  /// Assembles at once what has arrived.
  var assembler: SeriesAssembler {
    SeriesAssembler(
      ledger: ledger, receptions: ReceptionLog(ledger: ledger, logger: logger),
      assessor: StudyAssessor(
        state: state, ledger: ledger, rules: ModelRules([ModelRule(model: "untrained-tiny")]),
        geometry: GeometryRules(), incompleteSeries: .hold),
      quietPeriod: 0, logger: logger)
  }

  private static func makeSeries(at series: URL, _ options: [String]) async throws -> [URL] {
    let script = TestFiles.package.appendingPathComponent(
      "Scripts/test-support/generators/make_series.py")
    let result = try await runProcess(
      testPython, [script.path, series.path] + options)
    try #require(result.status == 0, "\(result.output)")
    return try FileManager.default.contentsOfDirectory(
      at: series, includingPropertiesForKeys: nil)
  }
}

extension ModelRules {
  /// The tiny network for every series.
  static let tiny = ModelRules([ModelRule(model: "untrained-tiny")])
}
