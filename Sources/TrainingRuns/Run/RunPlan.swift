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
  /// What the training cases take of memory.
  var caseBytes = 0
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
