import CCodecs
import Foundation

/// Deflated datasets (PS3.5 A.5).
enum Inflation {
  /// The file with its dataset inflated; nil where it is not deflated.
  ///
  /// - Parameters:
  ///   - raw: the whole file.
  ///   - file: the path named in errors.
  ///   - maximumSize: of the inflated dataset, in bytes.
  /// - Throws: ``DICOMError/tooLarge(file:reason:)`` beyond `maximumSize`,
  ///   ``DICOMError/malformed(file:tag:reason:)`` where the stream is damaged or cut off.
  static func inflate(
    _ raw: UnsafeRawBufferPointer, file: String, maximumSize: Int
  ) throws(DICOMError) -> Data? {
    // What is wrong with the file meta information is told by the scan of the structure.
    var scan = StructureScan(bytes: raw, file: file)
    let deflated = TransferSyntax.deflatedExplicitLittleEndian
    guard let meta = try? scan.metaInformation(), meta.transferSyntaxUID == deflated.rawValue
    else { return nil }
    // No deflate stream begins as a dataset does: some writers state the syntax and do not deflate.
    guard scan.codingOfDataset(at: meta.end) == nil else { return nil }
    let stream = UnsafeRawBufferPointer(rebasing: raw[meta.end...])
    var inflated: UnsafeMutablePointer<UInt8>?
    var count = 0
    var error = ccodecs_error()
    let code = ccodecs_inflate(
      stream.baseAddress?.assumingMemoryBound(to: UInt8.self), stream.count,
      maximumSize, &inflated, &count, &error)
    defer { free(inflated) }
    guard code == CCODECS_OK.code, let inflated else {
      if code == CCODECS_TOO_LARGE.code { throw .tooLarge(file: file, reason: error.text) }
      throw .malformed(file: file, tag: .transferSyntaxUID, reason: error.text)
    }
    var whole = Data(raw[..<meta.end])
    whole.append(inflated, count: count)
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
