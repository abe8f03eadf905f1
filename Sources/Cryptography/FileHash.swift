import FileSystem
import Foundation

extension SHA256 {
  /// How much of a file is read at once, in bytes.
  private static let partSize = 1 << 18

  /// The hash of what a file holds, read in parts.
  ///
  /// - Throws: `UnreadableFile` where the file is missing, a folder, a pipe or a device, or not readable, and where the
  ///   disk fails: a file that was not read has no hash.
  public static func hash(ofFile file: URL) throws(UnreadableFile) -> [UInt8] {
    // A pipe would be waited for.
    let descriptor = open(file.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw UnreadableFile(file.path, SystemError()) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw UnreadableFile(file.path, SystemError()) }
    let kind = status.st_mode & S_IFMT
    guard kind == S_IFREG else {
      throw UnreadableFile(file.path, SystemError(kind == S_IFDIR ? EISDIR : EINVAL))
    }
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
