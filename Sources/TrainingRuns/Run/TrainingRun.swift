import Checkpoints
import FileSystem
import Foundation
import Segmentation
import SeriesProcessing
import Training
import UNETRPP

/// A training from its start, or from its checkpoint, to its last step.
///
/// Each step's random numbers depend on the seed and the step alone, so that a run that was stopped, at
/// whatever moment, continues as if it had not been.
final class TrainingRun {
  let plan: RunPlan
  let folder: RunFolder
  let trainer: Trainer
  private let logs: TrainingLogs
  private let report: (TrainingEvent) -> Void
  private let clock = ContinuousClock()
  private var lastStore: ContinuousClock.Instant
  /// Set once a checkpoint was written or read.
  private var hasCheckpoint = false

  private var state: TrainingState { trainer.state }

  /// - Parameters:
  ///   - plan: what is trained.
  ///   - folder: of the run.
  ///   - resume: whether it continues from the folder's checkpoint.
  ///   - report: told what happens.
  /// - Throws: ``TrainingError``, `MemoryShortage` or `NetworkError`.
  init(
    _ plan: RunPlan, in folder: RunFolder, resume: Bool,
    report: @escaping (TrainingEvent) -> Void
  ) throws {
    self.plan = plan
    self.folder = folder
    self.report = report
    let bytes = try Trainer.bytes(
      plan.draft.network, options: plan.options, threads: plan.threads)
    try MemoryBudget(limit: nil).check(job: bytes)
    report(
      .prepared(
        trainingCases: plan.trainingCount, heldOutCases: plan.validation.cases.count, bytes: bytes,
        caseBytes: plan.caseBytes))
    trainer = try Trainer(
      plan.draft.network, weights: plan.weights, options: plan.options, threads: plan.threads)
    if resume {
      try TrainingCheckpoint.read(folder.checkpoint, into: trainer.state, settings: plan.settings)
      trainer.network.prepareWeights()
      hasCheckpoint = true
      report(.resumed(step: trainer.state.step))
    }
    logs = try TrainingLogs(folder, labels: plan.draft.labels, after: trainer.state.step)
    lastStore = clock.now
  }

  /// Trains to the last step, to an early end, or until a stop is requested; then a checkpoint holds
  /// the state.
  ///
  /// - Throws: ``TrainingError``; the last good checkpoint stays.
  func train(stop: StopRequest) async throws -> TrainingReport.State {
    let begun = (time: clock.now, step: state.step)
    while true {
      if isValidationDue { try await validateAndStore(stop: stop) }
      guard state.step < plan.options.steps else { return try end(.finished) }
      if isPatienceOver { return try end(.finishedEarly) }
      if stop.isRequested { return try end(.stopped) }
      let result = try step()
      let elapsed = clock.now - begun.time
      let done = Double(state.step - begun.step)
      report(
        .step(
          TrainingProgress(
            step: state.step, steps: plan.options.steps, loss: result.loss, rate: result.rate,
            secondsPerStep: result.seconds,
            remaining: elapsed * (Double(plan.options.steps - state.step) / done))))
      if clock.now - lastStore >= .seconds(plan.options.checkpointSeconds) || isValidationDue {
        try storeOrReport()
      }
    }
  }

  /// Where the disk is full at the very end, that is an error: nothing else would be left.
  private func end(_ end: TrainingReport.State) throws -> TrainingReport.State {
    try store()
    if let problem = logs.draw() { report(.problem(problem)) }
    return end
  }

  private func step() throws -> (loss: Double, rate: Double, seconds: Double) {
    let start = clock.now
    let batch = try plan.patches.batch(step: state.step)
    let result: Trainer.StepResult
    do {
      result = try trainer.step(batch)
    } catch let error where error is LossError || error is GradientNotFinite {
      throw notFinite("\(error)", cases: batch.cases)
    }
    let seconds = (clock.now - start) / .seconds(1)
    state.seconds += seconds
    let problem = logs.add(
      step: state.step, seconds: state.seconds, loss: result.loss.total,
      crossEntropy: result.loss.crossEntropy, rate: result.rate, norm: result.norm)
    if let problem { report(.problem("\(folder.log.path): \(problem)")) }
    return (result.loss.total, result.rate, seconds)
  }

  private func notFinite(_ reason: String, cases: [String] = []) -> TrainingError {
    .notFinite(
      step: state.step, cases: cases, reason: reason,
      checkpoint: hasCheckpoint ? folder.checkpoint.path : nil)
  }

  /// Writes the checkpoint, once every weight is known to be finite.
  private func store() throws {
    lastStore = clock.now
    if let name = state.nonFiniteTensor { throw notFinite("\(name) is not finite") }
    try TrainingCheckpoint.write(state, settings: plan.settings, to: folder.checkpoint)
    hasCheckpoint = true
  }

  /// The same during a training, which a full disk does not end: the older checkpoint stays, and the
  /// next one may fit.
  private func storeOrReport() throws {
    do {
      try store()
    } catch TrainingError.unwritable(let path, let reason) {
      report(.problem("\(path): not written, the last checkpoint stays: \(reason)"))
    }
  }

  private func validateAndStore(stop: StopRequest) async throws {
    do {
      guard try await validate(stop: stop) else { return }
    } catch TrainingError.unwritable(let path, let reason) {
      return report(.problem("\(path): not written, this step is not validated: \(reason)"))
    }
    try storeOrReport()
  }
}

// Validation.
extension TrainingRun {
  private var isValidationDue: Bool {
    state.step > 0 && state.step % plan.options.validation.everySteps == 0
      && state.validatedStep < state.step
  }

  private var isPatienceOver: Bool {
    let patience = plan.options.validation.patience
    return patience > 0 && state.best.validationsSince >= patience
  }

  /// Scores the averaged weights; false where a stop was requested before the end.
  private func validate(stop: StopRequest) async throws -> Bool {
    let bundle = try writeCandidate()
    guard
      let score = try await plan.validation.score(
        bundle, cases: plan.options.validation.cases, stop: stop)
    else { return false }
    for failure in score.failures { report(.problem("\(failure.name): \(failure.reason)")) }
    let mean = score.summary.dice ?? 0
    if mean > state.best.dice {
      state.best = TrainingState.BestValidation(step: state.step, dice: mean)
      if plan.options.weights.choice == .best { try keepBest(bundle.weights) }
    } else {
      state.best.validationsSince += 1
    }
    state.validatedStep = state.step
    let problem = logs.add(step: state.step, seconds: state.seconds, mean: mean, dice: score.dice)
    if let problem { report(.problem(problem)) }
    report(
      .validated(
        step: state.step, labels: bundle.labels.map(\.name), dice: score.dice, mean: mean))
    return true
  }

  /// Writes the averaged weights as a bundle that every command can open.
  private func writeCandidate() throws -> ModelBundle {
    try BundleWriting.makeFolder(folder.candidate)
    try writeWeights(to: folder.candidate.appendingPathComponent(BundleWriting.weightsName))
    try BundleWriting.describe(
      plan.document, heading: ["Step \(state.step) of a training; its limits are not measured."],
      card: nil, in: folder.candidate)
    return try ModelBundle.load(at: folder.candidate)
  }

  func writeWeights(to url: URL) throws {
    try BundleWriting.write(
      trainer.averagedTensors(), precision: plan.options.weights.precision,
      metadata: ["step": "\(state.step)"], to: url)
  }

  private func keepBest(_ weights: URL) throws {
    let temporary = folder.best.appendingPathExtension("part")
    do {
      try? FileManager.default.removeItem(at: temporary)
      try FileManager.default.copyItem(at: weights, to: temporary)
    } catch {
      throw TrainingError.unwritable(path: folder.best.path, reason: SystemError.text(of: error))
    }
    do throws(DurableFileError) {
      try DurableFile.sync(temporary.path)
      try DurableFile.move(temporary.path, to: folder.best.path)
    } catch {
      throw TrainingError(error)
    }
  }
}
