import Foundation
import TestSupport
import Testing

@testable import Checkpoints

/// Files that PyTorch wrote (Scripts/test-support/generators/make_checkpoints.py).
@Suite struct PyTorchFileTests {
  private static let folder = TestFiles.fixtures.appendingPathComponent("checkpoints")

  private static func open(_ name: String) throws -> PyTorchFile {
    try PyTorchFile(path: folder.appendingPathComponent(name).path)
  }

  @Test(arguments: [
    ("special.pt", PyTorchFile.Container.zip), ("special-deflated.pt", .zip),
    ("special-streamed.pt", .zip), ("special-legacy.pt", .legacy),
  ])
  func everyTypeAndViewIsRead(_ name: String, _ container: PyTorchFile.Container) throws {
    let file = try Self.open(name)
    #expect(file.container == container)
    #expect(
      file.tensorNames == [
        "float", "transposed", "slice", "column", "half", "bfloat16", "double", "long", "scalar",
        "empty", "parameter",
      ])
    let base = (0..<24).map { Float($0) }
    #expect(try file.floats("float") == base)
    #expect(file.entry("float")?.shape == [2, 3, 4])
    #expect(try file.floats("transposed") == (0..<24).map { Float($0 % 4 * 6 + $0 / 4) })
    #expect(file.entry("transposed")?.shape == [6, 4])
    #expect(try file.floats("slice") == Array(base[5..<11]))
    #expect(try file.floats("column") == [2, 8, 14, 20])
    #expect(try file.floats("half") == [1.5, -2, 65504])
    #expect(try file.floats("bfloat16") == [1.5, -2, Float(bitPattern: 0x7F62_0000)])
    #expect(try file.floats("double") == [1.5, -2, 0.1])
    #expect(try file.floats("scalar") == [0.25])
    #expect(file.entry("scalar")?.shape == [])
    #expect(try file.floats("empty") == [])
    #expect(try file.floats("parameter") == [0.5, 0.75])
    #expect(
      throws: CheckpointError.wrongType(path: file.path, name: "long", type: .int64)
    ) { try file.floats("long") }
    #expect(throws: CheckpointError.missingTensor(path: file.path, name: "none")) {
      try file.floats("none")
    }
  }

  @Test(arguments: ["tiny-synapse.model", "tiny-synapse-legacy.model", "tiny-acdc.model"])
  func checkpointsEqualTheirSafetensors(_ name: String) throws {
    let file = try Self.open(name)
    let stem = name.contains("acdc") ? "tiny-acdc" : "tiny-synapse"
    let golden = try SafetensorsFile(
      path: Self.folder.appendingPathComponent("\(stem).safetensors").path)
    #expect(file.tensorNames.sorted() == golden.tensorNames)
    for name in golden.tensorNames {
      let entry = try #require(golden.entry(name))
      #expect(file.entry(name)?.shape == entry.shape)
      #expect(file.entry(name)?.type == entry.type)
      if entry.type == .float32 {
        #expect(try file.floats(name) == (try golden.floats(name)), "\(name)")
      }
    }
    #expect(
      file.others.map(\.name) == [
        "epoch", "optimizer_state_dict", "lr_scheduler_state_dict", "plot_stuff", "best_stuff",
      ])
    // E and F are two names of one module.
    let first = "unetr_pp_encoder.stages.0.0.epa_block.E.weight"
    let second = first.replacingOccurrences(of: ".E.", with: ".F.")
    #expect((file.storageKey(first) == file.storageKey(second)) == (stem == "tiny-synapse"))
  }

  @Test func formatIsToldByContent() throws {
    let folder = try TemporaryFolder()
    let path = folder.url.appendingPathComponent("file").path
    func found(_ bytes: [UInt8]) throws -> String {
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      do {
        _ = try Checkpoint.open(path: path)
        return ""
      } catch {
        return "\(error)"
      }
    }
    #expect(try found(Array("<!DOCTYPE html>".utf8)).contains("web page"))
    #expect(try found([0x1F, 0x8B, 8, 0]).contains("gzip"))
    #expect(try found([0x89, 0x48, 0x44, 0x46, 0x0D]).contains("HDF5"))
    #expect(try found(Pickle.start + Pickle.none + Pickle.stop).contains("not one of torch.save"))
    #expect(try found([1, 2, 3]).contains("1 2 3"))
    #expect(try found([]).contains("empty"))
    for name in ["tiny-synapse.model", "tiny-synapse-legacy.model", "tiny-synapse.safetensors"] {
      let file = try Checkpoint.open(path: Self.folder.appendingPathComponent(name).path)
      #expect(file.entry("out1.conv.conv.weight")?.shape == [3, 4, 1, 1, 1])
    }
  }

  /// Cut anywhere, a checkpoint is refused or one of its tensors is; with a byte changed, every
  /// tensor is read or refused.
  @Test(arguments: ["special.pt", "special-deflated.pt", "special-legacy.pt"])
  func damagedFilesNeverCrash(_ name: String) throws {
    let bytes = try Data(contentsOf: Self.folder.appendingPathComponent(name))
    let folder = try TemporaryFolder()
    let url = folder.url.appendingPathComponent(name)
    func isWhole(_ data: Data) throws -> Bool {
      try data.write(to: url)
      guard let file = try? PyTorchFile(path: url.path) else { return false }
      return file.tensorNames.filter { $0 != "long" }
        .allSatisfy { (try? file.floats($0)) != nil }
    }
    #expect(try isWhole(bytes))
    for cut in 0..<bytes.count { #expect(try !isWhole(bytes.prefix(cut)), "cut at \(cut)") }
    for index in 0..<bytes.count {
      var changed = bytes
      changed[index] ^= UInt8(1 << (index % 8))
      _ = try isWhole(changed)
    }
  }
}
