import DICOM
import FileSystem
import Foundation
import Glibc

/// Moves received objects to their place on disk so that they survive a loss of power.
struct Spool: Sendable {
  let state: StateDirectory

  /// A new path under `incoming`.
  func temporaryFile() -> URL {
    state.incoming.appendingPathComponent(UUID().uuidString.lowercased())
  }

  /// Moves a complete, fsynced file from `incoming` into the spool and syncs the folder.
  ///
  /// - Returns: the path relative to the state directory.
  func keep(_ temporary: URL) throws(StateDirectoryError) -> String {
    let name = UUID().uuidString.lowercased()
    let first = String(name.prefix(2))
    let second = String(name.dropFirst(2).prefix(2))
    let folder = state.spool.appendingPathComponent(first).appendingPathComponent(second)
    do {
      try FileManager.default.createDirectory(
        at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw .writeFailed(path: folder.path, reason: SystemError.text(of: error))
    }
    let file = folder.appendingPathComponent("\(name).dcm")
    guard rename(temporary.path, file.path) == 0 else {
      throw .writeFailed(path: file.path, reason: String(cString: strerror(errno)))
    }
    // All three: another thread may have made a folder and not synced it yet.
    for folder in [folder, folder.deletingLastPathComponent(), state.spool] {
      try StateDirectory.sync(folder.path)
    }
    return "spool/\(first)/\(second)/\(name).dcm"
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
