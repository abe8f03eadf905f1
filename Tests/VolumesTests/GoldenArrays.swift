import Foundation
import TestSupport

/// The arrays of a golden safetensors file: name, shape and little-endian data.
struct GoldenArrays {
  struct Array {
    var shape: [Int]
    var values: [Float]
  }

  enum Failure: Error { case malformed(String) }

  private let arrays: [String: Array]

  init(_ name: String) throws {
    let url = TestFiles.fixtures.appendingPathComponent("golden/\(name)")
    let bytes = [UInt8](try Data(contentsOf: url))
    let headerCount = (0..<8).reduce(0) { $0 | Int(bytes[$1]) << (8 * $1) }
    let header = try JSONSerialization.jsonObject(with: Data(bytes[8..<8 + headerCount]))
    guard let entries = header as? [String: [String: Any]] else { throw Failure.malformed(name) }
    var arrays: [String: Array] = [:]
    for (key, entry) in entries where key != "__metadata__" {
      guard let shape = entry["shape"] as? [Int], let offsets = entry["data_offsets"] as? [Int],
        entry["dtype"] as? String == "F32"
      else { throw Failure.malformed(key) }
      let start = 8 + headerCount
      let values = bytes[(start + offsets[0])..<(start + offsets[1])].withUnsafeBytes { raw in
        (0..<raw.count / 4).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
      }
      arrays[key] = Array(shape: shape, values: values)
    }
    self.arrays = arrays
  }

  subscript(name: String) -> Array {
    get throws {
      guard let array = arrays[name] else { throw Failure.malformed(name) }
      return array
    }
  }
}

func largestDifference(_ a: [Float], _ b: [Float]) -> Float {
  guard a.count == b.count else { return .infinity }
  return zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
}
