import DICOM
import FileSystem
import Foundation
import Glibc

/// Why the state directory cannot be used.
public enum StateDirectoryError: Error, CustomStringConvertible, Equatable {
  case notWritable(path: String, reason: String)
  case inUse(path: String)
  case writeFailed(path: String, reason: String)

  public var description: String {
    switch self {
    case .notWritable(let path, let reason):
      "\(path): the state directory cannot be written: \(reason)"
    case .inUse(let path):
      "\(path): another segmentd is using this state directory"
    case .writeFailed(let path, let reason):
      "\(path): \(reason)"
    }
  }
}

/// The folder that holds all that segmentd keeps: received instances, results, the ledger.
///
/// Files are named by us, never by a peer's string; folders have mode 0700.
public struct StateDirectory: Sendable {
  public let url: URL

  /// Creates what is missing and checks that files can be written.
  public init(path: String) throws(StateDirectoryError) {
    url = URL(fileURLWithPath: path, isDirectory: true)
    for folder in [url, spool, incoming, results, checkpoints] {
      do {
        try FileManager.default.createDirectory(
          at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        // A folder that was made by other means may be open to all.
        try FileManager.default.setAttributes(
          [.posixPermissions: 0o700], ofItemAtPath: folder.path)
      } catch {
        throw .notWritable(path: folder.path, reason: SystemError.text(of: error))
      }
      guard access(folder.path, W_OK | X_OK) == 0 else {
        throw .notWritable(path: folder.path, reason: String(cString: strerror(errno)))
      }
    }
    try Self.sync(url.path)
  }

  /// The state directory that a daemon has made, as it is now: a command that looks at it needs no
  /// right to write, nor a disk with space.
  public init(existing path: String) { url = URL(fileURLWithPath: path, isDirectory: true) }

  /// Instances that were acknowledged, in two levels of folders.
  public var spool: URL { url.appendingPathComponent("spool", isDirectory: true) }
  /// Instances on their way in, not acknowledged yet; on the file system of the spool.
  public var incoming: URL { url.appendingPathComponent("incoming", isDirectory: true) }
  /// One folder per job.
  public var results: URL { url.appendingPathComponent("results", isDirectory: true) }
  /// One folder per job whose computing was interrupted, or may be.
  public var checkpoints: URL { url.appendingPathComponent("checkpoints", isDirectory: true) }
  public var ledger: URL { url.appendingPathComponent("ledger.sqlite") }

  /// What the receiving process is reading.
  public var readingNotes: URL { url.appendingPathComponent("receiving") }

  /// The file of a path relative to the state directory.
  public func file(_ relativePath: String) -> URL { url.appendingPathComponent(relativePath) }

  /// fsync of a file or folder.
  package static func sync(_ path: String) throws(StateDirectoryError) {
    do throws(DurableFileError) {
      try DurableFile.sync(path)
    } catch {
      throw .writeFailed(path: path, reason: error.reason)
    }
  }

  /// Takes the directory for this process alone, for as long as the lock lives.
  public func lock() throws(StateDirectoryError) -> StateDirectoryLock {
    try StateDirectoryLock(path: url.appendingPathComponent("lock").path)
  }

  /// The lock of the process that receives: a daemon that was killed may leave it for a moment.
  public func receiverLock() throws(StateDirectoryError) -> StateDirectoryLock {
    try StateDirectoryLock(path: url.appendingPathComponent("lock.receiver").path)
  }

  /// The lock, or nil while a daemon holds it.
  public func lockUnlessInUse() throws(StateDirectoryError) -> StateDirectoryLock? {
    do {
      return try lock()
    } catch .inUse {
      return nil
    }
  }
}

/// The right to process the jobs of a state directory, or to receive for it; the kernel releases it with the process.
public final class StateDirectoryLock: Sendable {
  private let descriptor: Int32

  fileprivate init(path: String) throws(StateDirectoryError) {
    descriptor = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw .notWritable(path: path, reason: String(cString: strerror(errno)))
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      throw .inUse(path: path)
    }
  }

  deinit { close(descriptor) }
}
