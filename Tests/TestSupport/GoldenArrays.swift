import Foundation

/// The arrays of a golden safetensors file in Fixtures/golden, as floats.
public struct GoldenArrays {
  public struct Array {
    public var shape: [Int]
    public var values: [Float]
  }

  public enum Failure: Error { case malformed(String) }

  public let arrays: [String: Array]

  public init(_ name: String) throws {
    let data = try Data(contentsOf: TestFiles.fixtures.appendingPathComponent("golden/\(name)"))
    let headerCount = (0..<8).reduce(0) { $0 | Int(data[$1]) << (8 * $1) }
    let header = try JSONSerialization.jsonObject(with: data.subdata(in: 8..<8 + headerCount))
    guard let entries = header as? [String: [String: Any]] else { throw Failure.malformed(name) }
    var arrays: [String: Array] = [:]
    for (key, entry) in entries where key != "__metadata__" {
      guard let shape = entry["shape"] as? [Int], let type = entry["dtype"] as? String,
        let offsets = entry["data_offsets"] as? [Int],
        let values = Self.values(
          data.subdata(in: (8 + headerCount + offsets[0])..<(8 + headerCount + offsets[1])), type)
      else { throw Failure.malformed(key) }
      arrays[key] = Array(shape: shape, values: values)
    }
    self.arrays = arrays
  }

  public subscript(name: String) -> Array {
    get throws {
      guard let array = arrays[name] else { throw Failure.malformed(name) }
      return array
    }
  }

  private static func values(_ data: Data, _ type: String) -> [Float]? {
    data.withUnsafeBytes { raw in
      switch type {
      case "F32":
        (0..<raw.count / 4).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
      case "I16":
        (0..<raw.count / 2).map { Float(raw.loadUnaligned(fromByteOffset: 2 * $0, as: Int16.self)) }
      case "U8": raw.map { Float($0) }
      default: nil
      }
    }
  }
}

/// Decodes a JSON file of Fixtures/golden.
public func goldenJSON<Value: Decodable>(_ name: String, as type: Value.Type) throws -> Value {
  let data = try Data(contentsOf: TestFiles.fixtures.appendingPathComponent("golden/\(name)"))
  return try JSONDecoder().decode(type, from: data)
}

/// The largest absolute difference; infinite where counts differ or a value is not a number.
public func largestDifference(_ a: [Float], _ b: [Float]) -> Float {
  guard a.count == b.count else { return .infinity }
  var largest: Float = 0
  for (x, y) in zip(a, b) {
    guard x.isFinite, y.isFinite else { return .infinity }
    largest = max(largest, abs(x - y))
  }
  return largest
}
