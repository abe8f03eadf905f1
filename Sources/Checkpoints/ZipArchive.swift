import CZip
import Wording

/// The entries of a zip archive in memory, stored or deflated, read by libzip.
///
/// Entries are found by their exact names and never written anywhere, so names that point outside a
/// folder mean nothing. Not for use from several threads at once.
final class ZipArchive {
  /// Deflated entries may grow to this many times the archive's size, all reads together. Weights
  /// shrink by a tenth; an archive that grows more is made to fill the memory.
  static let growthLimit = 200
  static let entryLimit = 1 << 20

  struct Entry: Equatable {
    var index: UInt64
    var size: Int
    var isDeflated: Bool
  }

  let path: String
  let entries: [String: Entry]
  private let mapping: MappedFile
  private let archive: OpaquePointer
  private var inflationLeft: Int

  init(_ mapping: MappedFile) throws(CheckpointError) {
    path = mapping.path
    self.mapping = mapping
    inflationLeft = Self.growthLimit * mapping.bytes.count
    archive = try Self.open(mapping)
    do throws(CheckpointError) {
      entries = try Self.list(archive, path: mapping.path)
    } catch {
      zip_discard(archive)
      throw error
    }
  }

  deinit { zip_discard(archive) }

  private static func open(_ mapping: MappedFile) throws(CheckpointError) -> OpaquePointer {
    var error = zip_error_t()
    zip_error_init(&error)
    defer { zip_error_fini(&error) }
    let source = zip_source_buffer_create(
      mapping.bytes.baseAddress, UInt64(mapping.bytes.count), 0, &error)
    if let source {
      // The archive takes the source over where it opens.
      if let archive = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error) {
        return archive
      }
      zip_source_free(source)
    }
    throw .damagedArchive(
      path: mapping.path, entry: "", reason: String(cString: zip_error_strerror(&error)))
  }

  private static func list(
    _ archive: OpaquePointer, path: String
  ) throws(CheckpointError) -> [String: Entry] {
    let count = Int(zip_get_num_entries(archive, 0))
    guard count <= entryLimit else {
      throw .damagedArchive(
        path: path, entry: "", reason: "it has \(counted(count, "entry", "entries"))")
    }
    var entries: [String: Entry] = [:]
    for index in 0..<UInt64(max(count, 0)) {
      var status = zip_stat_t()
      guard zip_stat_index(archive, index, UInt32(ZIP_FL_ENC_RAW), &status) == 0,
        let text = status.name
      else {
        throw .damagedArchive(
          path: path, entry: "\(index)", reason: String(cString: zip_strerror(archive)))
      }
      let name = String(cString: text)
      let isDeflated = status.comp_method == ZIP_CM_DEFLATE
      guard isDeflated || status.comp_method == ZIP_CM_STORE else {
        throw .damagedArchive(
          path: path, entry: name, reason: "its compression \(status.comp_method) is not known")
      }
      guard status.encryption_method == ZIP_EM_NONE else {
        throw .damagedArchive(path: path, entry: name, reason: "it is encrypted")
      }
      guard let size = Int(exactly: status.size) else {
        throw .damagedArchive(path: path, entry: name, reason: "it claims \(status.size) bytes")
      }
      let entry = Entry(index: index, size: size, isDeflated: isDeflated)
      guard entries.updateValue(entry, forKey: name) == nil else {
        throw .damagedArchive(path: path, entry: name, reason: "it is listed twice")
      }
    }
    return entries
  }

  /// All bytes of an entry, checked against its checksum.
  func read(_ name: String) throws(CheckpointError) -> [UInt8] {
    guard let entry = entries[name] else {
      throw .damagedArchive(path: path, entry: name, reason: "it is missing")
    }
    if entry.isDeflated {
      guard entry.size <= inflationLeft else {
        throw .damagedArchive(
          path: path, entry: name,
          reason: "it would grow to \(entry.size) bytes, out of proportion to the file")
      }
      inflationLeft -= entry.size
    } else {
      guard entry.size <= mapping.bytes.count else {
        throw .damagedArchive(path: path, entry: name, reason: "it is larger than the file")
      }
    }
    guard let file = zip_fopen_index(archive, entry.index, 0) else {
      throw .damagedArchive(path: path, entry: name, reason: String(cString: zip_strerror(archive)))
    }
    defer { zip_fclose(file) }
    let bytes = [UInt8](unsafeUninitializedCapacity: entry.size) { buffer, count in
      count = 0
      while count < entry.size {
        let read = zip_fread(file, buffer.baseAddress! + count, UInt64(entry.size - count))
        guard read > 0 else { break }
        count += Int(read)
      }
    }
    // The checksum is compared when the end is read.
    var beyond = UInt8(0)
    guard bytes.count == entry.size, zip_fread(file, &beyond, 1) == 0 else {
      let reason = String(cString: zip_file_strerror(file))
      throw .damagedArchive(path: path, entry: name, reason: reason)
    }
    return bytes
  }
}
