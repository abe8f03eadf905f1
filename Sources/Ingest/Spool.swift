import DICOM
import FileSystem
import Foundation
import Glibc
import Synchronization

/// Moves received objects to their place on disk so that they survive a loss of power.
///
/// One folder after another is filled: to make a folder and sync the one above it takes longer than
/// to store a CT slice.
final class Spool: Sendable {
  /// The folder that is being filled; those above it are synced.
  private struct Folder {
    /// Relative to the state directory.
    var path: String
    var count = 0
  }

  let state: StateDirectory
  private let filling = Mutex<Folder?>(nil)
  private static let filesPerFolder = 256

  init(state: StateDirectory) { self.state = state }

  /// A new path under `incoming`.
  func temporaryFile() -> URL {
    state.incoming.appendingPathComponent(UUID().uuidString.lowercased())
  }

  /// Moves a complete, fsynced file from `incoming` into the spool and syncs the folder.
  ///
  /// - Returns: the path relative to the state directory.
  /// - Throws: ``StateDirectoryError``; the file is in `incoming` then, as before.
  func keep(_ temporary: URL) throws(StateDirectoryError) -> String {
    let name = "\(UUID().uuidString.lowercased()).dcm"
    var folder = try folderToFill()
    if let error = move(temporary, to: "\(folder)/\(name)") {
      // Where the folder was removed, another one is made.
      guard error == ENOENT else { throw failure(folder, error) }
      filling.withLock { $0 = nil }
      folder = try folderToFill()
      if let error = move(temporary, to: "\(folder)/\(name)") { throw failure(folder, error) }
    }
    do {
      try StateDirectory.sync(state.file(folder).path)
    } catch {
      rename(state.file("\(folder)/\(name)").path, temporary.path)
      throw error
    }
    return "\(folder)/\(name)"
  }

  private func failure(_ folder: String, _ error: Int32) -> StateDirectoryError {
    .writeFailed(path: state.file(folder).path, reason: String(cString: strerror(error)))
  }

  /// - Returns: the errno of a failure.
  private func move(_ temporary: URL, to path: String) -> Int32? {
    rename(temporary.path, state.file(path).path) == 0 ? nil : errno
  }

  /// Where the next file goes, relative to the state directory.
  private func folderToFill() throws(StateDirectoryError) -> String {
    let path: Result<String, StateDirectoryError> = filling.withLock { filling in
      Result { () throws(StateDirectoryError) in
        var folder: Folder
        if let filling { folder = filling } else { folder = Folder(path: try makeFolder()) }
        folder.count += 1
        filling = folder.count < Self.filesPerFolder ? folder : nil
        return folder.path
      }
    }
    return try path.get()
  }

  /// Makes one of 65,536 folders, in two levels.
  private func makeFolder() throws(StateDirectoryError) -> String {
    let number = (0..<2).map { _ in hexadecimal([UInt8.random(in: 0...UInt8.max)]) }
    let path = "spool/\(number[0])/\(number[1])"
    let folder = state.file(path)
    do {
      try FileManager.default.createDirectory(
        at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw .writeFailed(path: folder.path, reason: SystemError.text(of: error))
    }
    for above in [folder.deletingLastPathComponent(), state.spool] {
      try StateDirectory.sync(above.path)
    }
    return path
  }

  /// Copies a file that is not ours into `incoming` and syncs it.
  func copy(_ source: URL) throws(StateDirectoryError) -> URL {
    let copy = temporaryFile()
    do {
      try FileManager.default.copyItem(at: source, to: copy)
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: copy.path)
    } catch {
      try? FileManager.default.removeItem(at: copy)
      throw .writeFailed(path: source.path, reason: SystemError.text(of: error))
    }
    try StateDirectory.sync(copy.path)
    return copy
  }

  /// Removes what was on its way in when the last process ended: none of it was acknowledged.
  func removeUnacknowledged() {
    let files = try? FileManager.default.contentsOfDirectory(
      at: state.incoming, includingPropertiesForKeys: nil)
    for file in files ?? [] { try? FileManager.default.removeItem(at: file) }
  }

  /// Every file of the spool, relative to the state directory.
  func files() -> [String] {
    let walk = FileManager.default.enumerator(atPath: state.spool.path)
    return (walk?.compactMap { $0 as? String } ?? [])
      .filter { $0.hasSuffix(".dcm") }.sorted().map { "spool/" + $0 }
  }
}
