import Foundation

/// Files that are there whole or not at all, also after a power cut.
public enum DurableFile {
  /// Creates a file of mode 0600 under a temporary name next to `path`, lets `write` fill it, syncs
  /// it, renames it to `path` and syncs the folder.
  ///
  /// - Parameters:
  ///   - path: of the file; an older one there is replaced.
  ///   - write: fills the file of the given name.
  /// - Throws: ``DurableFileError``; the temporary file is removed then.
  public static func write(
    to path: String, _ write: (_ temporaryPath: String) throws -> Void
  ) throws(DurableFileError) {
    let temporary = "\(path).\(UUID().uuidString).part"
    do throws(DurableFileError) {
      try attempt(path, temporary, write)
    } catch {
      unlink(temporary)
      throw error
    }
  }

  /// Gives a synced file or folder its final name on the same file system, and syncs the folder that
  /// it is in then.
  ///
  /// - Parameters:
  ///   - temporary: path of the file as it was written.
  ///   - path: its final path; an older file there is replaced.
  /// - Throws: ``DurableFileError``; the file then still has the temporary name, or the folder could
  ///   not be synced.
  public static func move(_ temporary: String, to path: String) throws(DurableFileError) {
    guard rename(temporary, path) == 0 else { throw DurableFileError(path, SystemError()) }
    let folder = (path as NSString).deletingLastPathComponent
    do throws(DurableFileError) {
      try sync(folder.isEmpty ? "." : folder)
    } catch {
      throw DurableFileError(file: path, reason: error.reason, system: error.system)
    }
  }

  /// Waits until the content of a file, or the entries of a folder, are on the disk.
  public static func sync(_ path: String) throws(DurableFileError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw DurableFileError(path, SystemError()) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw DurableFileError(path, SystemError()) }
  }

  private static func attempt(
    _ path: String, _ temporary: String, _ write: (String) throws -> Void
  ) throws(DurableFileError) {
    let created = open(temporary, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
    guard created >= 0 else { throw DurableFileError(path, SystemError()) }
    close(created)
    do { try write(temporary) } catch {
      let known = (error as? WritingFault)?.system ?? SystemError(behind: error)
      if let system = known ?? appendingFails(temporary) { throw DurableFileError(path, system) }
      throw DurableFileError(file: path, reason: SystemError.text(of: error))
    }
    do throws(DurableFileError) {
      try sync(temporary)
    } catch {
      throw DurableFileError(file: path, reason: error.reason, system: error.system)
    }
    try move(temporary, to: path)
  }

  /// Why no more can be written to a file; nil where it can. Libraries may say only that writing failed:
  /// on a full disk the next write fails too, and says why.
  private static func appendingFails(_ path: String) -> SystemError? {
    let descriptor = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
    guard descriptor >= 0 else { return SystemError() }
    defer { close(descriptor) }
    let block = [UInt8](repeating: 0, count: 1 << 16)
    var written = 0
    while written < block.count {
      let count = block.withUnsafeBytes {
        Foundation.write(descriptor, $0.baseAddress?.advanced(by: written), $0.count - written)
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return SystemError() }
      written += count
    }
    return fsync(descriptor) == 0 ? nil : SystemError()
  }
}
