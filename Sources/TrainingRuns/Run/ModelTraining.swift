import Evaluation
import Foundation
import Segmentation
import SeriesProcessing
import Training
import UNETRPP

/// Trains a model from random weights: `segmentd train`.
///
/// ```swift
/// let report = try await ModelTraining.train(
///   TrainingConfiguration.load("train.yaml"), file: "train.yaml", resume: false, stop: StopRequest()
/// ) { event in … }
/// print(report.bundle ?? "stopped")
/// ```
public enum ModelTraining {
  /// Trains to the end, or until a stop is requested.
  ///
  /// - Parameters:
  ///   - configuration: of the training.
  ///   - file: the configuration's file, whose section `model` is read.
  ///   - resume: whether the run in the output folder continues.
  ///   - stop: ends the training after the step in hand, with a checkpoint.
  ///   - report: told what happens.
  /// - Throws: ``TrainingError``, ``TrainingDataErrors``, `ModelBundleError`, `CaseListError`,
  ///   ``CaseSplitError``, `NetworkError`.
  public static func train(
    _ configuration: TrainingConfiguration, file: String, resume: Bool, stop: StopRequest,
    report: @escaping (TrainingEvent) -> Void
  ) async throws -> TrainingReport {
    let folder = try RunFolder(configuration.output)
    try folder.check(resume: resume)
    var model = try ModelDocument(file: file, key: "model")
    let cases = try RunCases(configuration.data)
    let split = try configuration.split.split(cases.names)
    guard !split.heldOut.isEmpty else { throw TrainingError.noHeldOutCases }

    report(.note("reading \(split.training.count) training cases"))
    let origin = try complete(
      &model, cases: cases, split: split, batch: configuration.options.batch)
    let draft = try model.withOpenLimits().bundle(in: folder.candidate)
    let augmentation = configuration.augmentation.options(isAnisotropic: draft.isAnisotropic)
    let settings = try RunSettings(
      configuration.options, augmentation: augmentation, model: model,
      more: [
        "data.training": cases.digest(split.training), "data.heldOut": cases.digest(split.heldOut),
      ])
    let run = try TrainingRun.prepare(
      RunRequest(
        model: model, draft: draft, options: configuration.options, augmentation: augmentation,
        settings: settings, threads: threadCount(configuration.threads),
        caseBytes: Int(configuration.caseMemoryGB * 1e9), training: cases.named(split.training),
        heldOut: cases.named(split.heldOut)), in: folder, resume: resume, report: report)
    let state = try await run.train(stop: stop)
    guard state != .stopped else { return run.report(state) }

    report(.note("measuring limits, then scoring \(split.heldOut.count) held-out cases"))
    try measure(&model, draft: draft, cases: cases.named(split.training), reader: CaseReader(draft))
    let end = RunEnd(
      run: run, name: draft.name, document: model,
      origin: [
        ("training cases", "\(split.training.count); \(origin)"),
        ("held-out cases", "\(split.heldOut.count), not trained with"),
      ])
    return try await end.publish(state, stop: stop)
  }

  /// Adds to the model's sections what is derived from the training cases.
  ///
  /// - Returns: in words where network and preprocessing come from.
  private static func complete(
    _ model: inout ModelDocument, cases: RunCases, split: CaseSplit, batch: Int
  ) throws -> String {
    var origin = "network and preprocessing as stated"
    if !model.states("network") || !model.states("preprocessing") {
      let network = try model.network()
      let channels = try network?.inputChannels ?? cases.channelCount()
      let stated = try model.preprocessing(channels: channels)
      let reader = CaseReader(channels: channels, labels: try model.labels())
      var measurement = FingerprintMeasurement(orientation: stated?.orientation ?? [])
      var errors: [TrainingDataError] = []
      for files in cases.named(split.training) {
        do throws(TrainingDataError) {
          try measurement.add(try reader.read(files))
        } catch {
          errors.append(error)
        }
      }
      guard errors.isEmpty else { throw TrainingDataErrors(errors: errors) }
      let classes = try network?.classes ?? model.labelCount() + 1
      // Half of the machine's memory, free or not: a resumed run derives the same.
      let memory = DerivedPlan.Request.Memory(
        bytes: Int(clamping: ProcessInfo.processInfo.physicalMemory / 2), batch: batch, threads: 1)
      let derived = try DerivedPlan(
        measurement.fingerprint,
        DerivedPlan.Request(
          modalities: try model.modalities(), channels: channels, classes: classes,
          preprocessing: stated, memory: memory))
      let parts = [network == nil ? "network" : nil, stated == nil ? "preprocessing" : nil]
      origin = "\(parts.compactMap(\.self).joined(separator: " and ")) derived from them"
      try model.complete(network: derived.network)
      try model.complete(preprocessing: derived.preprocessing)
    }
    try model.completeInference()
    return origin
  }

  /// Adds the limits that the training cases show, where none are stated.
  private static func measure(
    _ model: inout ModelDocument, draft: ModelBundle, cases: [CaseFiles], reader: CaseReader
  ) throws {
    var measurement = LimitMeasurement(
      preprocessing: draft.preprocessing, mirrorAxes: draft.inference.mirrorAxes,
      labels: draft.labels.map(\.value))
    for files in cases {
      let item = try reader.read(files)
      try measurement.add(item.channels, labels: item.labels)
    }
    try model.complete(
      input: measurement.input(
        modalities: draft.input.modalities, bodyParts: draft.input.bodyParts),
      output: measurement.output())
  }
}
