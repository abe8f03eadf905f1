import FileSystem
import Foundation

/// Uncompressed pixel data in a file, read part by part.
public struct NativePixels: Sendable {
  public let path: String
  /// The bytes of the value of Pixel Data (7FE0,0010) in the file.
  private let value: Range<Int>

  /// Bytes of the value, padding included.
  public var count: Int { value.count }

  fileprivate init(path: String, value: Range<Int>) {
    self.path = path
    self.value = value
  }

  /// Opens the file for reading parts of it.
  public func open() throws(DICOMError) -> Reader {
    do {
      return Reader(
        file: try FileHandle(forReadingFrom: URL(fileURLWithPath: path)), path: path, value: value)
    } catch {
      throw .cannotRead(
        file: path, reason: SystemError.text(of: error), system: SystemError(behind: error))
    }
  }

  /// Reads parts; closes the file when it goes.
  public final class Reader {
    private let file: FileHandle
    private let path: String
    private let value: Range<Int>

    fileprivate init(file: FileHandle, path: String, value: Range<Int>) {
      self.file = file
      self.path = path
      self.value = value
    }

    deinit { try? file.close() }

    /// Bytes of the value, by their place in it.
    ///
    /// - Throws: ``DICOMError/cannotRead(file:reason:system:)``.
    public func read(_ part: Range<Int>) throws(DICOMError) -> Data {
      guard part.lowerBound >= 0, part.upperBound <= value.count else {
        throw .truncated(
          file: path, tag: .pixelData, needed: part.upperBound, available: value.count)
      }
      do {
        try file.seek(toOffset: UInt64(value.lowerBound + part.lowerBound))
        let bytes = try file.read(upToCount: part.count) ?? Data()
        if bytes.count == part.count { return bytes }
      } catch {
        throw .cannotRead(
          file: path, reason: SystemError.text(of: error), system: SystemError(behind: error))
      }
      throw .truncated(file: path, tag: .pixelData, needed: part.count, available: 0)
    }
  }
}

extension DICOMFile {
  /// All of a file but the value of its pixel data: file meta information, dataset, and what is behind.
  ///
  /// - Throws: ``DICOMError``.
  public static func bytesOutsidePixelData(of path: String) throws(DICOMError) -> Data {
    let bytes = try contents(of: path, mapped: true)
    guard let pixelData = try DICOMFile(path: path, bytes: bytes).structure.pixelData else {
      return bytes
    }
    let last = pixelData.native?.upperBound ?? pixelData.fragments.last?.upperBound
    return bytes[..<pixelData.start] + bytes[(last ?? pixelData.start)...]
  }

  /// The dataset of a file with uncompressed pixel data, little endian, which stay on the disk: only what is
  /// before them is read.
  ///
  /// - Parameter path: of a file that nobody writes to or cuts off in the meantime.
  /// - Throws: ``DICOMError``, also where the pixel data is absent or compressed, or the dataset deflated.
  public static func withPixelsOnDisk(
    path: String
  ) throws(DICOMError) -> (dataset: Dataset, pixels: NativePixels) {
    let file = try DICOMFile(path: path, bytes: try contents(of: path, mapped: true))
    return (file.dataset, try file.pixelsOnDisk())
  }

  /// Uncompressed pixel data, little endian, which stay on the disk.
  ///
  /// - Throws: ``DICOMError``, also where the pixel data is absent or compressed.
  package func pixelsOnDisk() throws(DICOMError) -> NativePixels {
    guard let value = structure.pixelData?.native else {
      throw .missingAttribute(file: path, tag: .pixelData)
    }
    guard !transferSyntax.isBigEndian else {
      throw .unsupportedPixels(file: path, reason: "big endian")
    }
    return NativePixels(path: path, value: value)
  }
}
