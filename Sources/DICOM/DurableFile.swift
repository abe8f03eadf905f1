import Foundation

/// Files that are there whole or not at all, also after a power cut.
public enum DurableFile {
  /// Creates a file of mode 0600 under a temporary name beside `path`, lets `write` fill it, syncs
  /// it, renames it to `path` and syncs the folder.
  ///
  /// - Parameter write: fills the file of the given name; returns the reason of a failure, or nil.
  /// - Throws: ``DICOMError/cannotWrite(file:reason:)``; the temporary file is removed then.
  public static func write(
    to path: String, _ write: (_ temporaryPath: String) -> String?
  ) throws(DICOMError) {
    let temporary = "\(path).\(UUID().uuidString).part"
    if let reason = writeReason(path, temporary, write) {
      unlink(temporary)
      throw .cannotWrite(file: path, reason: reason)
    }
  }

  private static func writeReason(
    _ path: String, _ temporary: String, _ write: (String) -> String?
  ) -> String? {
    let created = open(temporary, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
    guard created >= 0 else { return systemReason() }
    close(created)
    if let reason = write(temporary) { return reason }
    if let reason = sync(temporary, O_RDWR) { return reason }
    guard rename(temporary, path) == 0 else { return systemReason() }
    let folder = (path as NSString).deletingLastPathComponent
    return sync(folder.isEmpty ? "." : folder, O_RDONLY | O_DIRECTORY)
  }

  private static func sync(_ path: String, _ flags: Int32) -> String? {
    let descriptor = open(path, flags | O_CLOEXEC)
    guard descriptor >= 0 else { return systemReason() }
    defer { close(descriptor) }
    return fsync(descriptor) == 0 ? nil : systemReason()
  }

  private static func systemReason() -> String { String(cString: strerror(errno)) }
}
