import FileSystem
import Foundation

extension SHA256 {
  /// How much of a file is read at once, in bytes.
  private static let partSize = 1 << 18

  /// The hash of what a file holds, read in parts.
  ///
  /// - Throws: `UnreadableFile` where the file is missing, a folder or not readable, and where the disk fails: a file
  ///   that was not read has no hash.
  public static func hash(ofFile file: URL) throws(UnreadableFile) -> [UInt8] {
    let descriptor = open(file.path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw UnreadableFile(file.path, SystemError()) }
    defer { close(descriptor) }
    var hash = SHA256()
    var part = [UInt8](repeating: 0, count: partSize)
    while true {
      let count = read(descriptor, &part, part.count)
      if count < 0 {
        let error = SystemError()
        guard error.number == EINTR else { throw UnreadableFile(file.path, error) }
        continue
      }
      guard count > 0 else { return hash.finalize() }
      part.withUnsafeBytes {
        hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[..<count]))
      }
    }
  }
}
