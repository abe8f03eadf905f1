import Foundation

/// Reads files of text.
///
/// ```swift
/// let text = try TextFile.read("/etc/segmentd/segmentd.yaml")
/// ```
public enum TextFile {
  /// The text of a file in UTF-8.
  ///
  /// - Throws: ``TextFileError`` in the words of the system, such as "No such file or directory".
  public static func read(_ path: String) throws(TextFileError) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(SystemError()) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = Foundation.read(descriptor, &buffer, buffer.count)
      if count < 0 {
        let error = SystemError()
        guard error.number == EINTR else { throw .system(error) }
        continue
      }
      guard count > 0 else { break }
      bytes += buffer[..<count]
    }
    guard let text = String(validating: bytes, as: UTF8.self) else { throw .notText }
    return text
  }
}

/// Why there is no text of a file.
public enum TextFileError: Error, Sendable, Equatable, CustomStringConvertible {
  case system(SystemError)
  case notText

  public var description: String {
    switch self {
    case .system(let error): error.description
    case .notText: "not text in UTF-8"
    }
  }
}
