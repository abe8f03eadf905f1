import Foundation
import Terminology
import TestSupport
import Testing
import Volumes

@testable import Segmentation

/// The committed untrained bundle for CT.
func untrainedBundle() throws -> ModelBundle {
  try ModelBundle.load(at: TestFiles.fixtures.appendingPathComponent("models/untrained-tiny"))
}

@Suite struct ModelBundleTests {
  private static let folder = TestFiles.fixtures.appendingPathComponent("models/untrained-tiny")

  private func text() throws -> String {
    try String(contentsOf: Self.folder.appendingPathComponent("model.yaml"), encoding: .utf8)
  }

  @Test(arguments: ["untrained-tiny", "untrained-tiny-mr"])
  func committedBundleLoads(_ name: String) throws {
    let bundle = try ModelBundle.load(
      at: TestFiles.fixtures.appendingPathComponent("models/\(name)"))
    #expect(bundle.name == name)
    #expect(bundle.summary.contains("UNTRAINED"))
    #expect(bundle.network.patch == [16, 32, 64])
    #expect(bundle.labels.map(\.value) == [1, 2, 3, 4])
    #expect(
      bundle.labels[1].type == CodedConcept(value: "10200004", scheme: "SCT", meaning: "Liver"))
    #expect(bundle.labels[1].color == [221, 130, 101])
    #expect(bundle.inference == ModelBundle.Inference(step: 0.5, mirrorAxes: []))
  }

  @Test(arguments: [
    ("name:", "nmae:", "nmae", 2), ("step:", "stpe:", "inference.stpe", 15),
    ("lower:", "lowest:", "preprocessing.normalization[0].lowest", 14),
    ("featureSize:", "features:", "network.features", 7),
    ("meaning: Liver", "maening: Liver", "labels[1].type.maening", 25),
    ("sha256:", "sha:", "weights.sha", 43),
  ])
  func unknownKeyIsNamedWithItsLine(_ old: String, _ new: String, _ key: String, _ line: Int) throws
  {
    let range = try #require(try text().range(of: old))
    let spoiled = try text().replacingCharacters(in: range, with: new)
    #expect(throws: ModelBundleError.unknownKey(path: "model.yaml", key: key, line: line)) {
      try ModelBundle(yaml: spoiled, file: "model.yaml", directory: Self.folder)
    }
  }

  @Test(arguments: [
    ("[S, P, L]", "[S, P, A]", "preprocessing.orientation"),
    ("[S, P, L]", "[S, P, X]", "preprocessing.orientation[2]"),
    ("mirrorAxes: []", "mirrorAxes: [], throughPlane: cubic", "inference.throughPlane"),
    ("step: 0.5", "step: 0", "inference.step"), ("step: 0.5", "step: half", "inference.step"),
    ("mirrorAxes: []", "mirrorAxes: [3]", "inference.mirrorAxes[0]"),
    ("sd: 136.94818", "sd: 0", "preprocessing.normalization[0]"),
    ("value: 4\n", "value: 3\n", "labels"), ("value: 4\n", "value: 5\n", "labels[3].value"),
    ("[157, 108, 162]", "[157, 108, 256]", "labels[0].color[2]"),
    ("value: \"10200004\"", "value: \"10200004102000041\"", "labels[1].type.value"),
    ("value: \"10200004\"", "value: \"Leber ä\"", "labels[1].type.value"),
    ("spacing: [3, 2, 2]", "spacing: [3, 2]", "preprocessing.spacing"),
    ("scheme: ct", "scheme: xt", "preprocessing.normalization[0].scheme"),
    ("file: weights.safetensors", "file: ../weights.safetensors", "weights.file"),
    ("cropToNonzero: true", "cropToNonzero: maybe", "preprocessing.cropToNonzero"),
    ("min: [1, 1, 1]", "min: [3000, 1, 1]", "input.extent"),
    ("classes: 5", "classes: 1", "network.classes"),
    ("heads: 4", "heads: [4]", "network.heads"),
  ])
  func invalidValueIsNamed(_ old: String, _ new: String, _ key: String) throws {
    let spoiled = try text().replacingOccurrences(of: old, with: new)
    #expect(spoiled != (try text()))
    let error = #expect(throws: ModelBundleError.self) {
      try ModelBundle(yaml: spoiled, file: "model.yaml", directory: Self.folder)
    }
    guard case .invalidValue(_, key, _, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func throughPlaneIsTheNearestUnlessStated() throws {
    func inference(_ axes: String) throws -> ModelBundle.Inference {
      let text = try text().replacingOccurrences(of: "mirrorAxes: []", with: axes)
      return try ModelBundle(yaml: text, file: "model.yaml", directory: Self.folder).inference
    }
    #expect(try inference("mirrorAxes: []").throughPlane == .nearest)
    #expect(try inference("mirrorAxes: [], throughPlane: nearest").throughPlane == .nearest)
    #expect(try inference("mirrorAxes: [], throughPlane: linear").throughPlane == .linear)
  }

  @Test(arguments: ["", "- a", "name: [", "just text"])
  func whatIsNoBundleIsRefused(_ yaml: String) {
    #expect(throws: ModelBundleError.self) {
      try ModelBundle(yaml: yaml, file: "model.yaml", directory: Self.folder)
    }
  }

  @Test func damagedWeightsAreRefused() throws {
    let folder = try TemporaryFolder()
    let copy = folder.url.appendingPathComponent("bundle")
    try FileManager.default.copyItem(at: Self.folder, to: copy)
    let weights = copy.appendingPathComponent("weights.safetensors")
    var data = try Data(contentsOf: weights)
    data[data.count / 2] ^= 1
    try data.write(to: weights)
    let error = #expect(throws: ModelBundleError.self) { try ModelBundle.load(at: copy) }
    guard case .wrongChecksum = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    try FileManager.default.removeItem(at: weights)
    #expect(throws: ModelBundleError.self) { try ModelBundle.load(at: copy) }
    #expect(ModelFolders.bundles(in: [folder.url]).map(\.lastPathComponent).contains("bundle"))
  }

  @Test func embeddedFolderIsNextToTheExecutable() {
    #expect(FileManager.default.fileExists(atPath: ModelFolders.embedded.path))
  }
}
