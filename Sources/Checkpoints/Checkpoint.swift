/// A file of named tensors in any of the formats that networks are published in.
///
/// Not for use from several threads at once.
///
/// ```swift
/// let checkpoint = try Checkpoint.open(path: "model_final_checkpoint.model")
/// for name in checkpoint.tensorNames { print(name, checkpoint.entry(name)?.shape ?? []) }
/// let weights = try checkpoint.floats("encoder1.conv1.conv.weight")
/// ```
public enum Checkpoint {
  case pyTorch(PyTorchFile)
  case safetensors(SafetensorsFile)

  /// Opens a file by what it begins with, not by its name.
  public static func open(path: String) throws(CheckpointError) -> Checkpoint {
    let start: [UInt8]
    do throws(MappedFile.Failure) {
      start = try MappedFile(path: path).copy(64)
    } catch {
      throw .unreadable(path: path, reason: error.reason)
    }
    let isPyTorch = start.withUnsafeBytes {
      LegacyStream.begins($0) || PyTorchFile.isArchive($0)
    }
    if isPyTorch { return .pyTorch(try PyTorchFile(path: path)) }
    // A safetensors file is a length of eight bytes and a JSON object.
    guard start.count > 8, start[8] == UInt8(ascii: "{") else {
      throw .unknownFormat(path: path, found: Self.kind(start))
    }
    do throws(SafetensorsError) {
      return .safetensors(try SafetensorsFile(path: path))
    } catch {
      throw .safetensors(error)
    }
  }

  private static func kind(_ start: [UInt8]) -> String {
    if start.starts(with: [0x89, 0x48, 0x44, 0x46]) { return "it is HDF5" }
    if start.starts(with: [0x1F, 0x8B]) { return "it is gzip; unpack it first" }
    if start.first == 0x80 { return "it is a pickle, but not one of torch.save" }
    if start.first == UInt8(ascii: "<") { return "it is a web page, not the download itself" }
    return "its first bytes are "
      + start.prefix(8).map { String($0, radix: 16) }.joined(separator: " ")
  }

  public var path: String {
    switch self {
    case .pyTorch(let file): file.path
    case .safetensors(let file): file.path
    }
  }

  /// The container in words.
  public var format: String {
    switch self {
    case .pyTorch(let file):
      file.container == .zip ? "PyTorch, zip container" : "PyTorch, legacy stream"
    case .safetensors: "safetensors"
    }
  }

  public var tensorNames: [String] {
    switch self {
    case .pyTorch(let file): file.tensorNames
    case .safetensors(let file): file.tensorNames
    }
  }

  /// What the file holds besides the network's tensors.
  public var others: [(name: String, kind: String)] {
    switch self {
    case .pyTorch(let file): file.others
    case .safetensors: []
    }
  }

  /// Type and shape of a tensor, or nil if the file has none of that name.
  public func entry(_ name: String) -> (type: TensorType, shape: [Int])? {
    switch self {
    case .pyTorch(let file): file.entry(name)
    case .safetensors(let file): file.entry(name).map { ($0.type, $0.shape) }
    }
  }

  /// The values of a floating-point tensor in row-major order.
  public func floats(_ name: String) throws(CheckpointError) -> [Float] {
    switch self {
    case .pyTorch(let file): return try file.floats(name)
    case .safetensors(let file):
      do throws(SafetensorsError) {
        return try file.floats(name)
      } catch {
        throw .safetensors(error)
      }
    }
  }
}
