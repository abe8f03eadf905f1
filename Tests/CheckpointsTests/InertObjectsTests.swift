import Foundation
import TestSupport
import Testing

@testable import Checkpoints

/// Objects that training leaves next to the weights: passed over by name.
@Suite struct InertObjectsTests {
  private let folder: TemporaryFolder
  private let path: String

  init() throws {
    folder = try TemporaryFolder()
    path = folder.url.appendingPathComponent("c.pt").path
  }

  private static let new: [UInt8] = [0x81]
  private static let build: [UInt8] = [UInt8(ascii: "b")]
  private static let state =
    Pickle.emptyDictionary + Pickle.text("lr") + Pickle.integer(1) + Pickle.setItem

  /// A checkpoint with one tensor and an object next to it.
  private func open(_ object: [UInt8], start: [UInt8] = Pickle.start) throws -> PyTorchFile {
    let tensor = Pickle.tensor(Pickle.storage(count: 4), offset: 0, shape: [4], strides: [1])
    let network = Pickle.emptyDictionary + Pickle.text("x") + tensor + Pickle.setItem
    let pickle =
      start + Pickle.emptyDictionary + Pickle.text("args") + object + Pickle.setItem
      + Pickle.text("state_dict") + network + Pickle.setItem + Pickle.stop
    try writeArchive(
      [("a/data.pkl", pickle), ("a/data/0", [UInt8](repeating: 0, count: 16))], to: path)
    return try PyTorchFile(path: path)
  }

  @Test(
    arguments: [
      // As Python writes them: a new object with its state, a call with its arguments.
      (
        "argparse.Namespace",
        Pickle.global("argparse", "Namespace") + Pickle.emptyTuple + new + state + build
      ),
      (
        "types.SimpleNamespace",
        Pickle.global("types", "SimpleNamespace") + Pickle.emptyTuple + Pickle.call + state + build
      ),
      (
        "datetime.datetime",
        Pickle.global("datetime", "datetime")
          + Pickle.tuple([
            Pickle.global("_codecs", "encode")
              + Pickle.tuple([Pickle.text("\u{07}ê"), Pickle.text("latin1")]) + Pickle.call
          ]) + Pickle.call
      ),
      (
        "pathlib.PosixPath",
        Pickle.global("pathlib", "PosixPath")
          + Pickle.tuple([Pickle.text("/"), Pickle.text("data")]) + Pickle.call
      ),
      (
        "torch.device",
        Pickle.global("torch", "device") + Pickle.tuple([Pickle.text("cuda")]) + Pickle.call
      ),
      (
        "torch.Size",
        Pickle.global("torch", "Size") + Pickle.tuple([Pickle.tuple([Pickle.integer(3)])])
          + Pickle.call
      ),
      ("torch.float32", Pickle.global("torch", "float32")),
      (
        "__builtin__.set",
        Pickle.global("__builtin__", "set") + Pickle.tuple([Pickle.emptyList]) + Pickle.call
      ),
      (
        "collections.deque",
        Pickle.global("collections", "deque") + Pickle.emptyTuple + Pickle.call + Pickle.integer(1)
          + Pickle.append
      ),
      ("builtins.set", [0x8F] + Pickle.mark + Pickle.integer(1) + [0x90]),
      ("builtins.frozenset", Pickle.mark + Pickle.integer(1) + [0x91]),
      // A mapping with entries of its own: Lightning's settings.
      (
        "pytorch_lightning.utilities.parsing.AttributeDict",
        Pickle.global("pytorch_lightning.utilities.parsing", "AttributeDict") + Pickle.emptyTuple
          + new + Pickle.text("lr") + Pickle.integer(1) + Pickle.setItem + state + build
      ),
      (
        "mapping of 1",
        Pickle.global("collections", "defaultdict")
          + Pickle.tuple([Pickle.global("__builtin__", "list")]) + Pickle.call + Pickle.text("a")
          + Pickle.integer(1) + Pickle.setItem
      ),
    ] as [(String, [UInt8])])
  func areNamedAndPassedOver(_ kind: String, _ object: [UInt8]) throws {
    let file = try open(object)
    #expect(file.tensorNames == ["x"])
    #expect(file.others.map(\.name) == ["args"])
    #expect(file.others.map(\.kind) == [kind])
  }

  /// What they are called with is read by the same rules: nothing hides in an argument or a state.
  @Test func codeWithinThemIsRefused() {
    let attack =
      Pickle.global("os", "system") + Pickle.tuple([Pickle.text("true")]) + Pickle.call
    for object in [
      Pickle.global("argparse", "Namespace") + Pickle.emptyTuple + Self.new
        + Pickle.emptyDictionary + Pickle.text("x") + attack + Pickle.setItem + Self.build,
      Pickle.global("pathlib", "PosixPath") + Pickle.tuple([attack]) + Pickle.call,
      Pickle.global("collections", "defaultdict")
        + Pickle.tuple([Pickle.global("os", "system")]) + Pickle.call,
    ] {
      let error = #expect(throws: CheckpointError.self) { try open(object) }
      guard case .pickle(.refusedGlobal(_, _, "os.system")) = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
      #expect(error?.description.hasSuffix("Do not trust this file") == true)
    }
  }

  @Test func newObjectsOfOtherKindsAreRefused() {
    for global in [
      Pickle.global("collections", "OrderedDict"), Pickle.global("numpy", "dtype"),
      Pickle.global("torch._utils", "_rebuild_tensor_v2"),
    ] {
      let error = #expect(throws: CheckpointError.self) {
        try open(global + Pickle.emptyTuple + Self.new)
      }
      guard case .pickle(.refusedCall) = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
    }
    for object in [
      Pickle.text("Namespace") + Pickle.emptyTuple + Self.new,
      Pickle.global("argparse", "Namespace") + Pickle.none + Self.new,
      Pickle.none + Pickle.mark + [0x90],
    ] {
      let error = #expect(throws: CheckpointError.self) { try open(object) }
      guard case .pickle(.malformed) = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
    }
  }

  /// A class of the user's own is refused with what to do.
  @Test func refusalsSayWhatToDo() {
    let error = #expect(throws: CheckpointError.self) {
      try open(Pickle.global("train.config", "Settings") + Pickle.emptyTuple + Self.new)
    }
    #expect(error?.description.contains("train.config.Settings") == true)
    #expect(error?.description.contains("torch.save(model.state_dict()") == true)
  }

  @Test func networksMayBeNestedInMappings() throws {
    let tensor = Pickle.tensor(Pickle.storage(count: 4), offset: 0, shape: [4], strides: [1])
    let inner = Pickle.emptyDictionary + Pickle.text("x") + tensor + Pickle.setItem
    let state =
      Pickle.emptyDictionary + Pickle.text("epoch") + Pickle.integer(3) + Pickle.setItem
      + Pickle.text("network") + inner + Pickle.setItem
    let pickle =
      Pickle.start + Pickle.emptyDictionary + Pickle.text("model") + Pickle.text("UNETR++")
      + Pickle.setItem + Pickle.text("state_dict") + state + Pickle.setItem + Pickle.stop
    try writeArchive(
      [("a/data.pkl", pickle), ("a/data/0", [UInt8](repeating: 0, count: 16))], to: path)
    let file = try PyTorchFile(path: path)
    #expect(file.tensorNames == ["x"])
    #expect(file.others.map(\.name) == ["model", "state_dict.epoch"])
  }
}
