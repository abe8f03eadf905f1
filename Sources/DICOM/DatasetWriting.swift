import CDCMTK
import Dispatch
import FileSystem
import Foundation
import Synchronization

/// Pixel Data (7FE0,0010) that is made part by part while it is written, so that it is never whole in
/// memory.
public struct StreamedPixelData {
  /// Bytes of all parts together.
  public var count: Int
  /// How many parts there are.
  public var parts: Int
  /// The bytes of a part by its number from 0; asked for in order, on any thread.
  public var part: (Int) -> [UInt8]

  public init(count: Int, parts: Int, part: @escaping (Int) -> [UInt8]) {
    self.count = count
    self.parts = parts
    self.part = part
  }
}

extension Dataset {
  /// Writes the dataset as a Part 10 file in Explicit VR Little Endian.
  ///
  /// It is written under a temporary name in the same folder, synced and renamed, so `path` never
  /// holds half a file; mode 0600. SOP class and instance UID must be set.
  ///
  /// - Parameters:
  ///   - path: of the file.
  ///   - pixelData: written behind the dataset, which must not hold any then, nor anything that
  ///     belongs behind it; a byte of padding follows an odd number of bytes.
  /// - Throws: ``DICOMError/cannotWrite(file:reason:system:)``, ``DICOMError/notStorable(tag:reason:)``.
  public func write(
    to path: String, pixelData: StreamedPixelData? = nil
  ) throws(DICOMError) {
    try DCMTK.prepare()
    if let pixelData {
      guard pixelData.count < 0xFFFF_FFFE else {
        throw .notStorable(
          tag: .pixelData, reason: "\(pixelData.count) bytes, of which a file can hold 4294967292")
      }
      guard !elements.keys.contains(where: { $0 >= .pixelData }) else {
        throw .notStorable(tag: .pixelData, reason: "the dataset has elements behind it already")
      }
    }
    guard let builder = cdcmtk_builder_create() else {
      throw .cannotWrite(file: path, reason: "out of memory")
    }
    defer { cdcmtk_builder_free(builder) }
    try put(into: cdcmtk_builder_dataset(builder))
    do throws(DurableFileError) {
      try DurableFile.write(to: path) { temporaryPath in
        try WritingFault.check {
          var error = cdcmtk_error()
          let code = cdcmtk_builder_save(builder, temporaryPath, &error)
          return code == CDCMTK_OK.code ? nil : error.text
        }
        if let pixelData { try Self.append(pixelData, to: temporaryPath) }
      }
    } catch {
      throw DICOMError(error)
    }
  }

  private static func append(_ pixelData: StreamedPixelData, to path: String) throws {
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    defer { try? file.close() }
    try file.seekToEnd()
    let padding = pixelData.count % 2
    let length = withUnsafeBytes(of: UInt32(pixelData.count + padding).littleEndian) { Array($0) }
    // Explicit VR with a length of 32 bits (PS3.5 7.1.2).
    try file.write(
      contentsOf: Data([0xE0, 0x7F, 0x10, 0x00] + Array("OB".utf8) + [0, 0] + length))
    let count = try write(pixelData, to: file)
    if padding == 1 { try file.write(contentsOf: Data([0])) }
    guard count == pixelData.count else {
      throw WritingFault("\(count) bytes of pixel data where \(pixelData.count) are due")
    }
  }

  /// Writes the parts; each is made while the one before is written.
  ///
  /// - Returns: how many bytes there were.
  private static func write(_ pixelData: StreamedPixelData, to file: FileHandle) throws -> Int {
    var count = 0
    var next = pixelData.parts > 0 ? pixelData.part(0) : []
    for index in 0..<pixelData.parts {
      let bytes = next
      // One thread at a time asks for a part.
      nonisolated(unsafe) let source = pixelData
      let made = Mutex<[UInt8]>([])
      let fault = Mutex<(any Error)?>(nil)
      DispatchQueue.concurrentPerform(iterations: 2) { task in
        if task == 1, !bytes.isEmpty {
          do { try file.write(contentsOf: bytes) } catch { fault.withLock { $0 = error } }
        } else if task == 0, index + 1 < source.parts {
          let part = source.part(index + 1)
          made.withLock { $0 = part }
        }
      }
      if let fault = fault.withLock({ $0 }) { throw fault }
      count += bytes.count
      next = made.withLock { $0 }
    }
    return count
  }

  private func put(into item: OpaquePointer?) throws(DICOMError) {
    for (tag, element) in elements.sorted(by: { $0.key < $1.key }) {
      if case .items(let items) = element.value {
        try put(items, tag: tag, into: item)
      } else {
        try put(element, tag: tag, into: item)
      }
    }
  }

  private func put(_ items: [Dataset], tag: Tag, into item: OpaquePointer?) throws(DICOMError) {
    var error = cdcmtk_error()
    var code = cdcmtk_put_sequence(item, tag.rawValue, &error)
    guard code == CDCMTK_OK.code else { throw .notStorable(tag: tag, reason: error.text) }
    for dataset in items {
      var appended: OpaquePointer?
      code = cdcmtk_append_item(item, tag.rawValue, &appended, &error)
      guard code == CDCMTK_OK.code else { throw .notStorable(tag: tag, reason: error.text) }
      try dataset.put(into: appended)
    }
  }

  private func put(_ element: DataElement, tag: Tag, into item: OpaquePointer?) throws(DICOMError) {
    var error = cdcmtk_error()
    let vr = element.vr.rawValue
    let code =
      switch element.value {
      case .text(let bytes):
        bytes.withUnsafeBytes {
          cdcmtk_put_text(
            item, tag.rawValue, vr, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count,
            &error)
        }
      case .integers(let values):
        cdcmtk_put_integers(
          item, tag.rawValue, vr, values.map(Int64.init), values.count, &error)
      case .reals(let values):
        cdcmtk_put_reals(item, tag.rawValue, vr, values, values.count, &error)
      case .bytes(let bytes):
        cdcmtk_put_bytes(item, tag.rawValue, vr, bytes, bytes.count, &error)
      case .items:
        CDCMTK_OK.code  // put as a sequence before
      }
    guard code == CDCMTK_OK.code else { throw .notStorable(tag: tag, reason: error.text) }
  }
}
