import Cryptography
import Evaluation
import FileSystem
import Foundation
import Segmentation
import SeriesProcessing
import Terminology

/// The end of a run: a bundle with its limits, its scores on all held-out cases, and its card.
struct RunEnd {
  let run: TrainingRun
  /// Of the bundle's folder within `models`.
  let name: String
  /// The model's sections, completed.
  var document: ModelDocument
  /// Rows of the card's table of origin, after those that every run has.
  var origin: [(String, String)]
  /// Where the limits of input and output come from, in a sentence.
  var limits: String
  /// Scores of the model that was trained further.
  var before: ValidationScore?

  /// Writes the bundle, opens it as any command does, and scores it.
  ///
  /// - Returns: the report; without a bundle where a stop was requested while cases were scored.
  /// - Throws: ``TrainingError``, `ModelBundleError`, `NetworkError`.
  func publish(_ state: TrainingReport.State, stop: StopRequest) async throws -> TrainingReport {
    var report = run.report(state)
    guard state != .stopped else { return report }
    do {
      let (bundle, score) = try await BundleWriting.publish(name, in: run.folder.models) { folder in
        try await fill(folder, stop: stop)
      }
      report.bundle = run.folder.models.appendingPathComponent(name).path
      report.version = bundle.version
      report.weightsSHA256 = bundle.weightsSHA256
      report.take(score, before: before)
    } catch is CancellationError {
      report.state = .stopped
    }
    return report
  }

  private func fill(_ folder: URL, stop: StopRequest) async throws
    -> (ModelBundle, ValidationScore)
  {
    let weights = folder.appendingPathComponent(BundleWriting.weightsName)
    let isBest = run.plan.options.weights.choice == .best && run.trainer.state.best.step > 0
    if isBest {
      try copy(run.folder.best, to: weights)
    } else {
      try run.writeWeights(to: weights)
    }
    let heading = [
      "Written by segmentd \(SegmentdVersion.current); CARD.md tells how it was trained."
    ]
    try BundleWriting.describe(document, heading: heading, card: nil, in: folder)
    let bundle = try ModelBundle.load(at: folder)
    guard let score = try await run.plan.validation.score(bundle, stop: stop) else {
      throw CancellationError()
    }
    let step = isBest ? run.trainer.state.best.step : run.trainer.state.step
    let parts =
      [("trained by", "segmentd \(SegmentdVersion.current), on the CPU")]
      + [
        ("steps", "\(step) of \(run.plan.options.steps)"),
        ("patches of a step", "\(run.plan.options.batch)"),
      ]
      + origin + [("weights", "SHA-256 \(bundle.weightsSHA256)")]
    var scores = [(heading: "Measured on held-out cases", score: score)]
    if let before { scores.append((heading: "The same cases before", score: before)) }
    let card = TrainingCard(
      bundle: bundle, settings: run.plan.settings, origin: parts, limits: limits,
      scores: scores)
    try BundleWriting.describe(document, heading: heading, card: card.text, in: folder)
    return (bundle, score)
  }

  private func copy(_ source: URL, to target: URL) throws(TrainingError) {
    do {
      try FileManager.default.copyItem(at: source, to: target)
    } catch {
      throw .unwritable(path: target.path, reason: SystemError.text(of: error))
    }
    chmod(target.path, 0o644)
  }
}

extension TrainingRun {
  func report(_ state: TrainingReport.State) -> TrainingReport {
    TrainingReport(
      state: state, folder: folder.url.path, step: trainer.state.step, steps: plan.options.steps,
      seconds: trainer.state.seconds)
  }
}
