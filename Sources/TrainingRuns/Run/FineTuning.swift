import Checkpoints
import Evaluation
import FileSystem
import Foundation
import Segmentation
import SeriesProcessing
import Training
import Wording

/// Trains a model that is there further, on corrected cases: `segmentd fine-tune`.
///
/// ```swift
/// var tuning = FineTuning(
///   parent: bundle, corrections: DataSource(folder: "corrections"), output: "fine-tuning")
/// tuning.older = DataSource(folder: "acdc")
/// let report = try await tuning.run(resume: false, stop: StopRequest()) { event in … }
/// ```
public struct FineTuning {
  public static let defaultSteps = 500
  /// A tenth of what a training from random weights begins with.
  public static let defaultRate = 1e-4
  /// The part of the patches that show corrections, where older cases are mixed in.
  static let correctionShare = 0.5
  /// One of so many cases is held out.
  static let heldOutEvery = 5

  public var parent: ModelBundle
  public var corrections: DataSource
  /// Cases that the model was trained with, or like them; a correction takes the place of an older
  /// case of its name.
  public var older: DataSource?
  /// The folder of the run.
  public var output: String
  /// The cases or patients that are held out (`CaseFiles.called`); nil for a fifth of the corrections and of the
  /// older cases.
  public var heldOut: [String]?
  /// Whether cases whose names are the same up to the first underscore, such as two phases of a heart, are held
  /// out or trained with together.
  public var byPatient = false
  public var options: TrainingOptions
  /// 0: one for each processor.
  public var threads = 0

  public init(parent: ModelBundle, corrections: DataSource, output: String) {
    self.parent = parent
    self.corrections = corrections
    self.output = output
    options = TrainingOptions(steps: Self.defaultSteps)
    options.optimiser.rate = Self.defaultRate
    options.average = 0.99
    // A bundle has no heads at coarser resolutions: random ones would pull on good weights.
    options.deepSupervision = false
    options.validation.everySteps = 100
  }

  /// Trains to the end, or until a stop is requested. Held-out cases are scored before and after.
  ///
  /// - Parameters:
  ///   - resume: whether the run in the output folder continues.
  ///   - stop: ends the training after the step in hand, with a checkpoint.
  ///   - report: told what happens.
  /// - Throws: as ``ModelTraining/train(_:file:resume:stop:report:)``.
  public func run(
    resume: Bool, stop: StopRequest, report: @escaping (TrainingEvent) -> Void
  ) async throws -> TrainingReport {
    let folder = try RunFolder(URL(fileURLWithPath: output).path)
    try folder.check(resume: resume)
    if resume {
      try folder.checkIsUnfinished(
        bundle: { $0.hasPrefix("\(parent.name)-") },
        further: {
          "start another one: segmentd fine-tune --model \($0) with another folder as --output"
        })
    }
    let cases = try RunCases([older, corrections].compactMap(\.self), laterWins: true)
    let split = try split(cases)
    let newModel = try newVersion(
      in: folder, corrections: split.training.count { isNew($0, cases) })
    let settings = try RunSettings(
      options, augmentation: augmentation,
      more: [
        "data.training": try cases.digest(split.training),
        "data.heldOut": try cases.digest(split.heldOut),
        "parent": parent.weightsSHA256,
      ])
    let run = try TrainingRun.prepare(
      RunRequest(
        model: newModel.document, draft: parent, options: options, augmentation: augmentation,
        settings: settings, threads: threadCount(threads),
        caseBytes: byteCount(gigabytes: TrainingConfiguration.defaultCaseMemoryGB),
        training: cases.named(split.training), heldOut: cases.named(split.heldOut),
        shares: shares(split.training, cases),
        weights: try SafetensorsFile(path: parent.weights.path)),
      in: folder, resume: resume, report: report)
    let heldOut = counted(split.heldOut.count, "held-out case")
    report(.note("scoring \(heldOut) with \(parent.name) as it is"))
    let before = try await run.plan.validation.score(parent, stop: stop)
    if let before {
      report(
        .validated(
          step: 0, labels: parent.labels.map(\.name), dice: before.dice,
          mean: before.summary.dice ?? .nan))
    }
    // Where a stop was requested meanwhile, this writes the checkpoint that resumes.
    let state = try await run.train(stop: stop)
    guard state != .stopped, let before else { return run.report(.stopped) }
    report(.note("scoring \(heldOut)"))
    let end = RunEnd(
      run: run, name: newModel.name, document: newModel.document, origin: origin(split, cases),
      limits: "Limits of input and output are those of the parent.", before: before)
    return try await end.publish(state, stop: stop)
  }

  /// Rows of the card.
  private func origin(_ split: CaseSplit, _ cases: RunCases) -> [(String, String)] {
    let new = split.training.count { isNew($0, cases) }
    return [
      ("parent", "\(parent.name) \(parent.version), weights SHA-256 \(parent.weightsSHA256)"),
      ("corrected cases", "\(new)"),
      ("older cases mixed in", "\(split.training.count - new)"),
      ("held-out cases", "\(split.heldOut.count), not trained with here"),
    ]
  }

  /// nnU-Net's, but mirrored only along the axes along which the model may see mirrored patches: left
  /// and right may be different labels.
  private var augmentation: AugmentationOptions {
    var options = AugmentationOptions.nnUNet(isAnisotropic: parent.isAnisotropic)
    options.mirror = (0..<3).map { parent.inference.mirrorAxes.contains($0) ? 0.5 : 0 }
    return options
  }

  /// Whether a case is a correction: the last of the sources.
  private func isNew(_ name: String, _ cases: RunCases) -> Bool {
    cases.source[name] == (older == nil ? 0 : 1)
  }

  /// Which cases are trained with and which are held out.
  func split(_ cases: RunCases) throws -> CaseSplit {
    if let heldOut {
      let called = CaseFiles.called(heldOut, among: cases.names)
      guard called.unknown.isEmpty else {
        throw TrainingError.unknownHeldOut(names: called.unknown)
      }
      guard !called.cases.isEmpty else { throw TrainingError.noHeldOutCases }
      let held = Set(called.cases)
      return CaseSplit(
        training: cases.names.filter { !held.contains($0) }, heldOut: held.sorted())
    }
    let new = cases.names.filter { isNew($0, cases) }
    let patients = Set(new.map(patient))
    guard patients.count >= 2 else {
      throw byPatient && new.count >= 2
        ? TrainingError.tooFewPatients(count: patients.count)
        : TrainingError.tooFewCorrections(count: new.count)
    }
    var split = try fold(of: new)
    let held = Set(split.heldOut.map(patient))
    let old = cases.names.filter { !isNew($0, cases) }
    // An older case of a patient with corrections is on their side.
    let others = old.filter { !patients.contains(patient($0)) }
    let more =
      Set(others.map(patient)).count >= 2
      ? try fold(of: others) : CaseSplit(training: others, heldOut: [])
    for name in old where patients.contains(patient(name)) {
      if held.contains(patient(name)) {
        split.heldOut.append(name)
      } else {
        split.training.append(name)
      }
    }
    return CaseSplit(
      training: (split.training + more.training).sorted(),
      heldOut: (split.heldOut + more.heldOut).sorted())
  }

  private func patient(_ name: String) -> String {
    byPatient ? CaseSplit.prefixBeforeUnderscore(name) : name
  }

  private func fold(of names: [String]) throws(CaseSplitError) -> CaseSplit {
    try CaseSplit(
      fold: 0, of: min(Self.heldOutEvery, Set(names.map(patient)).count), cases: names,
      seed: options.seed, patient: patient)
  }

  /// How often each training case is drawn: corrections and older cases have a part of all patches
  /// each, whatever their numbers.
  private func shares(_ names: [String], _ cases: RunCases) -> [Double] {
    let new = names.count { isNew($0, cases) }
    let old = names.count - new
    guard new > 0, old > 0 else { return names.map { _ in 1 } }
    return names.map {
      isNew($0, cases)
        ? Self.correctionShare / Double(new) : (1 - Self.correctionShare) / Double(old)
    }
  }

  /// The sections of the parent with the next version that is free, and the bundle's name.
  private func newVersion(in folder: RunFolder, corrections: Int) throws -> (
    name: String, document: ModelDocument
  ) {
    var document = try ModelDocument(of: parent)
    var version = ModelVersion(parent.version).next
    func name() -> String { "\(parent.name)-\(version)" }
    while FileManager.default.fileExists(
      atPath: folder.models.appendingPathComponent(name()).path)
    {
      version = ModelVersion(version).next
    }
    document.replace("version", by: version)
    document.replace(
      "trainingData",
      by: "\(parent.trainingData); fine-tuned on "
        + "\(counted(corrections, "corrected case")) of the site's own")
    return (name(), document)
  }
}

/// A version such as 1.2.0 or 1.0.0+0a1b2c3d.
struct ModelVersion {
  private let numbers: [Int]

  init(_ text: String) {
    let plain = text.prefix { $0 != "+" && $0 != "-" }
    numbers = plain.split(separator: ".").map { Int($0) ?? 0 }
  }

  /// The next minor version; what follows a plus or minus sign is left out.
  var next: String {
    let padded = numbers + [Int](repeating: 0, count: max(0, 2 - numbers.count))
    return "\(padded[0]).\(padded[1] + 1).0"
  }
}
