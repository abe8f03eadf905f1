import Foundation
import TestSupport
import Testing

@testable import Checkpoints

/// Archives made to mislead: what they claim is held against what is there.
@Suite struct HostileCheckpointTests {
  let folder: TemporaryFolder
  let path: String

  init() throws {
    folder = try TemporaryFolder()
    path = folder.url.appendingPathComponent("hostile.pt").path
  }

  private func open(
    _ pickle: [UInt8], storage: [UInt8] = [UInt8](repeating: 0, count: 16),
    more: [(name: String, bytes: [UInt8])] = [], deflated: Bool = false
  ) throws -> PyTorchFile {
    try writeArchive(
      [("a/data.pkl", pickle), ("a/data/0", storage)] + more, deflated: deflated, to: path)
    return try PyTorchFile(path: path)
  }

  private func tensor(
    offset: Int = 0, shape: [Int], strides: [Int], count: Int = 4
  ) -> [UInt8] {
    Pickle.state([
      (
        "x",
        Pickle.tensor(Pickle.storage(count: count), offset: offset, shape: shape, strides: strides)
      )
    ])
  }

  /// The reason for which the tensor x is refused.
  private func reason(_ body: () throws -> Void) -> String? {
    do {
      try body()
    } catch CheckpointError.unusableTensor(_, "x", let reason) {
      return reason
    } catch {
      return "another error: \(error)"
    }
    return nil
  }

  @Test func honestOneIsRead() throws {
    let file = try open(tensor(shape: [2, 2], strides: [2, 1]))
    #expect(try file.floats("x") == [0, 0, 0, 0])
  }

  @Test(
    arguments: [
      ([2, 3], [3, 1], 0), ([5], [1], 0), ([4], [1], 1), ([1], [1], 4), ([1], [1], .max),
      ([2], [.max], 0), ([.max, .max], [.max, 1], 0), ([3, .max], [1, 3], 0),
    ] as [([Int], [Int], Int)])
  func viewBeyondItsStorage(_ shape: [Int], _ strides: [Int], _ offset: Int) throws {
    let reason = reason { _ = try open(tensor(offset: offset, shape: shape, strides: strides)) }
    #expect(reason?.contains("of shape") == true, "\(reason ?? "none")")
  }

  @Test(arguments: [
    ([1_000_000_000], [0]), ([2, 2], [1, 1]), ([2, 3], [1, 1]), ([3, 2], [1, 2]),
  ])
  func viewThatShowsElementsTwice(_ shape: [Int], _ strides: [Int]) throws {
    let reason = reason { _ = try open(tensor(shape: shape, strides: strides)) }
    #expect(reason?.contains("twice") == true, "\(reason ?? "none")")
  }

  @Test(arguments: [([-1], [1], 0), ([1], [-1], 0), ([1], [1], -1), ([1, 1], [1], 0)])
  func negativeOrMissingNumbers(_ shape: [Int], _ strides: [Int], _ offset: Int) throws {
    let reason = reason { _ = try open(tensor(offset: offset, shape: shape, strides: strides)) }
    #expect(reason?.contains("negative") == true || reason?.contains("axes") == true)
  }

  @Test func storageOfAnotherSize() throws {
    for count in [3, 5, Int.max, Int.max / 2] {
      let reason = reason {
        _ = try open(tensor(shape: [2], strides: [1], count: count)).floats("x")
      }
      #expect(reason?.contains("a storage of 16 bytes") == true, "\(reason ?? "none")")
    }
  }

  @Test func oneStorageWithTwoTypes() throws {
    let state = Pickle.state([
      ("x", Pickle.tensor(Pickle.storage(count: 4), offset: 0, shape: [4], strides: [1])),
      (
        "y",
        Pickle.tensor(
          Pickle.storage(type: "DoubleStorage", count: 2), offset: 0, shape: [2], strides: [1])
      ),
    ])
    #expect(throws: CheckpointError.self) { try open(state) }
  }

  @Test(arguments: ["../../../etc/passwd", "/etc/passwd", "", "0/../0", "data.pkl"])
  func storageKeysAreNoPaths(_ key: String) throws {
    let state = Pickle.state([
      ("x", Pickle.tensor(Pickle.storage(key, count: 4), offset: 0, shape: [4], strides: [1]))
    ])
    let reason = reason { _ = try open(state).floats("x") }
    #expect(reason?.contains("has no storage") == true, "\(reason ?? "none")")
  }

  @Test func entriesThatPointOutsideAreNeverWritten() throws {
    let name = "../escaped-\(UUID().uuidString)"
    let file = try open(tensor(shape: [4], strides: [1]), more: [(name, [1, 2, 3])])
    #expect(try file.floats("x").count == 4)
    let outside = folder.url.deletingLastPathComponent()
      .appendingPathComponent(String(name.dropFirst(3)))
    #expect(!FileManager.default.fileExists(atPath: outside.path))
  }

  @Test func archiveThatGrowsOutOfProportion() throws {
    // 64 MiB of zeros in 64 KiB.
    let count = 16 << 20
    let zeros = [UInt8](repeating: 0, count: 4 * count)
    let file = try open(
      tensor(shape: [count], strides: [1], count: count), storage: zeros, deflated: true)
    let error = #expect(throws: CheckpointError.self) { try file.floats("x") }
    #expect(error?.description.contains("out of proportion") == true)
    // The same zeros stored are an honest file.
    let stored = try open(tensor(shape: [count], strides: [1], count: count), storage: zeros)
    #expect(try stored.floats("x").count == count)
  }

  @Test func archiveWithTwoPicklesOrNone() throws {
    for entries in [
      [(name: "a/data.pkl", bytes: tensor(shape: [4], strides: [1])), ("b/data.pkl", [])],
      [(name: "a/data/0", bytes: [0])], [],
    ] {
      try writeArchive(entries + [("z", [0])], to: path)
      let error = #expect(throws: CheckpointError.self) { try PyTorchFile(path: path) }
      #expect(error?.description.contains("data.pkl") == true)
    }
  }

  @Test func entryListedTwice() throws {
    _ = try open(tensor(shape: [4], strides: [1]), more: [("a/data/1", [0])])
    var data = try Data(contentsOf: URL(fileURLWithPath: path))
    while let range = data.range(of: Data("a/data/1".utf8)) {
      data.replaceSubrange(range, with: Data("a/data/0".utf8))
    }
    try data.write(to: URL(fileURLWithPath: path))
    let error = #expect(throws: CheckpointError.self) { try PyTorchFile(path: path) }
    // libzip's own check, or ours should it ever let this pass.
    let text = error?.description ?? ""
    #expect(text.contains("exists") || text.contains("twice"), "\(text)")
  }

  @Test func changedElementsFailTheirChecksum() throws {
    _ = try open(tensor(shape: [4], strides: [1]), storage: Array(100..<116))
    var data = try Data(contentsOf: URL(fileURLWithPath: path))
    let range = try #require(data.range(of: Data(100..<116)))
    data[range.lowerBound] ^= 1
    try data.write(to: URL(fileURLWithPath: path))
    let file = try PyTorchFile(path: path)
    let error = #expect(throws: CheckpointError.self) { try file.floats("x") }
    #expect(error?.description.contains("CRC") == true)
  }

  @Test func codeInACheckpointIsRefused() throws {
    let attack =
      Pickle.start + Pickle.emptyDictionary + Pickle.text("x") + Pickle.global("os", "system")
      + Pickle.tuple([Pickle.text("true")]) + Pickle.call + Pickle.setItem + Pickle.stop
    let error = #expect(throws: CheckpointError.self) { try open(attack) }
    guard case .pickle(.refusedGlobal(let file, _, "os.system")) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(file == "\(path): a/data.pkl")
  }

  @Test func objectsThatAreNoTensors() throws {
    let parameter = Pickle.global("torch._utils", "_rebuild_parameter")
    // A parameter that is its own tensor.
    let circle =
      Pickle.start + Pickle.emptyDictionary + Pickle.text("x") + parameter
      + Pickle.tuple([
        parameter + Pickle.tuple([Pickle.none, Pickle.no, Pickle.none]) + Pickle.call,
        Pickle.no, Pickle.none,
      ]) + Pickle.call + Pickle.setItem + Pickle.stop
    #expect(reason { _ = try open(circle) } == "is a parameter without a tensor")
    let plain = Pickle.start + Pickle.text("x") + Pickle.stop
    #expect(throws: CheckpointError.self) { try open(plain) }
    #expect(throws: CheckpointError.self) { try open(Pickle.state([])) }
    let twice = Pickle.tensor(Pickle.storage(count: 4), offset: 0, shape: [4], strides: [1])
    #expect(throws: CheckpointError.duplicateTensor(path: path, name: "x")) {
      try open(Pickle.state([("x", twice), ("x", twice)]))
    }
  }

  @Test func foreignByteOrder() throws {
    let state = tensor(shape: [4], strides: [1])
    #expect(throws: CheckpointError.self) {
      try open(state, more: [("a/byteorder", Array("big".utf8))])
    }
    #expect(
      try open(state, more: [("a/byteorder", Array("little".utf8))]).floats("x").count == 4)
  }

  @Test(
    arguments: [
      [UInt8](repeating: 0xFF, count: 8), Pickle.littleEndian(UInt64(5)),
      Pickle.littleEndian(UInt64(1) << 62), [4, 0, 0],
    ] as [[UInt8]])
  func legacyStorageBeyondTheFile(_ count: [UInt8]) throws {
    let magic: [UInt8] = [
      0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19,
    ]
    let head =
      magic + Pickle.stop + Pickle.start + Pickle.integer(1001) + Pickle.stop + Pickle.start
      + Pickle.emptyDictionary + Pickle.stop + tensor(shape: [4], strides: [1])
    let keys = Pickle.start + Pickle.emptyList + Pickle.text("0") + Pickle.append + Pickle.stop
    let elements = [UInt8](repeating: 0, count: 16)
    func write(_ bytes: [UInt8]) throws { try Data(bytes).write(to: URL(fileURLWithPath: path)) }
    try write(head + keys + Pickle.littleEndian(UInt64(4)) + elements)
    #expect(try PyTorchFile(path: path).floats("x").count == 4)
    try write(head + keys + count + elements.prefix(count.count == 3 ? 0 : 16))
    #expect(throws: CheckpointError.self) { try PyTorchFile(path: path) }
    try write(head + Pickle.start + Pickle.emptyList + Pickle.stop)
    #expect(reason { _ = try PyTorchFile(path: path).floats("x") } == "has no storage in the file")
  }
}
