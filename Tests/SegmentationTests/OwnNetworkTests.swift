import Checkpoints
import Foundation
import TestSupport
import Testing
import UNETRPP
import Volumes

@testable import Segmentation

/// Networks of a user's own, imported with a published preset as the base.
@Suite struct OwnNetworkTests {
  private static let fixtures = TestFiles.fixtures.appendingPathComponent("checkpoints")
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func file(_ name: String, _ text: String) throws -> URL {
    let url = folder.url.appendingPathComponent(name)
    try Data(text.utf8).write(to: url)
    return url
  }

  /// A checkpoint with the shapes of a network, each name behind a prefix.
  private func checkpoint(
    _ description: NetworkDescription, prefix: String = "",
    change: (String) -> [Int]? = { _ in nil }
  ) throws -> URL {
    let url = folder.url.appendingPathComponent("own.safetensors")
    try? FileManager.default.removeItem(at: url)
    try SafetensorsWriter.write(
      description.stateDictionary().map { entry in
        let shape = change(entry.name) ?? entry.shape
        return (prefix + entry.name, shape, [Float](repeating: 0.5, count: shape.reduce(1, *)))
      }, to: url.path)
    return url
  }

  private static let own = NetworkDescription(
    blocks: .synapse, patch: [16, 32, 64], inputChannels: 1, classes: 4, stem: [2, 4, 4],
    featureSize: 4, dims: [4, 8, 8, 16], heads: 2, depths: [1, 1, 2, 1], decoderDepths: [1, 2, 1],
    projections: [4, 4, 4, 2], decoderProjections: [4, 8, 4])

  private func bundle(_ name: String = "m") throws -> ModelBundle {
    try ModelBundle.load(at: folder.url.appendingPathComponent(name))
  }

  @Test func sizesAreReadFromTheTensors() throws {
    let task = ModelImport(
      preset: .synapse, checkpoint: Self.fixtures.appendingPathComponent("tiny-acdc.model"))
    let report = try task.write(name: "m", in: folder.url)
    let network = try bundle().network
    #expect(network.blocks == .acdc)
    #expect(network.patch == [16, 16, 16])
    #expect(network.classes == 3)
    #expect(network.dims == [4, 4, 4, 4])
    #expect(report.notes.contains { $0.contains("classes 3 (preset 14)") })
    #expect(report.notes.contains { $0.contains("--dataset") })
    #expect(try bundle().labels.map(\.name) == ["Label 1", "Label 2"])
    #expect(try bundle().labels.map(\.type.scheme) == ["99SEGMENTD", "99SEGMENTD"])
    // Nothing of the preset is confirmed for another network.
    #expect(report.sources.filter(\.isConfirmed).map(\.subject) == ["network"])
    #expect(try !bundle().trainingData.contains("Vault"))
  }

  @Test(arguments: [
    "model.", "module.", "_orig_mod.", "net.", "network.", "module._orig_mod.",
    "_orig_mod.module.", "model.net.",
  ])
  func wrappersBeforeNamesAreStripped(_ prefix: String) throws {
    var task = ModelImport(
      preset: .synapse, checkpoint: try checkpoint(Self.own, prefix: prefix))
    task.architecture = try file("own.yaml", "network: {patch: [16, 32, 64]}\n")
    #expect(try task.write(name: "m", in: folder.url).taken[0].source.hasPrefix(prefix))
    #expect(try bundle().network == Self.own)
  }

  @Test func patchThatTheTokensLeaveOpenIsAskedFor() throws {
    var task = ModelImport(preset: .synapse, checkpoint: try checkpoint(Self.own))
    let error = #expect(throws: ModelImportError.self) {
      try task.write(name: "m", in: folder.url)
    }
    guard case .unknownPatch(_, NetworkShapes.positionName, 1024, [2, 4, 4], let possible) = error
    else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(possible == [[16, 32, 64], [16, 64, 32], [32, 32, 32]])
    #expect(error?.description.contains("--architecture") == true)
    // The preset's patch decides where it has as many tokens.
    var preset = ModelPreset.synapse
    preset.network.patch = [32, 32, 32]
    task.preset = preset
    _ = try task.write(name: "preset", in: folder.url)
    #expect(try bundle("preset").network.patch == [32, 32, 32])
    task.preset = .synapse
    task.architecture = try file("own.yaml", "network: {patch: [16, 64, 32]}\n")
    _ = try task.write(name: "file", in: folder.url)
    #expect(try bundle("file").network.patch == [16, 64, 32])
  }

  @Test(arguments: [
    ("classes: 5", NetworkShapes.headName, [5, 4, 1, 1, 1], [4, 4, 1, 1, 1]),
    (
      "patch: [16, 64, 64]", NetworkShapes.positionName, [1, 2048, 4], [1, 1024, 4]
    ),
    (
      "heads: 4", "unetr_pp_encoder.stages.0.0.epa_block.temperature", [4, 1, 1], [2, 1, 1]
    ),
  ])
  func contradictionsNameTensorFoundAndExpected(
    _ line: String, _ name: String, _ expected: [Int], _ found: [Int]
  ) throws {
    var task = ModelImport(preset: .synapse, checkpoint: try checkpoint(Self.own))
    let patch = line.hasPrefix("patch") ? "" : ", patch: [16, 32, 64]"
    task.architecture = try file("own.yaml", "network: {\(line)\(patch)}\n")
    let error = #expect(throws: ModelImportError.self) {
      try task.write(name: "m", in: folder.url)
    }
    guard case .wrongShape(_, "the file own.yaml", name, expected, found, nil) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(!FileManager.default.fileExists(atPath: folder.url.appendingPathComponent("m").path))
  }

  @Test func tensorsThatContradictOneAnotherAreNamed() throws {
    var task = ModelImport(
      preset: .synapse,
      checkpoint: try checkpoint(Self.own) { $0 == "out1.conv.conv.bias" ? [7] : nil })
    task.architecture = try file("own.yaml", "network: {patch: [16, 32, 64]}\n")
    let error = #expect(throws: ModelImportError.self) {
      try task.write(name: "m", in: folder.url)
    }
    guard case .wrongShape(_, _, "out1.conv.conv.bias", [4], [7], nil) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func fileSaysLabelsPreprocessingAndLimits() throws {
    var task = ModelImport(preset: .synapse, checkpoint: try checkpoint(Self.own))
    task.architecture = try file(
      "own.yaml",
      """
      summary: Organs of my own
      trainingData: 40 CT volumes of our hospital
      network: {patch: [16, 32, 64]}
      preprocessing:
        orientation: [S, P, L]
        spacing: [2.5, 0.8, 0.8]
        normalization: [{scheme: ct, lower: -200, upper: 300, mean: 40, sd: 60}]
      labels:
        - spleen
        - {value: 3, name: Kidney left}
        - {value: 2, name: "Our \\"own\\" structure"}
      input:
        modalities: [CT]
        spacing: {min: [0.5, 0.4, 0.4], max: [6, 1.5, 1.5]}
        extent: {min: [50, 100, 100], max: [900, 600, 600]}
      """)
    let report = try task.write(name: "m", in: folder.url)
    let found = try bundle()
    #expect(found.summary == "Organs of my own")
    #expect(found.trainingData == "40 CT volumes of our hospital")
    #expect(found.preprocessing.spacing == [2.5, 0.8, 0.8])
    #expect(found.preprocessing.orientation == [.superior, .posterior, .left])
    #expect(found.input.spacing.max == [6, 1.5, 1.5])
    #expect(found.labels.map(\.name) == ["spleen", "Our \"own\" structure", "Kidney left"])
    #expect(found.labels[0].type.value == "78961009")
    #expect(found.labels[2].type.value == "64033007")
    #expect(found.labels[2].modifier?.meaning == "Left")
    #expect(found.labels[1].type.scheme == "99SEGMENTD")
    #expect(Set(found.labels.map(\.color)).count == 3)
    #expect(report.sources.allSatisfy { $0.isConfirmed })
  }

  @Test(arguments: [
    ("netwrok: {classes: 4}", "netwrok"), ("network: {class: 4}", "network.class"),
    ("network: {classes: four}", "network.classes"), ("network: {blocks: swin}", "network.blocks"),
    ("preprocessing: {spacing: [1, 1]}", "preprocessing.spacing"), ("labels: spleen", "labels"),
    ("network: {patch: [15, 32, 64]}", "network"),
  ])
  func faultsOfTheFileAreNamed(_ text: String, _ key: String) throws {
    var task = ModelImport(preset: .synapse, checkpoint: try checkpoint(Self.own))
    var yaml = text
    if !text.hasPrefix("network") { yaml += "\nnetwork: {patch: [16, 32, 64]}" }
    task.architecture = try file("own.yaml", yaml + "\n")
    let error = #expect(throws: ModelImportError.self) {
      try task.write(name: "m", in: folder.url)
    }
    #expect(error?.description.contains("own.yaml:1: ") == true, "\(String(describing: error))")
    #expect(error?.description.contains(key) == true, "\(String(describing: error))")
  }

  @Test func publishedNetworksOfAnotherPresetAreRefused() throws {
    let acdc = try checkpoint(.acdc)
    let error = #expect(throws: ModelImportError.self) {
      try ModelImport(preset: .lung, checkpoint: acdc).write(name: "m", in: folder.url)
    }
    #expect(error == .otherPreset(path: acdc.path, preset: "lung", fits: "acdc"))
    #expect(error?.description.contains("--preset acdc") == true)
  }

  @Test func otherArchitecturesAreRefused() throws {
    let url = folder.url.appendingPathComponent("other.safetensors")
    try SafetensorsWriter.write(
      [("encoder.stages.0.weight", [1], [1]), ("decoder.weight", [1], [1])], to: url.path)
    let error = #expect(throws: ModelImportError.self) {
      try ModelImport(preset: .synapse, checkpoint: url).write(name: "m", in: folder.url)
    }
    #expect(error?.description.contains("is no UNETR++ network") == true)
    let part = folder.url.appendingPathComponent("part.safetensors")
    try SafetensorsWriter.write([(NetworkShapes.positionName, [1, 1, 1], [1])], to: part.path)
    let missing = #expect(throws: ModelImportError.self) {
      try ModelImport(preset: .acdc, checkpoint: part).write(name: "m", in: folder.url)
    }
    guard case .wrongShape = missing else {
      guard case .missingTensors = missing else {
        Issue.record("\(String(describing: missing))")
        return
      }
      return
    }
  }

  // MARK: nnU-Net's files

  private static let plans = #"""
    {"dataset_name": "Dataset500_Own", "plans_name": "nnUNetPlans", "transpose_forward": [0, 1, 2],
     "configurations": {
       "2d": {"spacing": [0.8, 0.8], "patch_size": [512, 512],
              "normalization_schemes": ["CTNormalization"], "use_mask_for_norm": [false]},
       "3d_fullres": {"preprocessor_name": "DefaultPreprocessor", "patch_size": [16, 64, 32],
         "spacing": [2.0, 0.8, 0.8], "normalization_schemes": ["CTNormalization"],
         "use_mask_for_norm": [false],
         "resampling_fn_probabilities_kwargs":
           {"is_seg": false, "order": 1, "order_z": 0, "force_separate_z": null}},
       "3d_cascade": {"inherits_from": "3d_fullres", "spacing": [1.0, 0.5, 0.5]}},
     "foreground_intensity_properties_per_channel": {"0": {"max": 3000.0, "mean": 99.5,
       "median": 90.0, "min": -1000.0, "percentile_00_5": -900.0, "percentile_99_5": 300.0,
       "std": 120.25}}}
    """#

  @Test func filesOfNNUNet2AreTaken() throws {
    var task = ModelImport(preset: .synapse, checkpoint: try checkpoint(Self.own))
    task.plans = try file("plans.json", Self.plans)
    task.dataset = try file(
      "dataset.json",
      #"""
      {"channel_names": {"0": "CT"}, "file_ending": ".nii.gz", "numTraining": 40,
       "labels": {"background": 0, "liver": 2, "right_kidney": 1, "cyst": 3, "ignore": 4}}
      """#)
    let report = try task.write(name: "m", in: folder.url)
    let found = try bundle()
    #expect(found.network.patch == [16, 64, 32])
    #expect(found.preprocessing.spacing == [2.0, 0.8, 0.8])
    #expect(
      found.preprocessing.normalization == [.ct(lower: -900, upper: 300, mean: 99.5, sd: 120.25)])
    #expect(found.labels.map(\.name) == ["right_kidney", "liver", "cyst"])
    #expect(found.labels[0].modifier?.meaning == "Right")
    #expect(found.labels[1].type.value == "10200004")
    #expect(report.notes.contains { $0.contains("normalises intensities before") })
    task.configuration = "3d_cascade"
    _ = try task.write(name: "cascade", in: folder.url)
    #expect(try bundle("cascade").preprocessing.spacing == [1.0, 0.5, 0.5])
  }

  @Test(arguments: [
    ("\"order_z\": 0", "\"order_z\": 1", "3d_fullres", "order along z 1"),
    ("CTNormalization", "RGBTo01Normalization", "3d_fullres", "RGBTo01"),
    ("\"percentile_00_5\": -900.0", "\"percentile_00_5\": 900.0", "3d_fullres", "900.0"),
    ("\"transpose_forward\"", "\"transpose\"", "3d_fullres", "transpose_forward"),
    ("[2.0, 0.8, 0.8]", "[2.0, 0.8, 0]", "3d_fullres", "spacing"),
    ("DefaultPreprocessor", "OwnPreprocessor", "3d_fullres", "OwnPreprocessor"),
    ("\"3d_fullres\": {", "\"3d_lowres\": {", "3d_fullres", "3d_lowres"),
    (
      "\"inherits_from\": \"3d_fullres\"", "\"inherits_from\": \"3d_cascade\"", "3d_cascade",
      "circle"
    ),
    ("{\"dataset_name\"", "[\"dataset_name\"", "3d_fullres", "not JSON"), ("", "", "2d", "2d"),
  ])
  func faultsOfPlansAreNamed(
    _ old: String, _ new: String, _ configuration: String, _ expected: String
  ) throws {
    var task = ModelImport(preset: .synapse, checkpoint: try checkpoint(Self.own))
    task.architecture = try file("own.yaml", "network: {patch: [16, 32, 64]}\n")
    task.plans = try file(
      "plans.json", old.isEmpty ? Self.plans : Self.plans.replacingOccurrences(of: old, with: new))
    task.configuration = configuration
    let error = #expect(throws: ModelImportError.self) {
      try task.write(name: "m", in: folder.url)
    }
    #expect(error?.description.contains(expected) == true, "\(String(describing: error))")
  }

  @Test(arguments: [
    (
      #"{"labels": {"0": "background", "1": "a", "2": "b", "3": "c"}, "modality": {"0": "CT"}}"#, ""
    ),
    (#"{"labels": {"background": 0, "a": 1, "b": 2}}"#, "out1.conv.conv.weight"),
    (#"{"labels": {"background": 0, "a": 1, "b": 2, "c": 2}}"#, "two labels"),
    (#"{"labels": {"background": 0, "whole": [1, 2], "b": 2}}"#, "region"),
    (
      #"{"labels": {"background": 0, "a": 1, "b": 2, "c": 3}, "channel_names": {"0": "T1", "1": "T2"}}"#,
      "2 channels"
    ),
    (#"{"names": []}"#, "dataset.json"), ("[", "dataset.json"),
  ])
  func dataSetsOfBothVersions(_ json: String, _ expected: String) throws {
    var task = ModelImport(preset: .synapse, checkpoint: try checkpoint(Self.own))
    task.architecture = try file("own.yaml", "network: {patch: [16, 32, 64]}\n")
    task.dataset = try file("dataset.json", json)
    guard !expected.isEmpty else {
      _ = try task.write(name: "m", in: folder.url)
      #expect(try bundle().labels.map(\.name) == ["a", "b", "c"])
      return
    }
    let error = #expect(throws: ModelImportError.self) {
      try task.write(name: "m", in: folder.url)
    }
    #expect(error?.description.contains(expected) == true, "\(String(describing: error))")
  }

  @Test func channelsWithoutIntensitiesAreAskedFor() throws {
    var own = Self.own
    own.inputChannels = 2
    var task = ModelImport(preset: .synapse, checkpoint: try checkpoint(own))
    task.architecture = try file("own.yaml", "network: {patch: [16, 32, 64]}\n")
    #expect(
      throws: ModelImportError.missingNormalization(channels: 2, preset: "synapse", found: 1)
    ) { try task.write(name: "m", in: folder.url) }
    // z-scores of each image are the same for any channel.
    task.preset = .acdc
    _ = try task.write(name: "m", in: folder.url)
    #expect(try bundle().preprocessing.normalization.count == 2)
    #expect(try bundle().cine == nil)
    #expect(try bundle().labels == ModelPreset.acdc.labels)
  }
}
