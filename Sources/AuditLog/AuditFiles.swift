import FileSystem
import Foundation

/// The files of the audit log: one for each day (UTC), for us alone, removed by age.
///
/// Several processes append to them; a line is written in one piece.
struct AuditFiles: Sendable {
  let folder: String
  let keepDays: Int

  /// - Throws: `SystemError`
  func append(_ line: String, at time: Date) throws(SystemError) {
    let file = try open("\(folder)/\(Self.day(time)).log")
    defer { close(file) }
    let bytes = Array((line + "\n").utf8)
    let count = bytes.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
    guard count == bytes.count else {
      let error = count < 0 ? errno : ENOSPC
      // A part of a line is taken back, unless another process has written behind it.
      if count > 0 {
        // Behind what was appended.
        let written = lseek(file, 0, SEEK_CUR)
        if written == lseek(file, 0, SEEK_END) { ftruncate(file, written - off_t(count)) }
      }
      throw SystemError(error)
    }
    guard fdatasync(file) == 0 else { throw SystemError(errno) }
  }

  private func open(_ path: String) throws(SystemError) -> Int32 {
    let flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW
    var file = Glibc.open(path, flags, 0o600)
    if file < 0, errno == ENOENT {
      guard mkdir(folder, 0o700) == 0 || errno == EEXIST else { throw SystemError(errno) }
      file = Glibc.open(path, flags, 0o600)
    }
    guard file >= 0 else { throw SystemError(errno) }
    return file
  }

  /// Removes the files of days that are over for long enough.
  ///
  /// - Parameter age: seconds since the clock of the machine showed a time.
  /// - Returns: their names.
  @discardableResult
  func removeOld(age: (Date) -> TimeInterval) -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.sorted().filter { name in
      // Only what we named: YYYY-MM-DD.log.
      guard name.count == 14, name.hasSuffix(".log"),
        let start = try? Date(String(name.dropLast(4)), strategy: Self.format),
        Self.day(start) == name.dropLast(4),
        age(start.addingTimeInterval(86_400)) >= Double(keepDays) * 86_400
      else { return false }
      return unlink("\(folder)/\(name)") == 0
    }
  }

  private static let format = Date.ISO8601FormatStyle().year().month().day()

  static func day(_ time: Date) -> String { time.formatted(format) }
}
