import CCodecs
import Foundation

/// Deflated datasets (PS3.5 A.5).
enum Inflation {
  /// Where a deflated dataset begins in a file, and how long it is inflated; nil where it is not
  /// deflated. Nothing of it is kept.
  ///
  /// - Parameters:
  ///   - raw: the whole file.
  ///   - file: the path named in errors.
  ///   - maximumSize: of the inflated dataset, in bytes.
  /// - Throws: ``DICOMError/tooLarge(file:reason:)`` beyond `maximumSize`,
  ///   ``DICOMError/malformed(file:tag:reason:)`` where the stream is damaged or cut off.
  static func extent(
    _ raw: UnsafeRawBufferPointer, file: String, maximumSize: Int
  ) throws(DICOMError) -> (offset: Int, size: Int)? {
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
    return (meta.end, size)
  }

  /// The file with its dataset inflated.
  ///
  /// - Parameters:
  ///   - raw: the whole file.
  ///   - extent: as ``extent(_:file:maximumSize:)`` gives it.
  ///   - file: the path named in errors.
  static func inflate(
    _ raw: UnsafeRawBufferPointer, _ extent: (offset: Int, size: Int), file: String
  ) throws(DICOMError) -> Data {
    var whole = Data(count: extent.offset + extent.size)
    var error = ccodecs_error()
    let code = whole.withUnsafeMutableBytes { buffer in
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: raw[..<extent.offset]))
      let stream = UnsafeRawBufferPointer(rebasing: raw[extent.offset...])
      let inflated = UnsafeMutableRawBufferPointer(rebasing: buffer[extent.offset...])
      return ccodecs_inflate(
        stream.baseAddress?.assumingMemoryBound(to: UInt8.self), stream.count,
        inflated.baseAddress?.assumingMemoryBound(to: UInt8.self), inflated.count, &error)
    }
    guard code == CCODECS_OK.code else {
      throw .malformed(file: file, tag: .transferSyntaxUID, reason: error.text)
    }
    return whole
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
