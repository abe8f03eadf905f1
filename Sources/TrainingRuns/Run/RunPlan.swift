import Checkpoints
import Evaluation
import Foundation
import Segmentation
import Training
import UNETRPP

/// What is trained: a model in the making, its patches and its held-out cases.
struct RunPlan {
  /// The model's sections, with limits that admit everything where none are stated.
  var document: ModelDocument
  /// The bundle that they describe.
  var draft: ModelBundle
  var options: TrainingOptions
  var settings: RunSettings
  var threads: Int
  var patches: any BatchSource
  var trainingCount: Int
  var validation: Validation
  /// What the training begins with; nil for random weights.
  var weights: SafetensorsFile?
}

/// A run before its cases are read.
struct RunRequest {
  var model: ModelDocument
  var draft: ModelBundle
  var options: TrainingOptions
  var augmentation: AugmentationOptions
  var settings: RunSettings
  var threads: Int
  /// What prepared cases may take of memory.
  var caseBytes: Int
  var training: [CaseFiles]
  var heldOut: [CaseFiles]
  /// How often each training case is drawn in relation to the others; nil for equally often.
  var shares: [Double]?
  var weights: SafetensorsFile?
}

extension TrainingRun {
  /// Reads and checks the training cases, and makes the run ready.
  ///
  /// - Throws: ``TrainingDataErrors`` with every case that is at fault, `AugmentationError`, and what
  ///   `TrainingRun.init` throws.
  static func prepare(
    _ request: RunRequest, in folder: RunFolder, resume: Bool,
    report: @escaping (TrainingEvent) -> Void
  ) throws -> TrainingRun {
    let draft = request.draft
    try request.augmentation.validate()
    let reader = CaseReader(draft)
    let cases = try PreparedCases(
      request.training, reader: reader, preprocessing: draft.preprocessing,
      memoryBytes: request.caseBytes, folder: folder.prepared, threads: request.threads)
    try cases.checkClasses()
    let patches = PatchSource(
      cases, drawing: PatchDrawing(request.augmentation, patch: draft.network.patch),
      channels: draft.network.inputChannels, batch: request.options.batch,
      seed: request.options.seed, threads: request.threads, weights: request.shares)
    let plan = RunPlan(
      document: try request.model.withOpenLimits(), draft: draft, options: request.options,
      settings: request.settings, threads: request.threads, patches: patches,
      trainingCount: cases.count,
      validation: Validation(cases: request.heldOut, threads: request.threads) {
        try reader.read($0)
      }, weights: request.weights)
    return try TrainingRun(plan, in: folder, resume: resume, report: report)
  }
}

extension CaseReader {
  /// Reads cases of a model.
  init(_ bundle: ModelBundle) {
    self.init(channels: bundle.network.inputChannels, labels: bundle.labels, limits: bundle.input)
  }
}

extension ModelBundle {
  /// Whether slices are so far apart that nnU-Net turns patches only in their plane.
  var isAnisotropic: Bool {
    (preprocessing.spacing.max() ?? 1) > 3 * (preprocessing.spacing.min() ?? 1)
  }
}

extension ModelDocument {
  /// The same with limits that refuse nothing where none are stated, and a place for the weights.
  func withOpenLimits() throws(ModelBundleError) -> ModelDocument {
    var document = self
    try document.complete(
      input: InputLimits(modalities: [], bodyParts: [], spacing: .any, extent: .any))
    try document.set(weights: BundleWriting.weightsName)
    return document
  }
}
