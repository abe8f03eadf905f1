import FileSystem
import Foundation

/// A CSV file to which rows are added, each begun with the number of its step.
///
/// Rows that a full disk does not take are kept and written with the next ones; a row is never left
/// half written but by a kill, and resuming removes it.
final class RowLog {
  private let file: URL
  private let header: String
  private var pending = ""
  /// The bytes of whole rows in the file.
  private var length = 0

  /// Opens a log, and removes the rows that a resumed run will write again.
  ///
  /// - Parameters:
  ///   - file: the CSV file.
  ///   - header: names of the columns; the first is that of the step.
  ///   - lastStep: of the rows that are kept.
  /// - Throws: ``TrainingError/unwritable(path:reason:)``.
  init(_ file: URL, header: [String], after lastStep: Int) throws(TrainingError) {
    self.file = file
    self.header = header.joined(separator: ",") + "\n"
    let kept = lastStep > 0 ? Self.rows(of: file).filter { $0.step <= lastStep }.map(\.text) : []
    let text = self.header + kept.map { $0 + "\n" }.joined()
    do {
      try Data(text.utf8).write(to: file, options: .atomic)
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
    } catch {
      throw .unwritable(path: file.path, reason: SystemError.text(of: error))
    }
    length = text.utf8.count
  }

  /// Adds a row; where the disk is full it waits for the next one.
  ///
  /// - Returns: why the row could not be written yet, or nil.
  @discardableResult
  func add(_ fields: [String]) -> String? {
    pending += fields.joined(separator: ",") + "\n"
    let descriptor = open(file.path, O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return String(cString: strerror(errno)) }
    defer { close(descriptor) }
    let bytes = Array(pending.utf8)
    let written = bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, length) }
    guard written == bytes.count else {
      let reason = written < 0 ? String(cString: strerror(errno)) : "the disk is full"
      ftruncate(descriptor, length)
      return reason
    }
    length += written
    pending = ""
    return nil
  }

  /// The whole rows of a log, without its header.
  static func rows(of file: URL) -> [(step: Int, text: String)] {
    guard let text = try? String(contentsOf: file, encoding: .utf8) else { return [] }
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    // What follows the last line break was cut off.
    _ = lines.popLast()
    return lines.dropFirst().compactMap { line in
      line.split(separator: ",").first.flatMap { Int($0) }.map { ($0, String(line)) }
    }
  }
}
