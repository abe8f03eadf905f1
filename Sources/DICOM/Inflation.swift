import CCodecs
import FileSystem
import Foundation

/// Deflated datasets (PS3.5 A.5).
enum Inflation {
  /// A deflated dataset in a file.
  struct Extent: Equatable {
    /// Where it begins.
    var offset: Int
    /// How long it is inflated.
    var size: Int
    /// Where the value of its native pixel data is in the inflated file; nil where that is not known.
    var pixels: Range<Int>?

    /// How long it is inflated without its pixels.
    var sizeWithoutPixels: Int { size - (pixels?.count ?? 0) }
  }

  /// So much of a dataset is looked at for its pixel data before anything else is known of it.
  static let beginningSize = 1 << 20

  /// The deflated dataset of a file; nil where it is not deflated. The stream is followed to its end, so
  /// that it is known to be whole, and nothing of it is kept.
  ///
  /// - Parameters:
  ///   - raw: the whole file.
  ///   - file: the path named in errors.
  ///   - maximumSize: of the inflated dataset, in bytes.
  /// - Throws: ``DICOMError/tooLarge(file:reason:)`` beyond `maximumSize`,
  ///   ``DICOMError/malformed(file:tag:reason:)`` where the stream is damaged or cut off.
  static func extent(
    _ raw: UnsafeRawBufferPointer, file: String, maximumSize: Int
  ) throws(DICOMError) -> Extent? {
    // What is wrong with the file meta information is told by the scan of the structure.
    var scan = StructureScan(bytes: raw, file: file)
    let deflated = TransferSyntax.deflatedExplicitLittleEndian
    guard let meta = try? scan.metaInformation(), meta.transferSyntaxUID == deflated.rawValue
    else { return nil }
    // No deflate stream begins as a dataset does: some writers state the syntax and do not deflate.
    guard scan.codingOfDataset(at: meta.end) == nil else { return nil }
    let stream = UnsafeRawBufferPointer(rebasing: raw[meta.end...])
    var (size, error) = (0, ccodecs_error())
    let code = ccodecs_inflated_size(
      stream.baseAddress?.assumingMemoryBound(to: UInt8.self), stream.count, maximumSize, &size,
      &error)
    guard code == CCODECS_OK.code else {
      if code == CCODECS_TOO_LARGE.code { throw .tooLarge(file: file, reason: error.text) }
      throw .malformed(file: file, tag: .transferSyntaxUID, reason: error.text)
    }
    return Extent(offset: meta.end, size: size)
  }

  /// Where the value of the native pixel data of a deflated dataset is in the inflated file; nil where
  /// its element does not begin within the first `size` bytes.
  ///
  /// - Parameters:
  ///   - raw: the whole file.
  ///   - extent: as ``extent(_:file:maximumSize:)`` gives it.
  ///   - size: how much of the dataset is inflated, in bytes.
  ///   - file: the path named in errors.
  static func pixels(
    of raw: UnsafeRawBufferPointer, _ extent: Extent, within size: Int, file: String
  ) throws(DICOMError) -> Range<Int>? {
    let size = min(size, extent.size)
    let whole = try room(for: extent, file: file)
    // Behind what is inflated there are zeros, by which no element begins.
    let beginning = whole.start.advanced(by: extent.offset).assumingMemoryBound(to: UInt8.self)
    let stream = UnsafeRawBufferPointer(rebasing: raw[extent.offset...])
    _ = ccodecs_inflate_beginning(
      stream.baseAddress?.assumingMemoryBound(to: UInt8.self), stream.count, beginning, size)
    return whole.data.withUnsafeBytes { bytes in
      var scan = StructureScan(bytes: bytes, file: file)
      scan.take(.deflatedExplicitLittleEndian)
      if let other = scan.codingOfDataset(
        at: extent.offset, otherThan: .deflatedExplicitLittleEndian)
      {
        scan.takeCoding(of: other)
      }
      _ = try? scan.elements(
        from: extent.offset, to: bytes.count, depth: 0, delimited: false)
      guard let found = scan.pixelData, found.start < extent.offset + size else { return nil }
      return found.native
    }
  }

  /// The file with its dataset inflated, but for pixels of which the extent says where they are: zeros,
  /// which take no memory, are in their place.
  ///
  /// - Parameters:
  ///   - raw: the whole file.
  ///   - extent: of its dataset.
  ///   - file: the path named in errors.
  static func inflate(
    _ raw: UnsafeRawBufferPointer, _ extent: Extent, file: String
  ) throws(DICOMError) -> Data {
    let whole = try room(for: extent, file: file)
    let pixels = extent.pixels.map { $0.lowerBound - extent.offset..<$0.upperBound - extent.offset }
    UnsafeMutableRawBufferPointer(start: whole.start, count: extent.offset)
      .copyMemory(from: UnsafeRawBufferPointer(rebasing: raw[..<extent.offset]))
    let stream = UnsafeRawBufferPointer(rebasing: raw[extent.offset...])
    var error = ccodecs_error()
    let code = ccodecs_inflate(
      stream.baseAddress?.assumingMemoryBound(to: UInt8.self), stream.count,
      whole.start.advanced(by: extent.offset).assumingMemoryBound(to: UInt8.self), extent.size,
      pixels?.lowerBound ?? 0, pixels?.upperBound ?? 0, &error)
    guard code == CCODECS_OK.code else {
      throw .malformed(file: file, tag: .transferSyntaxUID, reason: error.text)
    }
    return whole.data
  }

  /// Zeros for a file with its dataset inflated; a page takes memory once it is written to.
  private static func room(
    for extent: Extent, file: String
  ) throws(DICOMError) -> (start: UnsafeMutableRawPointer, data: Data) {
    // One byte at least, as there is no empty mapping.
    let size = max(1, extent.offset + extent.size)
    guard
      let start = mmap(
        nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
      start != MAP_FAILED
    else { throw .cannotRead(file, SystemError()) }
    return (
      start, Data(bytesNoCopy: start, count: size, deallocator: .custom { _ = munmap($0, $1) })
    )
  }

  /// As much of a deflated dataset as can be inflated into `size` bytes, where it is damaged or cut
  /// off.
  static func beginning(of deflated: UnsafeRawBufferPointer, size: Int) -> Data {
    var inflated = Data(count: size)
    let count = inflated.withUnsafeMutableBytes { buffer in
      ccodecs_inflate_beginning(
        deflated.baseAddress?.assumingMemoryBound(to: UInt8.self), deflated.count,
        buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), size)
    }
    return inflated.prefix(count)
  }
}
