import ArgumentParser
import Foundation
import Segmentation
import Volumes
import Wording

/// `segmentd models import`: a bundle from a UNETR++ checkpoint, published or of one's own.
struct ModelsImportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Make a model bundle from a UNETR++ checkpoint, published or your own.",
    discussion: """
      Reads PyTorch files (zip container and legacy stream) and safetensors, without Python and without running any \
      code in the file. Writes FOLDER/NAME with model.yaml, the weights and CARD.md, which says where each number \
      comes from and which have to be confirmed.

      The sizes of a network of your own are read from the checkpoint's tensors: classes, channels, stem, dims, \
      depths, heads, projections. If they do not determine the patch, or if you want names for the labels or \
      different preprocessing from the preset's, give nnU-Net's plans and dataset.json, or a YAML file \
      (--architecture) with any of these sections of model.yaml: network, preprocessing, labels, input, summary, \
      trainingData. For example:

        network: {patch: [64, 160, 160]}
        preprocessing: {spacing: [2.0, 0.8, 0.8]}
        labels: [Spleen, Right kidney, Left kidney]

      Presets:
      \(ModelPreset.all.map { "\($0.name): \($0.summary)" }.joined(separator: "\n"))
      """
        + examples(
          "segmentd models import --preset synapse --name abdomen \\",
          "    --checkpoint model_final_checkpoint.model --models /srv/models"))

  @Option(
    help: ArgumentHelp(
      "\(ModelPreset.all.map(\.name).joined(separator: ", ")).", valueName: "preset"))
  var preset: String

  @Option(
    help: "The checkpoint, such as model_final_checkpoint.model, or a safetensors file.",
    completion: .file())
  var checkpoint: String

  @Option(
    help: ArgumentHelp(
      "A YAML file on a network of your own: sizes, labels, preprocessing; see above.",
      valueName: "file"))
  var architecture: String?

  @Option(
    help: ArgumentHelp(
      "nnU-Net's plans.json (version 2), plans.pkl (version 1) or the .model.pkl next to a "
        + "checkpoint: spacing, intensities and transposes instead of the preset's, and the patch "
        + "if the tensors do not determine it.", valueName: "file"))
  var plans: String?

  @Option(help: "The configuration to read from plans.json.")
  var configuration = "3d_fullres"

  @Option(
    help: ArgumentHelp(
      "nnU-Net's dataset.json: the names of labels and channels.", valueName: "file"))
  var dataset: String?

  @Option(
    help: ArgumentHelp(
      "nnU-Net's postprocessing.json: labels of which only the largest component is kept.",
      valueName: "file"))
  var postprocessing: String?

  @Option(
    help: ArgumentHelp(
      "Directions in which z, y, x of the training arrays grow, such as SAL, or 'acquired'; "
        + "overrides the preset's.", valueName: "directions"))
  var orientation: String?

  @Flag(
    help: "Also predict each patch mirrored along all axes, as published: eight times the work.")
  var mirror = false

  @Flag(
    help: ArgumentHelp(
      "Write the benchmark's groupings (brats: whole tumour, core, enhancing) as overlapping "
        + "segments instead of the labels."))
  var groupings = false

  @Option(help: "The new model's name.")
  var name: String

  @Option(
    name: .customLong("models"),
    help: ArgumentHelp(
      "The folder of model bundles to write to; name it under models.directories of the "
        + "configuration.", valueName: "folder"))
  var folder: String

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    guard ModelPreset.named(preset) != nil else {
      throw ValidationError(
        "--preset \(preset) is none of \(ModelPreset.all.map(\.name).joined(separator: ", "))")
    }
    if groupings, ModelPreset.named(preset)?.groupings.isEmpty ?? true {
      throw ValidationError("--groupings: the preset \(preset) has none")
    }
    _ = try directions()
  }

  func run() async throws {
    guard let preset = ModelPreset.named(preset) else { return }
    var task = ModelImport(preset: preset, checkpoint: URL(fileURLWithPath: checkpoint))
    task.architecture = architecture.map { URL(fileURLWithPath: $0) }
    task.dataset = dataset.map { URL(fileURLWithPath: $0) }
    task.configuration = configuration
    task.plans = plans.map { URL(fileURLWithPath: $0) }
    task.postprocessing = postprocessing.map { URL(fileURLWithPath: $0) }
    task.orientation = try directions()
    task.isMirrored = mirror
    task.writesGroupings = groupings
    let report = try task.write(name: name, in: URL(fileURLWithPath: folder))
    print(json ? try encodeJSON(report) : text(report))
  }

  /// nil where the preset's are kept, empty for "acquired".
  private func directions() throws -> [PatientDirection]? {
    guard let orientation else { return nil }
    if orientation == "acquired" { return [] }
    let directions = orientation.compactMap { PatientDirection(rawValue: String($0)) }
    guard directions.count == orientation.count, directions.count == 3,
      Set(directions.map { $0.vector * $0.vector }).count == 3
    else {
      throw ValidationError(
        "--orientation \(orientation) is neither acquired nor one each of L or R, A or P, S or I")
    }
    return directions
  }

  private func text(_ report: ModelImport.Report) -> String {
    var lines = [
      "\(report.bundle): \(counted(report.taken.count, "tensor")) taken from \(report.format)",
      "left, \(counted(report.left.count, "entry", "entries")):",
    ]
    let groups = Dictionary(grouping: report.left, by: \.reason).sorted { $0.key < $1.key }
    for (reason, entries) in groups {
      lines.append("  \(entries.count) × \(reason), such as \(entries[0].name.prefix(80))")
    }
    for note in report.notes { lines.append("note: \(note)") }
    for source in report.sources where !source.isConfirmed {
      lines.append("to be confirmed: \(source.subject), from \(source.source)")
    }
    lines.append(
      mirror
        ? "mirroring: on, as published"
        : "mirroring: off; the published figures were obtained with it (--mirror)"
    )
    return lines.joined(separator: "\n")
  }
}
