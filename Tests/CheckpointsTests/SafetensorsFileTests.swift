import Foundation
import TestSupport
import Testing

@testable import Checkpoints

/// Well-formed and hostile safetensors files.
struct SafetensorsFileTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func open(
    _ header: String, data: [UInt8] = [], length: UInt64? = nil
  ) throws -> SafetensorsFile {
    let path = folder.url.appendingPathComponent("file.safetensors").path
    var bytes = Data()
    withUnsafeBytes(of: (length ?? UInt64(header.utf8.count)).littleEndian) {
      bytes.append(contentsOf: $0)
    }
    bytes.append(contentsOf: header.utf8)
    bytes.append(contentsOf: data)
    try bytes.write(to: URL(fileURLWithPath: path))
    return try SafetensorsFile(path: path)
  }

  private func failure(
    _ header: String, data: [UInt8] = [], length: UInt64? = nil
  ) -> SafetensorsError? {
    do {
      _ = try open(header, data: data, length: length)
      return nil
    } catch {
      return error as? SafetensorsError
    }
  }

  private func entry(_ name: String, _ type: String, _ shape: String, _ range: String) -> String {
    "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":\(range)}"
  }

  @Test func whatIsWrittenIsReadBack() throws {
    let path = folder.url.appendingPathComponent("written.safetensors").path
    let values: [Float] = [1.5, -2.25, .pi, 0, .leastNonzeroMagnitude, -.infinity]
    try SafetensorsWriter.write(
      [("b\"\\\u{1}é", [2, 3], values), ("a", [], [7])], metadata: ["key": "line\n\"é"], to: path)
    let file = try SafetensorsFile(path: path)
    #expect(file.tensorNames == ["a", "b\"\\\u{1}é"])
    #expect(file.metadata == ["key": "line\n\"é"])
    #expect(try file.floats("b\"\\\u{1}é") == values)
    #expect(file.entry("a")?.shape == [])
    #expect(try file.withFloats("b\"\\\u{1}é") { Array($0) } == values)
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o600)
  }

  @Test func chosenTensorsAreRoundedToHalfPrecision() throws {
    let folder = try TemporaryFolder()
    let path = folder.url.appendingPathComponent("a.safetensors").path
    // A third is no number of either type; 65504 is the largest of half precision.
    let values: [[Float]] = [[1 / 3, -2.5, 65504], [1 / 3]]
    try SafetensorsWriter.write(
      [("kernel", [3, 1]), ("bias", [1])], half: [0], to: path,
      failure: { (error) -> SafetensorsError in error },
      values: { (index) throws(SafetensorsError) in values[index] })
    let file = try SafetensorsFile(path: path)
    #expect(file.entry("kernel")?.type == .float16)
    #expect(file.entry("bias")?.type == .float32)
    #expect(try file.floats("kernel") == [0.333251953125, -2.5, 65504])
    #expect(try file.floats("bias") == [1 / 3])
  }

  @Test func everyFloatTypeIsConverted() throws {
    // 1.5, -2 in each type; the F64 tensor is misaligned on purpose by the odd header.
    let header =
      "{" + entry("h", "F16", "[2]", "[0,4]") + "," + entry("b", "BF16", "[2]", "[4,8]") + ","
      + entry("f", "F32", "[2]", "[8,16]") + "," + entry("d", "F64", "[2]", "[16,32]") + ","
      + entry("i", "I64", "[1]", "[32,40]") + "}"
    var data: [UInt8] = [0x00, 0x3E, 0x00, 0xC0, 0xC0, 0x3F, 0x00, 0xC0]
    for value in [Float(1.5), -2] { withUnsafeBytes(of: value) { data += $0 } }
    for value in [1.5, -2.0] { withUnsafeBytes(of: value) { data += $0 } }
    withUnsafeBytes(of: Int64(-9)) { data += $0 }
    for padding in 0..<8 {
      let file = try open(header + String(repeating: " ", count: padding), data: data)
      for name in ["h", "b", "f", "d"] {
        #expect(try file.floats(name) == [1.5, -2])
        #expect(try file.withFloats(name) { Array($0) } == [1.5, -2])
      }
      #expect(try file.integers("i") == [-9])
    }
  }

  @Test func accessErrorsNameTheTensor() throws {
    let file = try open(
      "{" + entry("i", "I64", "[1]", "[0,8]") + "}", data: Array(repeating: 0, count: 8))
    #expect(throws: SafetensorsError.missingTensor(path: file.path, name: "x")) {
      try file.floats("x")
    }
    #expect(
      throws: SafetensorsError.wrongType(
        path: file.path, name: "i", type: .int64, wanted: "a floating-point type")
    ) { try file.floats("i") }
  }

  @Test func headerLengthIsBounded() {
    guard case .headerTooLarge = failure("{}", length: 1 << 40) else {
      Issue.record("a header of a terabyte was not refused")
      return
    }
    guard case .headerBeyondFile = failure("{}", length: 3) else {
      Issue.record("a header beyond the file was not refused")
      return
    }
    guard case .headerTooLarge = failure("{}", length: .max) else {
      Issue.record("a header of 2^64-1 bytes was not refused")
      return
    }
  }

  @Test func offsetsAreCheckedAgainstTheFile() {
    let four = [UInt8](repeating: 0, count: 4)
    let eight = four + four
    guard
      case .offsetsOutOfRange = failure("{" + entry("a", "F32", "[2]", "[0,8]") + "}", data: four)
    else {
      Issue.record("offsets beyond the file were not refused")
      return
    }
    guard
      case .offsetsOutOfRange = failure("{" + entry("a", "F32", "[1]", "[4,0]") + "}", data: four)
    else {
      Issue.record("reversed offsets were not refused")
      return
    }
    let overlap = entry("a", "F32", "[1]", "[0,4]") + "," + entry("b", "F32", "[1]", "[2,6]")
    guard case .offsetsOverlap = failure("{\(overlap)}", data: eight) else {
      Issue.record("overlapping tensors were not refused")
      return
    }
    guard case .gap = failure("{" + entry("a", "F32", "[1]", "[4,8]") + "}", data: eight) else {
      Issue.record("a hole was not refused")
      return
    }
    guard case .gap = failure("{" + entry("a", "F32", "[1]", "[0,4]") + "}", data: eight) else {
      Issue.record("unclaimed bytes were not refused")
      return
    }
  }

  @Test(arguments: ["[2]", "[9223372036854775807,4]", "[0]", "[4294967296,4294967296]"])
  func shapeMustFitTheBytes(shape: String) {
    guard
      case .sizeMismatch = failure(
        "{" + entry("a", "F32", shape, "[0,4]") + "}", data: [0, 0, 0, 0])
    else {
      Issue.record("shape \(shape) with four bytes was not refused")
      return
    }
  }

  @Test func duplicateNamesAreRefused() {
    let twice = entry("a", "F32", "[1]", "[0,4]") + "," + entry("\\u0061", "F32", "[1]", "[4,8]")
    let error = failure("{\(twice)}", data: [UInt8](repeating: 0, count: 8))
    guard case .duplicateTensor(_, "a") = error else {
      Issue.record("got \(String(describing: error))")
      return
    }
  }

  @Test(arguments: [
    "", "[", "{", "{}x", "{\"a\"}", "{\"a\":1}", "{\"a\":{\"dtype\":\"F32\"}}", "{\"a",
    "{\"\\ud800\":{}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,4]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"more\":[1]}}",
    "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
    "{\"__metadata__\":{\"a\":1}}", "{\"a\\q\":{}}", "{\"\\u00g0\":{}}",
  ])
  func malformedHeadersAreRefused(header: String) {
    let error = failure(header, data: [0, 0, 0, 0])
    guard case .malformedHeader = error else {
      Issue.record("\(header) gave \(String(describing: error))")
      return
    }
  }

  @Test func unknownTypesAndUnreadableFilesAreRefused() throws {
    let error = failure("{" + entry("a", "F8", "[4]", "[0,4]") + "}", data: [0, 0, 0, 0])
    guard case .unknownType(_, "a", "F8") = error else {
      Issue.record("got \(String(describing: error))")
      return
    }
    for path in [folder.url.path, folder.url.path + "/none"] {
      #expect(throws: SafetensorsError.self) { try SafetensorsFile(path: path) }
    }
  }

  /// Every file cut short or with one byte of its header changed is read or refused, never a crash.
  @Test func damagedFilesNeverCrash() throws {
    let header =
      "{" + entry("a", "F32", "[2]", "[0,8]") + "," + entry("b", "F16", "[1]", "[8,10]") + "}"
    let data = [UInt8](repeating: 1, count: 10)
    for cut in 0..<header.utf8.count {
      #expect(failure(String(header.prefix(cut)), data: data) != nil)
    }
    for index in header.utf8.indices {
      for replacement in ["0", "\"", "}", "]", ",", "\u{7f}"] {
        var changed = header
        changed.replaceSubrange(index...index, with: replacement)
        _ = failure(changed, data: data)
      }
    }
  }

  @Test func writerRefusesWhatDoesNotFit() {
    let path = folder.url.appendingPathComponent("bad.safetensors").path
    #expect(throws: SafetensorsError.wrongCount(path: path, name: "a", shape: [3], count: 2)) {
      try SafetensorsWriter.write([("a", [3], [1, 2])], to: path)
    }
    #expect(throws: SafetensorsError.duplicateTensor(path: path, name: "a")) {
      try SafetensorsWriter.write([("a", [1], [1]), ("a", [1], [1])], to: path)
    }
    #expect(!FileManager.default.fileExists(atPath: path))
  }
}
