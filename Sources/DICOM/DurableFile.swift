import Foundation

/// Files that are there whole or not at all, also after a power cut.
public enum DurableFile {
  /// Creates a file of mode 0600 under a temporary name next to `path`, lets `write` fill it, syncs
  /// it, renames it to `path` and syncs the folder.
  ///
  /// - Parameters:
  ///   - path: of the file; an older one there is replaced.
  ///   - write: fills the file of the given name; returns the reason of a failure, or nil.
  /// - Throws: ``DICOMError/cannotWrite(file:reason:system:)``; the temporary file is removed then.
  public static func write(
    to path: String, _ write: (_ temporaryPath: String) -> String?
  ) throws(DICOMError) {
    let temporary = "\(path).\(UUID().uuidString).part"
    do throws(Failure) {
      try attempt(path, temporary, write)
    } catch {
      unlink(temporary)
      throw error.dicomError(path)
    }
  }

  /// Gives a synced file its final name in the same folder, and syncs the folder.
  ///
  /// - Parameters:
  ///   - temporary: path of the file as it was written.
  ///   - path: its final path; an older file there is replaced.
  /// - Throws: ``DICOMError/cannotWrite(file:reason:system:)``; the file then still has the temporary
  ///   name, or the folder could not be synced.
  public static func move(_ temporary: String, to path: String) throws(DICOMError) {
    do throws(Failure) {
      try rename(temporary, path)
    } catch {
      throw error.dicomError(path)
    }
  }

  private enum Failure: Error {
    case system(SystemError)
    case other(reason: String)

    func dicomError(_ path: String) -> DICOMError {
      switch self {
      case .system(let error):
        .cannotWrite(file: path, reason: error.description, system: error)
      case .other(let reason): .cannotWrite(file: path, reason: reason)
      }
    }
  }

  private static func attempt(
    _ path: String, _ temporary: String, _ write: (String) -> String?
  ) throws(Failure) {
    let created = open(temporary, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
    guard created >= 0 else { throw .system(SystemError()) }
    close(created)
    if let reason = write(temporary) {
      if let error = appendingFails(temporary) { throw .system(error) }
      throw .other(reason: reason)
    }
    try sync(temporary, O_RDWR)
    try rename(temporary, path)
  }

  private static func rename(_ temporary: String, _ path: String) throws(Failure) {
    guard Foundation.rename(temporary, path) == 0 else { throw .system(SystemError()) }
    let folder = (path as NSString).deletingLastPathComponent
    try sync(folder.isEmpty ? "." : folder, O_RDONLY | O_DIRECTORY)
  }

  /// Why no more can be written to a file; nil where it can. Libraries say only that writing failed:
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

  private static func sync(_ path: String, _ flags: Int32) throws(Failure) {
    let descriptor = open(path, flags | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(SystemError()) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw .system(SystemError()) }
  }
}
