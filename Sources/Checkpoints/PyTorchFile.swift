import Wording

/// A checkpoint that `torch.save` wrote, in the zip container or the older stream of pickles.
///
/// Nothing of the file is run: its pickle is read by ``PickleError``'s strict reader, which knows
/// only what such files need. Not for use from several threads at once.
///
/// ```swift
/// let file = try PyTorchFile(path: "model_final_checkpoint.model")
/// for name in file.tensorNames { print(name, file.entry(name)?.shape ?? []) }
/// let bias = try file.floats("out1.conv.conv.bias")
/// ```
public final class PyTorchFile {
  public enum Container: String, Sendable { case zip, legacy }

  public let path: String
  public let container: Container
  /// In the file's order.
  public let tensorNames: [String]
  /// What the file holds besides the network's tensors, such as the state of the optimiser.
  public let others: [(name: String, kind: String)]

  private let mapping: MappedFile
  private let views: [String: TensorView]
  private let storages: Storages
  /// The storage read last; tensors that share one come one after another.
  private var cached: (key: String, bytes: [UInt8])?

  private enum Storages {
    case archive(ZipArchive, folder: String)
    case stream([String: Range<Int>])
  }

  /// Reads the pickle and checks every tensor against its storage; elements are read when asked
  /// for.
  public init(path: String) throws(CheckpointError) {
    do throws(MappedFile.Failure) {
      mapping = try MappedFile(path: path)
    } catch {
      throw .unreadable(path: path, reason: error.reason)
    }
    self.path = path
    let document: PickleDocument
    if LegacyStream.begins(mapping.bytes) {
      let stream = try LegacyStream(mapping.bytes, path: path)
      container = .legacy
      storages = .stream(stream.storages)
      document = stream.document
    } else if Self.isArchive(mapping.bytes) {
      let archive = try ZipArchive(mapping)
      container = .zip
      let folder = try Self.folder(of: archive)
      storages = .archive(archive, folder: folder)
      document = try Self.document(archive, folder)
    } else {
      throw .unknownFormat(path: path, found: "it begins with neither of their marks")
    }
    try Self.checkStorages(document, path: path)
    let contents = try CheckpointContents(document, path: path)
    tensorNames = contents.tensors.map(\.name)
    others = contents.others
    views = Dictionary(
      contents.tensors.map { ($0.name, $0.view) }, uniquingKeysWith: { first, _ in first })
  }

  /// Whether the bytes begin as a zip archive.
  static func isArchive(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.starts(with: [0x50, 0x4B, 0x03, 0x04]) || bytes.starts(with: [0x50, 0x4B, 0x05, 0x06])
  }

  /// Type and shape of a tensor, or nil if the file has none of that name.
  public func entry(_ name: String) -> (type: TensorType, shape: [Int])? {
    views[name].map { ($0.storage.type, $0.shape) }
  }

  /// The name of the storage that a tensor shows; tensors of one storage share their values.
  public func storageKey(_ name: String) -> String? { views[name]?.storage.key }

  /// The values of a floating-point tensor (float, half, bfloat16, double) in row-major order.
  public func floats(_ name: String) throws(CheckpointError) -> [Float] {
    guard let view = views[name] else { throw .missingTensor(path: path, name: name) }
    guard view.count > 0 else { return [] }
    let values: [Float]?
    switch storages {
    case .stream(let places):
      guard let place = places[view.storage.key] else {
        throw .unusableTensor(path: path, name: name, reason: "has no storage in the file")
      }
      try check(place.count, of: view, name)
      values = view.floats(mapping[place])
    case .archive(let archive, let folder):
      let bytes = try storage(view.storage, archive, folder, name)
      values = bytes.withUnsafeBytes { view.floats($0) }
    }
    guard let values else {
      throw .wrongType(path: path, name: name, type: view.storage.type)
    }
    return values
  }

  private func storage(
    _ storage: PickleDocument.Storage, _ archive: ZipArchive, _ folder: String, _ name: String
  ) throws(CheckpointError) -> [UInt8] {
    if let cached, cached.key == storage.key { return cached.bytes }
    cached = nil
    let entry = "\(folder)/data/\(storage.key)"
    guard let size = archive.entries[entry]?.size, let view = views[name] else {
      throw .unusableTensor(path: path, name: name, reason: "has no storage \(entry)")
    }
    try check(size, of: view, name)
    let bytes = try archive.read(entry)
    cached = (storage.key, bytes)
    return bytes
  }

  private func check(_ size: Int, of view: TensorView, _ name: String) throws(CheckpointError) {
    let (expected, isTooLarge) = view.storage.count.multipliedReportingOverflow(
      by: view.storage.type.width)
    guard !isTooLarge, size == expected else {
      throw .unusableTensor(
        path: path, name: name,
        reason: "has a storage of \(size) bytes for \(view.storage.count) elements")
    }
  }

  // MARK: The zip container

  /// The folder that holds `data.pkl`, the one thing every version writes.
  private static func folder(of archive: ZipArchive) throws(CheckpointError) -> String {
    let folders = archive.entries.keys.filter { $0.hasSuffix("/data.pkl") }.map { $0.dropLast(9) }
    guard folders.count == 1 else {
      throw .unknownFormat(
        path: archive.path,
        found: "a zip archive with \(counted(folders.count, "entry", "entries")) named data.pkl")
    }
    return String(folders[0])
  }

  private static func document(
    _ archive: ZipArchive, _ folder: String
  ) throws(CheckpointError) -> PickleDocument {
    if archive.entries["\(folder)/byteorder"] != nil {
      let order = try archive.read("\(folder)/byteorder")
      guard order == Array("little".utf8) else {
        throw .unknownFormat(path: archive.path, found: "an archive of a big-endian machine")
      }
    }
    let name = "\(folder)/data.pkl"
    if let size = archive.entries[name]?.size, size > PickleReader.byteLimit {
      throw .damagedArchive(
        path: archive.path, entry: name, reason: "it claims \(size) bytes")
    }
    let bytes = try archive.read(name)
    do throws(PickleError) {
      return try PickleReader.document(bytes, file: "\(archive.path): \(name)")
    } catch {
      throw .pickle(error)
    }
  }

  /// One key means one storage throughout.
  private static func checkStorages(
    _ document: PickleDocument, path: String
  ) throws(CheckpointError) {
    var known: [String: PickleDocument.Storage] = [:]
    for storage in document.storages {
      guard known.updateValue(storage, forKey: storage.key).map({ $0 == storage }) ?? true else {
        throw .notACheckpoint(
          path: path, reason: "the storage \(storage.key) has two types or lengths")
      }
    }
  }
}
