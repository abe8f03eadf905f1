import FileSystem
import Foundation

/// Writes tensors of float32, or rounded to float16, as a safetensors file.
public enum SafetensorsWriter {
  public typealias NamedTensor = (name: String, shape: [Int], values: [Float])

  /// Writes `tensors` to `path`, readable by the owner only; the file appears complete or not at
  /// all. Shapes are row-major.
  /// - Throws: `SafetensorsError` if a name comes twice, a shape does not fit its values, or the
  ///   file cannot be written.
  public static func write(
    _ tensors: [NamedTensor], metadata: [String: String] = [:], to path: String
  ) throws(SafetensorsError) {
    try write(
      tensors.map { ($0.name, $0.shape) }, metadata: metadata, to: path,
      failure: { (error) -> SafetensorsError in error },
      values: { (index) throws(SafetensorsError) in tensors[index].values })
  }

  /// Writes tensors whose values are asked for one after another, so that only one of them is in
  /// memory.
  ///
  /// - Parameters:
  ///   - tensors: name and shape of each tensor, in the order of the file.
  ///   - metadata: texts for the header's `__metadata__`.
  ///   - half: indices of the tensors that are rounded to float16 (F16); their values must fit.
  ///   - path: of the file; written under a temporary name, synced and renamed, mode 0600.
  ///   - failure: makes an error of this function into one of the caller's.
  ///   - values: the values of the tensor at an index of `tensors`.
  public static func write<Failure: Error>(
    _ tensors: [(name: String, shape: [Int])], metadata: [String: String] = [:],
    half: Set<Int> = [], to path: String,
    failure: (SafetensorsError) -> Failure, values: (Int) throws(Failure) -> [Float]
  ) throws(Failure) {
    let header: [UInt8]
    do throws(SafetensorsError) {
      header = try Self.header(tensors, half: half, metadata: metadata, path: path)
    } catch {
      throw failure(error)
    }
    let temporary = path + ".part"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw failure(unwritable(path)) }
    do throws(Failure) {
      defer { close(descriptor) }
      guard append(header, to: descriptor) else { throw failure(unwritable(path)) }
      for (index, tensor) in tensors.enumerated() {
        let values = try values(index)
        guard values.count == tensor.shape.reduce(1, *) else {
          throw failure(
            .wrongCount(
              path: path, name: tensor.name, shape: tensor.shape, count: values.count))
        }
        guard
          half.contains(index)
            ? append(values.map { Float16($0).bitPattern.littleEndian }, to: descriptor)
            : append(values, to: descriptor)
        else { throw failure(unwritable(path)) }
      }
      guard fsync(descriptor) == 0 else { throw failure(unwritable(path)) }
    } catch {
      unlink(temporary)
      throw error
    }
    do throws(DurableFileError) {
      try DurableFile.move(temporary, to: path)
    } catch {
      unlink(temporary)
      throw failure(.unwritable(path: path, reason: error.reason))
    }
  }

  private static func unwritable(_ path: String) -> SafetensorsError {
    .unwritable(path: path, reason: String(cString: strerror(errno)))
  }

  private static func header(
    _ tensors: [(name: String, shape: [Int])], half: Set<Int>, metadata: [String: String],
    path: String
  ) throws(SafetensorsError) -> [UInt8] {
    var fields: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key < $1.key }.map {
        "\(quoted($0.key)):\(quoted($0.value))"
      }
      fields.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
    }
    var names: Set<String> = []
    var offset = 0
    for (index, (name, shape)) in tensors.enumerated() {
      let type = half.contains(index) ? TensorType.float16 : .float32
      guard names.insert(name).inserted else { throw .duplicateTensor(path: path, name: name) }
      let end = offset + shape.reduce(1, *) * type.width
      let extents = shape.map(String.init).joined(separator: ",")
      fields.append(
        "\(quoted(name)):{\"dtype\":\"\(type.rawValue)\",\"shape\":[\(extents)],"
          + "\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    var text = Array("{\(fields.joined(separator: ","))}".utf8)
    // Spaces to a multiple of eight keep the data aligned for zero-copy readers.
    while text.count % 8 != 0 { text.append(UInt8(ascii: " ")) }
    let length = (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) }
    return length + text
  }

  private static func quoted(_ string: String) -> String {
    var result = "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\u{0}"..<" ":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  private static func append<Element: BitwiseCopyable>(
    _ values: [Element], to descriptor: Int32
  ) -> Bool {
    values.withUnsafeBytes { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let written = Foundation.write(
          descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
        if written < 0 && errno == EINTR { continue }
        guard written > 0 else { return false }
        rest = rest.dropFirst(written)
      }
      return true
    }
  }
}
