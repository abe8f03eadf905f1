import FileSystem
import Foundation

/// The hash of a dataset in the preamble of its file (PS3.10 7.1, "for implementation specified use"),
/// written when the file is complete.
///
/// By it a file of the spool says for itself whether it is what was received. After a crash one without
/// seal was not complete, and one that does not match its seal had not reached the disk; neither was
/// acknowledged. The dataset and the file meta information are as they were received.
struct SpoolSeal: Equatable {
  private static let mark = Array("segmentd SHA-256".utf8)
  private static let preambleLength = 128
  /// SHA-256 of the dataset as 64 hexadecimal digits.
  var contentHash: String

  init(contentHash: String) { self.contentHash = contentHash }

  /// The seal of a file; nil where it has none.
  ///
  /// - Parameters:
  ///   - file: of the spool.
  ///   - hasPrefix: is told whether the file has the letters DICM, so that it could have a seal.
  init?(of file: URL, hasPrefix: inout Bool) {
    guard let handle = try? FileHandle(forReadingFrom: file),
      let start = try? handle.read(upToCount: Self.preambleLength + 4)
    else { return nil }
    hasPrefix = start.dropFirst(Self.preambleLength).elementsEqual("DICM".utf8)
    let hash = start.dropFirst(Self.mark.count).prefix(32)
    guard hasPrefix, start.starts(with: Self.mark) else { return nil }
    contentHash = hexadecimal(hash)
  }

  /// Writes the seal into a file with a preamble; one without stays as it is.
  func write(to file: URL) throws(SystemError) {
    let descriptor = open(file.path, O_RDWR | O_CLOEXEC)
    guard descriptor >= 0 else { throw SystemError() }
    defer { close(descriptor) }
    try write(to: descriptor)
  }

  /// The same with a file that is open for reading and writing.
  func write(to descriptor: Int32) throws(SystemError) {
    var prefix = [UInt8](repeating: 0, count: 4)
    let count = pread(descriptor, &prefix, 4, off_t(Self.preambleLength))
    guard count >= 0 else { throw SystemError() }
    guard count == 4, prefix.elementsEqual("DICM".utf8) else { return }
    try writePreamble(to: descriptor)
  }

  /// Writes the whole of a file that is empty and open for writing, the seal last.
  func write(_ contents: Data, to descriptor: Int32) throws(SystemError) {
    try FileSystem.write(contents, to: descriptor)
    guard contents.dropFirst(Self.preambleLength).prefix(4).elementsEqual("DICM".utf8) else {
      return
    }
    try writePreamble(to: descriptor)
  }

  private func writePreamble(to descriptor: Int32) throws(SystemError) {
    var preamble = Self.mark + hash
    preamble += [UInt8](repeating: 0, count: Self.preambleLength - preamble.count)
    guard pwrite(descriptor, preamble, preamble.count, 0) == preamble.count else {
      throw SystemError()
    }
  }

  /// The 32 bytes of the hash.
  private var hash: [UInt8] {
    var bytes: [UInt8] = []
    var high: UInt8?
    for digit in contentHash.utf8 {
      let value = digit <= UInt8(ascii: "9") ? digit &- UInt8(ascii: "0") : (digit & 0xF) &+ 9
      if let first = high {
        bytes.append(first << 4 | value)
        high = nil
      } else {
        high = value
      }
    }
    return bytes
  }
}
