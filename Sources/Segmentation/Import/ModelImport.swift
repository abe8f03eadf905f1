import Checkpoints
import Cryptography
import FileSystem
import Foundation
import UNETRPP
import Volumes
import Wording

/// Makes a bundle of a checkpoint: a published one, or one of a network of the user's own.
///
/// ```swift
/// var task = ModelImport(preset: .synapse, checkpoint: URL(fileURLWithPath: "amos.model"))
/// task.dataset = URL(fileURLWithPath: "dataset.json")
/// let report = try task.write(name: "amos", in: URL(fileURLWithPath: "models"))
/// ```
public struct ModelImport {
  public var preset: ModelPreset
  public var checkpoint: URL
  /// Sizes, labels and preprocessing of a network of one's own; nil to go by the checkpoint and the
  /// preset.
  public var architecture: URL?
  /// nnU-Net's `dataset.json`: labels and channels by name.
  public var dataset: URL?
  /// The configuration that is read of plans of nnU-Net 2.
  public var configuration = "3d_fullres"
  /// nnU-Net's plans that the network was trained with; nil to go by the preset's numbers.
  public var plans: URL?
  /// nnU-Net's `postprocessing.json`; nil for none, as published.
  public var postprocessing: URL?
  /// Directions of the training arrays in place of the preset's.
  public var orientation: [PatientDirection]?
  /// Whether each patch is also seen mirrored along all of the preset's axes.
  public var isMirrored = false
  /// Whether results hold the preset's groupings, where it has some, in place of its labels.
  public var writesGroupings = false

  public init(preset: ModelPreset, checkpoint: URL) {
    self.preset = preset
    self.checkpoint = checkpoint
  }

  /// What an import did.
  public struct Report: Sendable, Equatable, Codable {
    public var bundle: String
    public var preset: String
    public var format: String
    public var taken: [WeightSelection.Taken]
    public var left: [WeightSelection.Left]
    public var sources: [ModelPreset.Source]
    public var notes: [String]
  }

  /// Writes the bundle `name` in a folder of bundles, whole or not at all.
  ///
  /// The bundle is loaded once before it gets its name: what was written is known to be a model.
  ///
  /// - Throws: `ModelImportError`.
  public func write(name: String, in folder: URL) throws(ModelImportError) -> Report {
    try Self.check(name)
    let target = folder.appendingPathComponent(name)
    guard !FileManager.default.fileExists(atPath: target.path) else {
      throw .exists(path: target.path)
    }
    var preset = preset
    let source = try Self.open(checkpoint)
    let file = try architectureFile()
    var notes = try adapt(&preset, to: source, file)
    let rules = try postprocessing.map { url throws(ModelImportError) in
      try PostprocessingFile(path: url.path, classes: preset.network.classes).rules
    }
    let origin =
      file?.statesNetwork == true ? "the file \(file?.name ?? "")" : "the preset and other tensors"
    let selection = try WeightSelection(source, network: preset.network, source: origin)

    let temporary = folder.appendingPathComponent(".\(name).\(UUID().uuidString)")
    do {
      try FileManager.default.createDirectory(
        at: temporary, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
    } catch {
      throw .unwritable(path: temporary.path, reason: SystemError.text(of: error))
    }
    do throws(ModelImportError) {
      notes += try fill(temporary, name: name, preset, rules ?? [], source, selection, notes)
      do throws(DurableFileError) {
        try DurableFile.sync(temporary.path)
        try DurableFile.move(temporary.path, to: target.path)
      } catch {
        throw .unwritable(path: target.path, reason: error.reason)
      }
    } catch {
      try? FileManager.default.removeItem(at: temporary)
      throw error
    }
    return Report(
      bundle: target.path, preset: preset.name, format: source.format, taken: selection.taken,
      left: selection.left, sources: preset.sources, notes: notes)
  }

  /// Writes weights, description and card, and loads them once. Returns what was noticed.
  private func fill(
    _ folder: URL, name: String, _ preset: ModelPreset, _ rules: [LargestComponents],
    _ source: Checkpoint, _ selection: WeightSelection, _ notes: [String]
  ) throws(ModelImportError) -> [String] {
    let weights = folder.appendingPathComponent("weights.safetensors")
    let newNotes = try Self.writeWeights(selection, of: source, to: weights)
    let checkpointSHA256 = try Self.sha256(checkpoint)
    let text = BundleText(
      name: name, version: "1.0.0+\(checkpointSHA256.prefix(8))", preset: preset,
      inference: ModelBundle.Inference(
        step: 0.5, mirrorAxes: isMirrored ? preset.mirrorAxes : []),
      postprocessing: rules, writesGroupings: writesGroupings,
      weightsFile: weights.lastPathComponent, weightsSHA256: try Self.sha256(weights))
    let card = ModelCard(
      name: name, preset: preset, checkpoint: checkpoint.lastPathComponent,
      checkpointSHA256: checkpointSHA256, format: source.format,
      plans: plans?.lastPathComponent, isMirrored: isMirrored, selection: selection,
      notes: notes + newNotes)
    try Self.write(text.yaml, to: folder.appendingPathComponent("model.yaml"))
    try Self.write(card.text, to: folder.appendingPathComponent("CARD.md"))
    try Self.prove(folder, weights: weights)
    return newNotes
  }

  private static func check(_ name: String) throws(ModelImportError) {
    let isAllowed = name.utf8.allSatisfy { byte in
      let scalar = Unicode.Scalar(byte)
      return ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
        || ("0"..."9").contains(scalar) || [".", "_", "-"].contains(scalar)
    }
    guard isAllowed, (1...64).contains(name.utf8.count),
      name.first?.isLetter == true
        || name.first?.isNumber == true
    else { throw .invalidName(name) }
  }

  private func architectureFile() throws(ModelImportError) -> ArchitectureFile? {
    guard let architecture else { return nil }
    do throws(ModelBundleError) {
      return try ArchitectureFile(path: architecture.path)
    } catch {
      throw .bundle(error)
    }
  }

  private func trainingPlans() throws(ModelImportError) -> TrainingPlans? {
    guard let plans else { return nil }
    do throws(TrainingPlansError) {
      return try TrainingPlans(path: plans.path, configuration: configuration)
    } catch {
      throw .plans(error)
    }
  }

  /// Takes into the preset what checkpoint, plans, data set and architecture file say, the later over
  /// the earlier. Returns what was noticed.
  private func adapt(
    _ preset: inout ModelPreset, to checkpoint: Checkpoint, _ file: ArchitectureFile?
  ) throws(ModelImportError) -> [String] {
    let known = preset.network
    let read = try trainingPlans()
    let contents = try dataset.map { url throws(ModelImportError) in
      try DatasetFile(path: url.path)
    }
    var notes = try preset.takeNetwork(of: checkpoint, file: file, plansPatch: read?.patch)
    if let read, let plans { notes += try preset.apply(read, path: plans.path) }
    do throws(ModelBundleError) {
      try file?.apply(to: &preset)
    } catch {
      throw .bundle(error)
    }
    notes += try preset.takeChannels(contents, presetChannels: known.inputChannels)
    notes += try preset.takeLabels(
      file: file, dataset: contents, presetClasses: known.classes, checkpoint: checkpoint.path)
    if let orientation {
      preset.preprocessing.orientation = orientation
      preset.replaceSources(["orientation"], by: "given by the importer")
    }
    return notes
  }

  private static func open(_ url: URL) throws(ModelImportError) -> Checkpoint {
    do throws(CheckpointError) {
      return try Checkpoint.open(path: url.path)
    } catch {
      throw .checkpoint(error)
    }
  }

  /// Writes the tensors one after another. Returns what was noticed.
  private static func writeWeights(
    _ selection: WeightSelection, of source: Checkpoint, to url: URL
  ) throws(ModelImportError) -> [String] {
    let tensors = selection.taken.map { (name: $0.name, shape: $0.shape) }
    try SafetensorsWriter.write(
      tensors, to: url.path, failure: { .checkpoint(.safetensors($0)) },
      values: { (index) throws(ModelImportError) in
        let name = selection.taken[index].source
        let values: [Float]
        do throws(CheckpointError) {
          values = try source.floats(name)
        } catch {
          throw .checkpoint(error)
        }
        if let index = values.firstIndex(where: { !$0.isFinite }) {
          throw .notFinite(path: source.path, name: name, index: index)
        }
        return values
      })
    chmod(url.path, 0o644)
    let converted = selection.taken.filter { $0.type != TensorType.float32.rawValue }
    guard let first = converted.first else { return [] }
    return ["converted to float32: \(counted(converted.count, "tensor")) of type \(first.type)"]
  }

  private static func write(_ text: String, to url: URL) throws(ModelImportError) {
    do {
      try Data(text.utf8).write(to: url)
    } catch {
      throw .unwritable(path: url.path, reason: SystemError.text(of: error))
    }
    do throws(DurableFileError) {
      try DurableFile.sync(url.path)
    } catch {
      throw .unwritable(path: url.path, reason: error.reason)
    }
    chmod(url.path, 0o644)
  }

  /// Loads what was written as any bundle is loaded.
  private static func prove(_ folder: URL, weights: URL) throws(ModelImportError) {
    let bundle: ModelBundle
    do throws(ModelBundleError) {
      bundle = try ModelBundle.load(at: folder)
    } catch {
      throw .bundle(error)
    }
    do {
      _ = try Network(
        description: bundle.network, weights: SafetensorsFile(path: weights.path), threads: 1)
    } catch let error as NetworkError {
      throw .network(error)
    } catch {
      throw .unwritable(path: weights.path, reason: "\(error)")
    }
  }

  private static func sha256(_ url: URL) throws(ModelImportError) -> String {
    do throws(ModelBundleError) {
      return try ModelBundle.sha256(of: url)
    } catch {
      throw .bundle(error)
    }
  }
}
