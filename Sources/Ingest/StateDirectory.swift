import DICOM
import FileSystem
import Foundation
import Glibc

/// Why the state directory cannot be used.
public enum StateDirectoryError: Error, CustomStringConvertible, Equatable {
  case notWritable(path: String, reason: String)
  /// The machine is at fault, and the directory can be used once that has passed: a full disk, a file system that became
  /// read-only, a disk that fails.
  case unavailable(path: String, reason: String)
  /// - holder: what uses it; nil where that is not known.
  case inUse(path: String, holder: StateDirectoryHolder?)
  case writeFailed(path: String, reason: String)

  public var description: String {
    switch self {
    case .notWritable(let path, let reason), .unavailable(let path, let reason):
      "\(path): the state directory cannot be written: \(reason)"
    case .inUse(let path, let holder):
      "\(path): \(holder.map { "\($0)" } ?? "another segmentd") is using this state directory"
    case .writeFailed(let path, let reason):
      "\(path): \(reason)"
    }
  }

  /// Why a folder or file of the state directory cannot be written.
  init(path: String, _ error: any Error = SystemError()) {
    let reason = SystemError.text(of: error)
    let isOfMachine = SystemError(behind: error).map {
      [ENOSPC, EDQUOT, EROFS, EIO].contains($0.number)
    }
    self =
      isOfMachine == true
      ? .unavailable(path: path, reason: reason) : .notWritable(path: path, reason: reason)
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
        throw StateDirectoryError(path: folder.path, error)
      }
      guard access(folder.path, W_OK | X_OK) == 0 else {
        throw StateDirectoryError(path: folder.path)
      }
    }
    do throws(DurableFileError) { try DurableFile.sync(url.path) } catch {
      throw StateDirectoryError(path: url.path, error.system ?? SystemError(EIO))
    }
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
  /// The secret behind the UIDs of de-identified results; made when the first one is.
  public var deidentificationKey: URL { url.appendingPathComponent("deidentification.key") }
  /// De-identified copies of results while they are sent.
  public var deidentified: URL { url.appendingPathComponent("deidentified", isDirectory: true) }
  /// Copies of results that name no earlier ones, while they are sent.
  public var added: URL { url.appendingPathComponent("added", isDirectory: true) }

  /// The audit log, a file for each day; made with the first entry.
  public var auditLog: URL { url.appendingPathComponent("audit", isDirectory: true) }
  /// A state directory of its own for a golden check, while it runs.
  public var goldenCheck: URL { url.appendingPathComponent("check", isDirectory: true) }
  /// What the receiving process is reading.
  public var readingNotes: URL { url.appendingPathComponent("receiving") }

  /// The file of a path relative to the state directory.
  public func file(_ relativePath: String) -> URL {
    // Without the last word Foundation asks the disk whether it is a folder.
    url.appendingPathComponent(relativePath, isDirectory: false)
  }

  /// fsync of a file or folder.
  package static func sync(_ path: String) throws(StateDirectoryError) {
    do throws(DurableFileError) {
      try DurableFile.sync(path)
    } catch {
      throw .writeFailed(path: path, reason: error.reason)
    }
  }

  /// fsync of a file that is open, of the path that errors name.
  static func sync(_ descriptor: Int32, of path: String) throws(StateDirectoryError) {
    guard fsync(descriptor) == 0 else {
      throw .writeFailed(path: path, reason: SystemError().description)
    }
  }

  private var lockFile: String { url.appendingPathComponent("lock").path }
  private var waitingFile: String { url.appendingPathComponent("lock.waiting").path }

  /// Takes the directory for this process alone, for as long as the lock lives.
  ///
  /// - Parameter command: of segmentd, which others are told that it uses the directory.
  /// - Throws: ``StateDirectoryError/inUse(path:holder:)`` where another process does.
  public func lock(for command: String) throws(StateDirectoryError) -> StateDirectoryLock {
    try StateDirectoryLock(path: lockFile, holder: StateDirectoryHolder(command: command))
  }

  /// The lock of the process that receives: a daemon that was killed may leave it for a moment.
  public func receiverLock() throws(StateDirectoryError) -> StateDirectoryLock {
    try StateDirectoryLock(path: url.appendingPathComponent("lock.receiver").path)
  }

  /// The lock, or who holds it.
  public func lockOrHolder(for command: String) throws(StateDirectoryError) -> StateDirectoryUse {
    do {
      return .ours(try lock(for: command))
    } catch .inUse(_, let holder) {
      return .others(holder)
    }
  }

  /// The lock, or nil while another process holds it.
  public func lockUnlessInUse(for command: String) throws(StateDirectoryError)
    -> StateDirectoryLock?
  {
    guard case .ours(let lock) = try lockOrHolder(for: command) else { return nil }
    return lock
  }

  /// Tells a command that runs jobs that a daemon waits for the directory, for as long as the lock lives.
  package func waitingLock() throws(StateDirectoryError) -> StateDirectoryLock {
    try StateDirectoryLock(path: waitingFile)
  }

  /// Whether a daemon waits for the directory: a command that runs jobs leaves them to it.
  public var isDaemonWaiting: Bool {
    let descriptor = open(waitingFile, O_RDWR | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return flock(descriptor, LOCK_SH | LOCK_NB) != 0
  }
}

/// Who uses a state directory.
public enum StateDirectoryUse: Sendable {
  case ours(StateDirectoryLock)
  /// Nil where it is not known which process.
  case others(StateDirectoryHolder?)
}

/// A process that uses a state directory alone.
public struct StateDirectoryHolder: Sendable, Equatable, CustomStringConvertible {
  /// Of segmentd: `serve`, `reprocess` and others.
  public var command: String
  public var process: Int32

  /// This process.
  init(command: String) {
    self.command = command
    process = getpid()
  }

  fileprivate init?(_ text: String) {
    let words = text.split { $0 == " " || $0 == "\n" }
    guard words.count == 2, let process = Int32(words[1]),
      words[0].allSatisfy({ $0.isASCII && $0.isLetter })
    else { return nil }
    command = String(words[0])
    self.process = process
  }

  fileprivate var text: String { "\(command) \(process)\n" }

  /// The command that is a daemon.
  public static let daemon = "serve"

  /// Whether it is a daemon, which runs every job.
  public var isDaemon: Bool { command == Self.daemon }

  /// "segmentd reprocess (process 123)".
  public var description: String { "segmentd \(command) (process \(process))" }
}

/// The right to process the jobs of a state directory, or to receive for it; the kernel releases it with the process.
public final class StateDirectoryLock: Sendable {
  private let descriptor: Int32

  /// - Parameter holder: is written into the file, for those who want the lock.
  fileprivate init(path: String, holder: StateDirectoryHolder? = nil) throws(StateDirectoryError) {
    descriptor = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw StateDirectoryError(path: path)
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let text = try? String(contentsOfFile: path, encoding: .utf8)
      close(descriptor)
      throw .inUse(path: path, holder: text.flatMap(StateDirectoryHolder.init(_:)))
    }
    guard let holder else { return }
    // On a full disk nobody is told who holds it; the lock holds all the same.
    let bytes = Array(holder.text.utf8)
    if ftruncate(descriptor, 0) == 0 { _ = pwrite(descriptor, bytes, bytes.count, 0) }
  }

  deinit {
    // By hand: a child that is being started has a copy of the descriptor until its exec.
    _ = flock(descriptor, LOCK_UN)
    close(descriptor)
  }
}
