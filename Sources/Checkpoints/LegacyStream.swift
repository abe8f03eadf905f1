/// The container that PyTorch wrote before version 1.6: five pickles one behind the other (a magic
/// number, a version, facts about the system, the object, the storages' keys), then each storage
/// with its count of elements in eight bytes before it.
struct LegacyStream {
  /// 0x1950A86A20F9469CFC6C, little-endian.
  private static let magic: [UInt8] = [0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]
  private static let version = 1001

  let document: PickleDocument
  /// Where each storage's elements are in the file.
  let storages: [String: Range<Int>]

  /// Whether a file begins as such a stream.
  static func begins(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.starts(with: [0x80, 0x02, 0x8A, 0x0A] + magic)
  }

  init(_ bytes: UnsafeRawBufferPointer, path: String) throws(CheckpointError) {
    var pickles: [PickleDocument] = []
    var reader = PickleReader(bytes, file: path)
    do throws(PickleError) {
      for _ in 0..<5 { pickles.append(try reader.read()) }
    } catch {
      throw .pickle(error)
    }
    let (magic, version, system, keys) = (pickles[0], pickles[1], pickles[2], pickles[4])
    guard case .largeInteger(Self.magic) = magic[magic.root],
      version.integer(version.root) == Self.version
    else {
      throw .unknownFormat(path: path, found: "a stream of pickles of another version")
    }
    if let little = system.value("little_endian", in: system.root),
      case .boolean(false) = system[little]
    {
      throw .unknownFormat(path: path, found: "a stream of a big-endian machine")
    }
    document = pickles[3]
    storages = try Self.storages(keys, of: pickles[3], bytes, from: reader.position, path: path)
  }

  private static func storages(
    _ keys: PickleDocument, of document: PickleDocument, _ bytes: UnsafeRawBufferPointer,
    from start: Int, path: String
  ) throws(CheckpointError) -> [String: Range<Int>] {
    guard let list = keys.items(keys.root) else {
      throw .notACheckpoint(path: path, reason: "the list of its storages is missing")
    }
    let widths = Dictionary(
      document.storages.map { ($0.key, $0.type.width) }, uniquingKeysWith: { first, _ in first })
    var places: [String: Range<Int>] = [:]
    var position = start
    for item in list {
      guard let key = keys.string(item), let width = widths[key], places[key] == nil else {
        throw .notACheckpoint(path: path, reason: "the list of its storages is not of its tensors")
      }
      guard bytes.count - position >= 8 else { throw truncated(key, path) }
      let count = UInt64(
        littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
      position += 8
      guard count <= UInt64((bytes.count - position) / width) else { throw truncated(key, path) }
      places[key] = position..<position + Int(count) * width
      position += Int(count) * width
    }
    return places
  }

  private static func truncated(_ key: String, _ path: String) -> CheckpointError {
    .damagedArchive(path: path, entry: key, reason: "the file ends within it")
  }
}
