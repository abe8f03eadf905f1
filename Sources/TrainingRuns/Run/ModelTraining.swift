import Checkpoints
import Evaluation
import FileSystem
import Foundation
import Segmentation
import SeriesProcessing
import Training
import UNETRPP
import Volumes
import Wording

/// Trains a model from random weights, or from those of another: `segmentd train`.
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
    if resume, let name = try model.text(of: "name") {
      try folder.checkIsUnfinished(
        bundle: { $0 == name },
        further: { "start another one: another folder as output, and initialModel: \($0)" })
    }
    let cases = try RunCases(configuration.data)
    let split = try configuration.split.split(cases.names)
    guard !split.heldOut.isEmpty else { throw TrainingError.noHeldOutCases }

    let initial = try configuration.initialModel.map {
      try ModelBundle.load(at: URL(fileURLWithPath: $0))
    }
    report(.note("reading \(counted(split.training.count, "training case"))"))
    let origin = try complete(
      &model, cases: cases, split: split, batch: configuration.options.batch)
    let draft = try model.withOpenLimits().bundle(in: folder.candidate)
    try BundleWriting.checkIsFree(draft.name, in: folder.models)
    if let initial, initial.network != draft.network {
      throw TrainingError.differentNetwork(initialModel: initial.directory.path)
    }
    let run = try TrainingRun.prepare(
      request(configuration, model: model, draft: draft, initial: initial, cases, split),
      in: folder, resume: resume, report: report)
    let state = try await run.train(stop: stop)
    guard state != .stopped else { return run.report(state) }

    report(
      .note(
        "measuring limits, then scoring \(counted(split.heldOut.count, "held-out case"))"
      ))
    try measure(&model, draft: draft, cases: cases.named(split.training), reader: CaseReader(draft))
    let end = RunEnd(
      run: run, name: draft.name, document: model,
      origin: [
        ("training cases", "\(split.training.count); \(origin)"),
        ("held-out cases", "\(split.heldOut.count), not trained with"),
      ]
        + (initial.map {
          [("initial weights", "\($0.name) \($0.version), SHA-256 \($0.weightsSHA256)")]
        } ?? []),
      limits:
        "Spacing, extent and intensities of an input are checked against ranges around those of "
        + "the training volumes, the size of each label against those of the training labels.")
    return try await end.publish(state, stop: stop)
  }

  private static func request(
    _ configuration: TrainingConfiguration, model: ModelDocument, draft: ModelBundle,
    initial: ModelBundle?, _ cases: RunCases, _ split: CaseSplit
  ) throws -> RunRequest {
    let augmentation = configuration.augmentation.options(isAnisotropic: draft.isAnisotropic)
    var more = [
      "data.training": try cases.digest(split.training),
      "data.heldOut": try cases.digest(split.heldOut),
    ]
    more["initialModel"] = initial?.weightsSHA256
    return RunRequest(
      model: model, draft: draft, options: configuration.options, augmentation: augmentation,
      settings: try RunSettings(
        configuration.options, augmentation: augmentation, model: model, more: more),
      threads: threadCount(configuration.threads),
      caseBytes: byteCount(gigabytes: configuration.caseMemoryGB),
      training: cases.named(split.training),
      heldOut: cases.named(split.heldOut),
      weights: try initial.map { try SafetensorsFile(path: $0.weights.path) })
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
      let measured: (fingerprint: DataFingerprint, orientation: [PatientDirection])
      do {
        measured = try Self.measured(
          cases.named(split.training), reader, orientation: stated?.orientation)
      } catch let found as TrainingDataErrors {
        let heldOut = reader.faults(in: cases.named(split.heldOut), threads: threadCount(0))
        throw TrainingDataErrors(errors: found.errors + heldOut)
      }
      let classes = try network?.classes ?? model.labelCount() + 1
      // Half of the machine's memory, free or not: a resumed run derives the same.
      let memory = DerivedPlan.Request.Memory(
        bytes: Int(clamping: ProcessInfo.processInfo.physicalMemory / 2), batch: batch, threads: 1)
      let derived = try DerivedPlan(
        measured.fingerprint,
        DerivedPlan.Request(
          modalities: try model.modalities(), channels: channels, classes: classes,
          orientation: measured.orientation, preprocessing: stated, memory: memory))
      let parts = [network == nil ? "network" : nil, stated == nil ? "preprocessing" : nil]
      origin = "\(parts.compactMap(\.self).joined(separator: " and ")) derived from them"
      try model.complete(network: derived.network)
      try model.complete(preprocessing: derived.preprocessing)
    }
    try model.completeInference()
    return origin
  }

  /// The fingerprint of cases and the orientation of their arrays: the one stated, else that of the
  /// first case, or as acquired where a case is oblique. Files in NIfTI and in DICOM seldom have their
  /// axes in one order, so that a model that says nothing of orientation would fit one kind alone.
  private static func measured(
    _ files: [CaseFiles], _ reader: CaseReader, orientation stated: [PatientDirection]?
  ) throws -> (fingerprint: DataFingerprint, orientation: [PatientDirection]) {
    var orientation = stated
    var measurement: FingerprintMeasurement?
    var errors: [TrainingDataError] = []
    var isOblique = false
    for item in files {
      do throws(TrainingDataError) {
        let found = try reader.read(item)
        let directions = found.labels.grid.directions
        let usual = orientation ?? directions ?? []
        if stated == nil, directions == nil, !usual.isEmpty {
          isOblique = true
          break
        }
        orientation = usual
        var next = measurement ?? FingerprintMeasurement(orientation: usual)
        try next.add(found)
        measurement = next
      } catch {
        errors.append(error)
      }
    }
    if isOblique { return try measured(files, reader, orientation: []) }
    guard errors.isEmpty, let measurement else {
      throw TrainingDataErrors(errors: errors.isEmpty ? [.noCases] : errors)
    }
    return (measurement.fingerprint, orientation ?? [])
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
