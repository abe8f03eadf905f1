import Foundation
import TestSupport
import Testing

@testable import Checkpoints

/// Reads a pickle that fills the bytes.
private func read(_ bytes: [UInt8]) throws -> PickleDocument {
  try PickleReader.document(bytes, file: "test")
}

private func failure(_ bytes: [UInt8]) -> PickleError? {
  do {
    _ = try read(bytes)
    return nil
  } catch {
    return error as? PickleError
  }
}

@Suite struct PickleReaderTests {
  @Test(arguments: [
    ("posix", "system"), ("os", "system"), ("argparse", "ArgumentParser"), ("pathlib", "os"),
    ("datetime", "sys"), ("types", "FunctionType"), ("types", "CodeType"), ("functools", "partial"),
    ("operator", "attrgetter"), ("copyreg", "_reconstructor"), ("__main__", "Config"),
    ("builtins", "eval"), ("builtins", "getattr"),
    ("torch", "load"), ("torch.storage", "_load_from_bytes"), ("numpy", "load"),
    ("subprocess", "Popen"), ("collections", "OrderedDict.fromkeys"), ("", ""),
  ])
  func otherObjectsAreRefusedByName(_ module: String, _ name: String) {
    // os.system("touch /tmp/owned") as a pickle does it.
    let attack =
      Pickle.start + Pickle.global(module, name)
      + Pickle.tuple([Pickle.text("touch /tmp/owned")]) + Pickle.call + Pickle.stop
    #expect(
      failure(attack) == .refusedGlobal(file: "test", offset: 2, name: "\(module).\(name)"))
    // The same through the opcode of protocol 4, its names from the stack.
    let modern =
      [0x80, 4] + Pickle.text(module) + Pickle.text(name) + [0x93] + Pickle.emptyTuple
      + Pickle.call + Pickle.stop
    guard case .refusedGlobal(_, _, "\(module).\(name)") = failure(modern) else {
      Issue.record("\(String(describing: failure(modern)))")
      return
    }
  }

  @Test func nameInAnErrorIsPrintable() throws {
    let error = try #require(
      failure(Pickle.start + Pickle.global("a\u{1B}[31m", "é\u{7F}") + Pickle.stop))
    #expect(error.description.unicodeScalars.allSatisfy { (" "..."~").contains($0) })
  }

  @Test(arguments: [
    // INST, OBJ, NEWOBJ_EX, EXT1, EXT2, EXT4, PERSID, INT, FLOAT, STRING, DUP, POP, POP_MARK, LONG4,
    // NEXT_BUFFER, READONLY_BUFFER, and bytes of no opcode.
    UInt8(ascii: "i"), UInt8(ascii: "o"), 0x92, 0x82, 0x83, 0x84, UInt8(ascii: "P"),
    UInt8(ascii: "I"), UInt8(ascii: "F"), UInt8(ascii: "S"), UInt8(ascii: "2"), UInt8(ascii: "0"),
    UInt8(ascii: "1"), 0x8B, 0x97, 0x98, 0x00, 0xFF,
  ])
  func opcodesWithoutAPlaceAreRefused(_ opcode: UInt8) {
    #expect(
      failure(Pickle.start + [opcode, 0, 0, 0, 0] + Pickle.stop)
        == .unknownOpcode(file: "test", offset: 2, opcode: opcode))
  }

  @Test(arguments: [0, 1, 6, 255])
  func otherProtocolsAreRefused(_ version: Int) {
    #expect(
      failure([0x80, UInt8(version)] + Pickle.none + Pickle.stop)
        == .unsupportedProtocol(file: "test", offset: 0, version: UInt8(version)))
  }

  @Test(
    arguments: [
      [UInt8(ascii: "X"), 0xFF, 0xFF, 0xFF, 0x7F], [UInt8(ascii: "T"), 0xFF, 0xFF, 0xFF, 0xFF],
      [UInt8(ascii: "B"), 0xFF, 0xFF, 0xFF, 0xFF],
      [0x8D, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
      [0x8E, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F], [0x8E, 0, 0, 0, 0, 0, 1, 0, 0],
      [0x96, 0, 0, 0, 0, 0, 0, 0, 0x80], [0x95, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
      [0x8A, 200], [0x8C, 9], [UInt8(ascii: "C"), 9], [UInt8(ascii: "U"), 9],
    ] as [[UInt8]])
  func lengthsBeyondTheFileAreRefused(_ bytes: [UInt8]) {
    guard case .truncated = failure(Pickle.start + bytes + Pickle.stop) else {
      Issue.record("\(String(describing: failure(Pickle.start + bytes + Pickle.stop)))")
      return
    }
  }

  @Test(arguments: [
    Pickle.stop, Pickle.append + Pickle.stop,
    Pickle.none + Pickle.none + Pickle.append + Pickle.stop,
    Pickle.tuple + Pickle.stop, [0x87] + Pickle.stop, Pickle.call + Pickle.stop,
    Pickle.none + Pickle.emptyTuple + Pickle.call + Pickle.stop,
    Pickle.global("collections", "OrderedDict") + Pickle.none + Pickle.call + Pickle.stop,
    Pickle.none + Pickle.none + [UInt8(ascii: "b")] + Pickle.stop,
    Pickle.none + [UInt8(ascii: "Q")] + Pickle.stop, Pickle.recall(0) + Pickle.stop,
    [0x94] + Pickle.stop, [UInt8(ascii: "j"), 0xFF, 0xFF, 0xFF, 0xFF] + Pickle.stop,
    Pickle.none + Pickle.none + Pickle.stop, Pickle.none + Pickle.mark + Pickle.stop,
    Pickle.none + Pickle.mark + Pickle.append + Pickle.stop,
    Pickle.emptyDictionary + Pickle.mark + Pickle.none + [UInt8(ascii: "u")] + Pickle.stop,
    [UInt8(ascii: "X"), 1, 0, 0, 0, 0xFF] + Pickle.stop,
    [UInt8(ascii: "c")] + Array(repeating: UInt8(ascii: "a"), count: 4096),
    Pickle.none + Pickle.none + [0x93] + Pickle.stop,
    Pickle.storage(count: -1) + Pickle.stop,
    Pickle.storage(String(repeating: "0", count: 100), count: 1) + Pickle.stop,
  ])
  func whatPickleNeverWritesIsMalformed(_ bytes: [UInt8]) {
    guard case .malformed = failure(Pickle.start + bytes) else {
      Issue.record("\(String(describing: failure(Pickle.start + bytes)))")
      return
    }
  }

  @Test(arguments: [
    ("torch", "FloatStorage", 0), ("numpy", "ndarray", 0),
    ("torch._utils", "_rebuild_tensor_v2", 1),
    ("numpy.core.multiarray", "scalar", 3), ("builtins", "bytes", 1),
    ("collections", "OrderedDict", 2),
  ])
  func callsThatNoCheckpointMakesAreRefused(_ module: String, _ name: String, _ count: Int) {
    let bytes =
      Pickle.start + Pickle.global(module, name)
      + Pickle.tuple(Array(repeating: Pickle.none, count: count)) + Pickle.call + Pickle.stop
    guard case .refusedCall = failure(bytes) else {
      Issue.record("\(String(describing: failure(bytes)))")
      return
    }
  }

  @Test func numbersAndTextAreRead() throws {
    let document = try read(
      [0x80, 4, 0x95, 0, 0, 0, 0, 0, 0, 0, 0]
        + Pickle.tuple([
          [UInt8(ascii: "J"), 0xFE, 0xFF, 0xFF, 0xFF], [UInt8(ascii: "M"), 0, 1],
          [0x8A, 0], [0x8A, 1, 0x80], [0x8A, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1], Pickle.integer(.min),
          [UInt8(ascii: "G"), 0xC0, 0x04, 0, 0, 0, 0, 0, 0], Pickle.text("é"), [0x88],
        ]) + Pickle.stop)
    let items = try #require(document.items(document.root))
    #expect(items.prefix(4).map { document.integer($0) } == [-2, 256, 0, -128])
    guard case .largeInteger(let digits) = document[items[4]] else {
      Issue.record("\(document[items[4]])")
      return
    }
    #expect(digits == [0, 0, 0, 0, 0, 0, 0, 0, 1])
    #expect(document.integer(items[5]) == .min)
    guard case .float(-2.5) = document[items[6]], case .boolean(true) = document[items[8]] else {
      Issue.record("\(document[items[6]])")
      return
    }
    #expect(document.string(items[7]) == "é")
  }

  @Test func objectsMayHoldThemselves() throws {
    // A list in itself, and a mapping whose value it is: legal pickles, nothing to follow.
    let list = try read(
      Pickle.start + Pickle.emptyList + Pickle.remember(0) + Pickle.recall(0) + Pickle.append
        + Pickle.stop)
    #expect(list.items(list.root) == [list.root])
    let mapping = try read(
      Pickle.start + Pickle.emptyDictionary + Pickle.remember(0) + Pickle.text("state_dict")
        + Pickle.recall(0) + Pickle.setItem + Pickle.stop)
    #expect(throws: CheckpointError.self) { try CheckpointContents(mapping, path: "test") }
  }

  @Test func depthCostsNothing() throws {
    // A million lists, each in the next: no recursion may follow them.
    let count = 1_000_000
    let nested =
      Pickle.start + Array(repeating: UInt8(ascii: "]"), count: count)
      + Array(repeating: UInt8(ascii: "a"), count: count - 1) + Pickle.stop
    let document = try read(nested)
    #expect(document.items(document.root)?.count == 1)
    let marks = Pickle.start + Array(repeating: UInt8(ascii: "("), count: 100_000)
    #expect(
      failure(marks)
        == .limit(
          file: "test", offset: 2 + PickleReader.markLimit, what: "open marks",
          limit: PickleReader.markLimit))
  }

  @Test(arguments: [
    [UInt8(ascii: "N")], [0x94], Pickle.recall(0), [UInt8(ascii: "r"), 0xFF, 0xFF, 0xFF, 0xFF],
  ])
  func objectsAndMemoAreLimited(_ repeated: [UInt8]) {
    var bytes = Pickle.start + Pickle.none + Pickle.remember(0)
    let count = PickleReader.objectLimit + 10
    bytes.reserveCapacity(bytes.count + count * repeated.count)
    for _ in 0..<count { bytes += repeated }
    guard case .limit(_, _, "objects", _) = failure(bytes) else {
      Issue.record("\(String(describing: failure(bytes)))")
      return
    }
  }

  @Test func listOfPairsIsChargedEachTime() {
    // One list of 1000 pairs, made into mappings again and again.
    let pair = Pickle.tuple([Pickle.none, Pickle.none]) + Pickle.append
    var bytes = Pickle.start + Pickle.emptyList + Pickle.remember(0)
    for _ in 0..<1000 { bytes += pair }
    let again =
      Pickle.global("collections", "OrderedDict") + Pickle.recall(0) + [0x85] + Pickle.call
    for _ in 0..<5000 { bytes += again }
    guard case .limit = failure(bytes) else {
      Issue.record("\(String(describing: failure(bytes)))")
      return
    }
  }

  @Test func manyAppendsAreLinear() throws {
    // Copying the list for each of these would move 10^12 bytes.
    var bytes = Pickle.start + Pickle.emptyList
    for _ in 0..<1_000_000 { bytes += [UInt8(ascii: "N"), UInt8(ascii: "a")] }
    let document = try read(bytes + Pickle.stop)
    #expect(document.items(document.root)?.count == 1_000_000)
  }

  @Test func bytesAfterTheEndAreRefused() {
    #expect(
      failure(Pickle.start + Pickle.none + Pickle.stop + [0, 0])
        == .bytesAfterEnd(file: "test", offset: 4, count: 2))
  }

  /// Cut anywhere, a pickle is refused; with any byte changed, it is read or refused.
  @Test(arguments: ["plans-protocol2.pkl", "plans-protocol4.pkl", "tiny.model.pkl"])
  func damagedPicklesNeverCrash(_ name: String) throws {
    let bytes = [UInt8](
      try Data(contentsOf: TestFiles.fixtures.appendingPathComponent("checkpoints/\(name)")))
    for cut in bytes.indices { #expect(failure(Array(bytes[..<cut])) != nil) }
    for index in bytes.indices {
      for replacement in [UInt8(0), 0xFF, UInt8(ascii: "("), UInt8(ascii: "R"), bytes[index] ^ 1] {
        var changed = bytes
        changed[index] = replacement
        _ = try? TrainingPlans(pickle: changed, path: "test")
      }
    }
  }
}
