import Checkpoints
import Foundation
import TestSupport
import Testing
import UNETRPP

/// `segmentd models import` as an administrator meets it.
@Suite(.limitedConcurrency) struct ModelsImportTests {
  private let folder: TemporaryFolder
  private let models: URL

  init() throws {
    folder = try TemporaryFolder()
    models = folder.url.appendingPathComponent("models")
  }

  private func importing(
    _ checkpoint: String, preset: String, name: String = "new", _ more: [String] = []
  ) async throws -> ProcessResult {
    let arguments = [
      "models", "import", "--preset", preset, "--checkpoint", checkpoint, "--name", name,
      "--models", models.path,
    ]
    return try await runProcess(segmentdBinary, arguments + more)
  }

  private func fixture(_ name: String) -> String {
    TestFiles.fixtures.appendingPathComponent("checkpoints/\(name)").path
  }

  @Test func faultsAreNamedAndLeaveNothing() async throws {
    let attack = folder.url.appendingPathComponent("attack.model")
    // The legacy stream's magic number, then os.system.
    let magic: [UInt8] = [
      0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E,
    ]
    try Data(magic + [0x80, 2] + Array("cos\nsystem\n.".utf8)).write(to: attack)
    let page = folder.url.appendingPathComponent("page.model")
    try Data("<html>Sign in</html>".utf8).write(to: page)
    for (checkpoint, preset, more, expected) in [
      (fixture("special.pt"), "synapse", [], "is no UNETR++ network"),
      (fixture("tiny-synapse.model"), "synapse", ["--architecture", "/nowhere.yaml"], "/nowhere"),
      (attack.path, "synapse", [], "names os.system"),
      (page.path, "synapse", [], "web page"), ("/nowhere/a.model", "synapse", [], "/nowhere"),
      (fixture("special.pt"), "lung", [], "unetr_pp_encoder"),
      (fixture("special.pt"), "heart", [], "synapse, btcv, acdc, lung, brats"),
      (fixture("special.pt"), "lung", ["--orientation", "SAS"], "SAS"),
      (
        fixture("special.pt"), "lung", ["--plans", fixture("plans-text-replaced.pkl")],
        "sed s/nnFormer/nnUNet/g"
      ),
      (
        fixture("tiny-synapse.model"), "brats",
        [
          "--plans", fixture("plans-protocol2.pkl"),
          "--configuration", "3d_fullres", "--dataset", "/nowhere.json",
        ], "/nowhere.json"
      ),
    ] as [(String, String, [String], String)] {
      let result = try await importing(checkpoint, preset: preset, more)
      #expect(result.status != 0)
      #expect(result.output.contains(expected), "\(result.output)")
      #expect(!FileManager.default.fileExists(atPath: models.appendingPathComponent("new").path))
    }
  }

  /// A network of full size: its bundle is verified, listed and run like any other.
  @Test func bundleOfFullSizeIsUsedAtOnce() async throws {
    let checkpoint = folder.url.appendingPathComponent("acdc.safetensors").path
    try SafetensorsWriter.write(
      NetworkDescription.acdc.stateDictionary().map { entry in
        let isOne = entry.name.hasSuffix("running_var") || entry.shape.count == 1
        return (
          "module." + entry.name, entry.shape,
          [Float](repeating: isOne ? 1 : 0.001, count: entry.shape.reduce(1, *))
        )
      }, to: checkpoint)
    let imported = try await importing(checkpoint, preset: "acdc")
    #expect(imported.status == 0, "\(imported.output)")
    #expect(imported.output.contains("to be confirmed: spacing"))
    let again = try await importing(checkpoint, preset: "acdc", name: "again", ["--json"])
    #expect(again.status == 0, "\(again.output)")
    let verified = try await segmentd("models", "verify", "new", "--models", models.path)
    #expect(verified.output.contains("new: verified"), "\(verified.output)")
    // A head at 1 mm is no stack of short-axis slices: the preset's limits hold it.
    let run = try await segmentd(
      "run", "--model", "new", "--models", models.path, "--output",
      folder.url.appendingPathComponent("out").path,
      TestFiles.fixtures.appendingPathComponent("series/synthetic-1").path)
    #expect(run.status == 2)
    #expect(run.output.contains("the model takes"), "\(run.output)")
  }
}
