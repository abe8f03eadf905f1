import Foundation
import TestSupport
import Testing

@testable import Checkpoints

@Suite struct TrainingPlansTests {
  private static let folder = TestFiles.fixtures.appendingPathComponent("checkpoints")

  private static let expected = TrainingPlans(
    channels: [
      .init(
        scheme: "CT", usesMask: false,
        intensities: .init(
          lower: -958, upper: 326, mean: Double(Float(82.95177)), sd: Double(Float(136.94818))))
    ],
    spacing: [3.0, 0.75781244, 0.75781244], patch: [64, 128, 128], transposeForward: [0, 1, 2],
    classes: 2, preprocessor: "GenericPreprocessor", exportSettings: nil)

  @Test(arguments: [
    "plans-protocol2.pkl", "plans-protocol3.pkl", "plans-protocol4.pkl", "plans-protocol5.pkl",
    "tiny.model.pkl",
  ])
  func plansOfEveryProtocolAreRead(_ name: String) throws {
    #expect(
      try TrainingPlans(path: Self.folder.appendingPathComponent(name).path) == Self.expected)
  }

  @Test func replacedTextIsNamed() throws {
    let path = Self.folder.appendingPathComponent("plans-text-replaced.pkl").path
    let error = #expect(throws: TrainingPlansError.self) { try TrainingPlans(path: path) }
    #expect(error == .textReplaced(path: path, count: 4))
    #expect(error?.description.contains("LC_ALL=C sed s/nnFormer/nnUNet/g") == true)
    // The remedy that the message names works.
    let data = try Data(contentsOf: URL(fileURLWithPath: path))
    let folder = try TemporaryFolder()
    let restored = folder.url.appendingPathComponent("restored.pkl")
    let shell = Process()
    shell.executableURL = URL(fileURLWithPath: "/bin/sh")
    shell.arguments = ["-c", "LC_ALL=C sed s/nnFormer/nnUNet/g '\(path)' > '\(restored.path)'"]
    try shell.run()
    shell.waitUntilExit()
    #expect(try Data(contentsOf: restored).count < data.count)
    #expect(try TrainingPlans(path: restored.path) == Self.expected)
  }

  @Test(arguments: [
    ("plans_per_stage", "plans_per_stag_"), ("transpose_forward", "transpose_forwarx"),
    ("num_classes", "num_classex"), ("current_spacing", "current_spacinx"),
    ("percentile_00_5", "percentile_00_x"), ("use_mask_for_norm", "use_mask_for_norx"),
  ])
  func missingKeyIsNamed(_ key: String, _ replacement: String) throws {
    let data = try Data(contentsOf: Self.folder.appendingPathComponent("plans-protocol3.pkl"))
    let text = try #require(String(data: data, encoding: .isoLatin1))
    let changed = try #require(
      text.replacingOccurrences(of: key, with: replacement).data(using: .isoLatin1))
    let error = #expect(throws: TrainingPlansError.self) {
      try TrainingPlans(pickle: [UInt8](changed), path: "plans.pkl")
    }
    guard case .missing("plans.pkl", let found) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(found.hasSuffix(key))
  }

  @Test(arguments: [Pickle.none, Pickle.emptyDictionary, Pickle.emptyList, Pickle.text("plans")])
  func otherPicklesAreNoPlans(_ object: [UInt8]) {
    #expect(throws: TrainingPlansError.missing(path: "plans.pkl", key: "plans_per_stage")) {
      try TrainingPlans(pickle: Pickle.start + object + Pickle.stop, path: "plans.pkl")
    }
  }

  @Test func codeInPlansIsRefused() {
    let attack =
      Pickle.start + Pickle.global("os", "system") + Pickle.tuple([Pickle.text("true")])
      + Pickle.call + Pickle.stop
    #expect(
      throws: TrainingPlansError.pickle(
        .refusedGlobal(file: "plans.pkl", offset: 2, name: "os.system"))
    ) { try TrainingPlans(pickle: attack, path: "plans.pkl") }
  }
}
