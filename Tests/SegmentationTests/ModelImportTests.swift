import Checkpoints
import Foundation
import TestSupport
import Testing
import UNETRPP
import Volumes

@testable import Segmentation

/// Checkpoints that PyTorch wrote of tiny networks (Scripts/test-support/generators/make_checkpoints.py), and
/// presets shrunk to them.
@Suite struct ModelImportTests {
  private static let fixtures = TestFiles.fixtures.appendingPathComponent("checkpoints")
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// The preset with the fixtures' network of 4 channels and three classes.
  private func preset(_ blocks: BlockKind = .synapse) -> ModelPreset {
    var preset = ModelPreset.synapse
    preset.network = NetworkDescription(
      blocks: blocks, patch: [16, 16, 16], inputChannels: 1, classes: 3, stem: [2, 2, 2],
      featureSize: 4, dims: [4, 4, 4, 4], depths: [1, 1, 1, 1], decoderDepths: [1, 1, 1],
      projections: [4, 4, 4, 4], decoderProjections: [4, 4, 4])
    preset.labels = Array(preset.labels.prefix(2))
    return preset
  }

  private func task(_ file: String, _ blocks: BlockKind = .synapse) -> ModelImport {
    ModelImport(
      preset: preset(blocks), checkpoint: Self.fixtures.appendingPathComponent(file))
  }

  private func weights(_ name: String) throws -> Data {
    try Data(contentsOf: folder.url.appendingPathComponent("\(name)/weights.safetensors"))
  }

  @Test func everyContainerGivesTheSameBundle() throws {
    for (index, file) in [
      "tiny-synapse.model", "tiny-synapse-legacy.model", "tiny-synapse.safetensors",
    ].enumerated() {
      let report = try task(file).write(name: "m\(index)", in: folder.url)
      #expect(try weights("m\(index)") == weights("m0"))
      #expect(report.taken.count == report.taken.filter { $0.type == "F32" }.count)
      // F is loaded after E by the reference and wins.
      let shared = report.taken.filter { $0.name.hasSuffix("epa_block.E.weight") }
      #expect(shared.count == 7)
      #expect(shared.allSatisfy { $0.source == $0.name.replacing(".E.", with: ".F.") })
      let reasons = Dictionary(grouping: report.left, by: \.reason).mapValues(\.count)
      #expect(reasons["a counter of training"] == 14)
      #expect(reasons["a head of deep supervision, for training only"] == 4)
      #expect(
        reasons["not a tensor; training keeps it next to the weights"]
          == (file.hasSuffix("safetensors") ? nil : 5))
      #expect(reasons.values.reduce(0, +) == report.left.count)
    }
    let bundle = try ModelBundle.load(at: folder.url.appendingPathComponent("m0"))
    #expect(bundle.network == preset().network)
    #expect(bundle.preprocessing == ModelPreset.synapse.preprocessing)
    #expect(bundle.input == ModelPreset.synapse.input)
    #expect(bundle.labels == preset().labels)
    #expect(bundle.inference == ModelBundle.Inference(step: 0.5, mirrorAxes: []))
    #expect(bundle.version.hasPrefix("1.0.0+"))
  }

  @Test func logitsAreThoseOfTheFilesOwnTensors() throws {
    for (file, blocks) in [("tiny-synapse", BlockKind.synapse), ("tiny-acdc", .acdc)] {
      _ = try task("\(file).model", blocks).write(name: file, in: folder.url)
      let imported = folder.url.appendingPathComponent("\(file)/weights.safetensors").path
      let original = Self.fixtures.appendingPathComponent("\(file).safetensors").path
      let logits = try [imported, original].map { path in
        let network = try Network(
          description: preset(blocks).network, weights: SafetensorsFile(path: path), threads: 1)
        let patch = (0..<4096).map { Float(($0 * 37) % 101) / 50 - 1 }
        var logits = [Float](repeating: 0, count: network.logitsCount)
        try patch.withUnsafeBufferPointer { patch in
          try logits.withUnsafeMutableBufferPointer { try network.forward(patch, logits: $0) }
        }
        return logits
      }
      #expect(logits[0] == logits[1])
      #expect(Set(logits[0]).count > 1000)
    }
  }

  @Test func secondNameWinsOverTheFirst() throws {
    // The same network with other values under F, as a file of separate tensors can hold them.
    let file = try SafetensorsFile(
      path: Self.fixtures.appendingPathComponent("tiny-synapse.safetensors").path)
    let name = "unetr_pp_encoder.stages.1.0.epa_block.F.bias"
    let path = folder.url.appendingPathComponent("changed.safetensors")
    try SafetensorsWriter.write(
      try file.tensorNames.filter { !$0.hasSuffix("num_batches_tracked") }.map { tensor in
        let values = try file.floats(tensor)
        return (
          tensor, file.entry(tensor)?.shape ?? [], tensor == name ? values.map { $0 + 1 } : values
        )
      }, to: path.path)
    _ = try ModelImport(preset: preset(), checkpoint: path).write(name: "f", in: folder.url)
    let written = try SafetensorsFile(
      path: folder.url.appendingPathComponent("f/weights.safetensors").path)
    let first = name.replacing(".F.", with: ".E.")
    #expect(try written.floats(first) == file.floats(first).map { $0 + 1 })
    #expect(written.entry(name) == nil)
  }

  @Test func wrappedHalfPrecisionNamesAreTaken() throws {
    let report = try task("tiny-synapse-module-half.pt").write(name: "half", in: folder.url)
    #expect(
      report.taken.allSatisfy {
        $0.source == "module."
          + $0.name.replacing(
            ".epa_block.E.", with: ".epa_block.F.") && $0.type == "F16"
      })
    #expect(report.notes == ["converted to float32: \(report.taken.count) tensors of type F16"])
    let name = "out1.conv.conv.weight"
    let full = try SafetensorsFile(
      path: Self.fixtures.appendingPathComponent("tiny-synapse.safetensors").path
    ).floats(name)
    let half = try SafetensorsFile(
      path: folder.url.appendingPathComponent("half/weights.safetensors").path
    ).floats(name)
    #expect(half == full.map { Float(Float16($0)) })
  }

  @Test func valuesThatAreNoNumbersAreRefused() throws {
    let file = try SafetensorsFile(
      path: Self.fixtures.appendingPathComponent("tiny-synapse.safetensors").path)
    let path = folder.url.appendingPathComponent("nan.safetensors")
    try SafetensorsWriter.write(
      try file.tensorNames.filter { !$0.hasSuffix("num_batches_tracked") }.map { name in
        var values = try file.floats(name)
        if name == "out1.conv.conv.bias" { values[1] = .nan }
        return (name, file.entry(name)?.shape ?? [], values)
      }, to: path.path)
    #expect(
      throws: ModelImportError.notFinite(
        path: path.path, name: "out1.conv.conv.bias", index: 1)
    ) { try ModelImport(preset: preset(), checkpoint: path).write(name: "nan", in: folder.url) }
    #expect(!FileManager.default.fileExists(atPath: folder.url.path + "/nan"))
  }

  @Test(arguments: [
    "", ".hidden", "../up", "a/b", "ümlaut", "-x", String(repeating: "a", count: 65),
  ])
  func namesThatAreNoNames(_ name: String) {
    #expect(throws: ModelImportError.invalidName(name)) {
      try task("tiny-synapse.model").write(name: name, in: folder.url)
    }
  }

  @Test func existingBundlesAreKept() throws {
    _ = try task("tiny-synapse.model").write(name: "once", in: folder.url)
    let path = folder.url.appendingPathComponent("once").path
    #expect(throws: ModelImportError.exists(path: path)) {
      try task("tiny-acdc.model").write(name: "once", in: folder.url)
    }
    let mode =
      try FileManager.default.attributesOfItem(
        atPath: path + "/weights.safetensors")[.posixPermissions] as? Int
    #expect(mode == 0o644)
  }

  @Test func plansReplaceThePresetsNumbers() throws {
    var task = task("tiny-synapse.model")
    task.plans = Self.fixtures.appendingPathComponent("tiny.model.pkl")
    task.isMirrored = true
    task.orientation = []
    let report = try task.write(name: "planned", in: folder.url)
    #expect(report.notes[0].contains("[64, 128, 128]"))
    #expect(report.sources.allSatisfy { $0.isConfirmed })
    let bundle = try ModelBundle.load(at: folder.url.appendingPathComponent("planned"))
    #expect(bundle.inference.mirrorAxes == [0, 1, 2])
    #expect(bundle.preprocessing.orientation == [])
    #expect(bundle.preprocessing.spacing == [3.0, 0.75781244, 0.75781244])
    #expect(
      bundle.preprocessing.normalization
        == [.ct(lower: -958, upper: 326, mean: 82.95177, sd: 136.94818)])
  }

  @Test func plansOfAnotherModelAreRefused() throws {
    let plans = try TrainingPlans(path: Self.fixtures.appendingPathComponent("tiny.model.pkl").path)
    func reason(_ change: (inout TrainingPlans) -> Void) -> String? {
      var preset = preset()
      var changed = plans
      change(&changed)
      do {
        _ = try preset.apply(changed, path: "plans.pkl")
        return nil
      } catch {
        return "\(error)"
      }
    }
    #expect(reason { _ in } == nil)
    #expect(reason { $0.channels.append($0.channels[0]) }?.contains("2 channels") == true)
    #expect(reason { $0.classes = 13 }?.contains("13 labels") == true)
    #expect(reason { $0.channels[0].scheme = "CT2" }?.contains("CT2") == true)
    #expect(reason { $0.channels[0].intensities = nil }?.contains("intensities") == true)
    #expect(reason { $0.preprocessor = "PreprocessorFor2D" }?.contains("2D") == true)
    #expect(reason { $0.exportSettings = "order 3" }?.contains("order 3") == true)
  }

  @Test func plansMayExchangeAxes() throws {
    var plans = try TrainingPlans(path: Self.fixtures.appendingPathComponent("tiny.model.pkl").path)
    plans.transposeForward = [1, 0, 2]
    plans.channels[0].usesMask = true
    var preset = preset()
    _ = try preset.apply(plans, path: "plans.pkl")
    #expect(preset.preprocessing.transpose == [1, 0, 2])
    #expect(preset.preprocessing.normalization[0].usesMask)
    let limits = ModelPreset.synapse.input.extent.min
    #expect(preset.input.extent.min == [limits[1], limits[0], limits[2]])
    // What is written is read back.
    let text = BundleText(
      name: "t", version: "1", preset: preset,
      inference: .init(step: 0.5, mirrorAxes: []),
      postprocessing: [LargestComponents(labels: [1, 2], removeBelow: 12.5)],
      weightsFile: "w", weightsSHA256: String(repeating: "0", count: 64))
    let bundle = try ModelBundle(yaml: text.yaml, file: "model.yaml", directory: folder.url)
    #expect(bundle.preprocessing == preset.preprocessing)
    #expect(bundle.postprocessing == [LargestComponents(labels: [1, 2], removeBelow: 12.5)])
  }

  @Test func postprocessingIsTakenOver() throws {
    let url = folder.url.appendingPathComponent("postprocessing.json")
    func rules(_ json: String) throws -> [LargestComponents] {
      try Data(json.utf8).write(to: url)
      return try PostprocessingFile(path: url.path, classes: 4).rules
    }
    #expect(
      try rules(
        #"{"for_which_classes": [[1, 2], 3], "min_valid_object_sizes": "{(1, 2): 30.5, 3: 2}"}"#)
        == [
          LargestComponents(labels: [1, 2], removeBelow: 30.5),
          LargestComponents(labels: [3], removeBelow: 2),
        ])
    #expect(
      try rules(#"{"for_which_classes": [2], "min_valid_object_sizes": "None", "other": 1}"#)
        == [LargestComponents(labels: [2])])
    #expect(try rules(#"{"for_which_classes": []}"#) == [])
    for bad in [
      "{}", "[]", #"{"for_which_classes": [4]}"#, #"{"for_which_classes": [0]}"#,
      #"{"for_which_classes": [[]]}"#, #"{"for_which_classes": ["1"]}"#,
      #"{"for_which_classes": [1], "min_valid_object_sizes": "__import__('os')"}"#,
      #"{"for_which_classes": [1], "min_valid_object_sizes": "{1: inf}"}"#,
    ] {
      #expect(throws: ModelImportError.self, "\(bad)") { try rules(bad) }
    }
  }

  @Test(arguments: ModelPreset.all.map(\.name))
  func presetsAreWholeAndHonest(_ name: String) throws {
    let preset = try #require(ModelPreset.named(name))
    try preset.network.validate()
    #expect(preset.labels.map { Int($0.value) } == Array(1..<preset.network.classes))
    #expect(preset.preprocessing.normalization.count == preset.network.inputChannels)
    #expect(
      Set(preset.sources.map(\.subject)) == ["network", "orientation", "spacing", "intensities"])
    #expect(Set(preset.labels.map(\.color)).count == preset.labels.count)
    // The description survives its own text.
    let text = BundleText(
      name: name, version: "1", preset: preset, inference: .init(step: 0.5, mirrorAxes: []),
      postprocessing: [], weightsFile: "w", weightsSHA256: String(repeating: "0", count: 64))
    let bundle = try ModelBundle(yaml: text.yaml, file: "model.yaml", directory: folder.url)
    #expect(bundle.network == preset.network)
    #expect(bundle.preprocessing == preset.preprocessing)
    #expect(bundle.labels == preset.labels)
    #expect(bundle.input == preset.input)
    #expect(bundle.groupings == preset.groupings)
    #expect(!bundle.writesGroupings)
    // Whatever the authors do not publish is marked as such.
    let isConfirmed = preset.sources.first { $0.subject == "spacing" }?.isConfirmed
    #expect(isConfirmed == (name == "synapse"))
  }

  @Test func groupingsAreWrittenOnRequest() throws {
    func bundle(_ yaml: String) throws -> ModelBundle {
      try ModelBundle(yaml: yaml, file: "model.yaml", directory: folder.url)
    }
    var text = BundleText(
      name: "brats", version: "1", preset: .brats, inference: .init(step: 0.5, mirrorAxes: []),
      postprocessing: [], writesGroupings: true, weightsFile: "w",
      weightsSHA256: String(repeating: "0", count: 64))
    #expect(try bundle(text.yaml).writesGroupings)
    #expect(try bundle(text.yaml).groupings.map(\.labels) == [[1, 2, 3], [2, 3], [3]])
    for (old, new) in [
      ("segments: groupings", "segments: some"), ("labels: [2, 3]", "labels: [2, 4]"),
      ("labels: [2, 3]", "labels: [2, 2]"), ("labels: [2, 3]", "labels: []"),
    ] {
      #expect(throws: ModelBundleError.self) {
        try bundle(text.yaml.replacing(old, with: new))
      }
    }
    text.preset.groupings = []
    #expect(try bundle(text.yaml).groupings == [])
    #expect(throws: ModelBundleError.self) {
      try bundle(text.yaml + "segments: groupings\n")
    }
  }

  @Test func cardTellsWhatIsToBeConfirmed() throws {
    var task = task("tiny-acdc.model", .acdc)
    task.preset.sources = ModelPreset.acdc.sources
    _ = try task.write(name: "card", in: folder.url)
    let card = try String(
      contentsOf: folder.url.appendingPathComponent("card/CARD.md"), encoding: .utf8)
    #expect(card.contains("Research use only"))
    #expect(card.components(separatedBy: "**to be confirmed**").count == 4)
    #expect(card.contains("--plans"))
    #expect(card.contains("28 × a counter of training"))
  }

  /// A volume taken as acquired, its axes exchanged by the plans, comes back to its own voxels.
  @Test(arguments: [[0, 1, 2], [1, 0, 2], [2, 0, 1]])
  func acquiredOrderAndTransposesAreUndone(_ order: [Int]) throws {
    let grid = uprightGrid(shape: [3, 4, 5], spacing: [3, 2, 1])
    let preprocessing = Preprocessing(
      orientation: [], transpose: order, spacing: order.map { [3.0, 2, 1][$0] },
      cropToNonzero: true, normalization: [.ct(lower: 0, upper: 100, mean: 0, sd: 1)])
    let reorientation = try #require(preprocessing.reorientation(of: grid))
    let turned = reorientation.apply(grid)
    #expect(turned.shape == order.map { [3, 4, 5][$0] })
    #expect(turned.spacing == preprocessing.spacing)
    let labels = LabelVolume(grid: grid, labels: (0..<60).map { UInt8($0) })
    let volume = Volume(grid: grid, voxels: labels.labels.map { Float($0) })
    let forward = reorientation.apply(volume)
    #expect(
      reorientation.undo(
        LabelVolume(grid: turned, labels: forward.voxels.map { UInt8($0) }), to: grid) == labels)
    if order == [1, 0, 2] {
      #expect(forward.voxels.prefix(10) == [0, 1, 2, 3, 4, 20, 21, 22, 23, 24])
    }
  }

  @Test func maskedCTIsZeroOutside() {
    var values: [Float] = [-2000, 50, 500, 10]
    let scheme = Normalization.ct(lower: -100, upper: 100, mean: 10, sd: 2, insideMask: true)
    values.withUnsafeMutableBufferPointer { scheme.apply($0, mask: [true, true, true, false]) }
    #expect(values == [-55, 20, 45, 0])
  }
}
