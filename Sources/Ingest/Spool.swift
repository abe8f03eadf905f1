import DICOM
import Dispatch
import FileSystem
import Foundation
import Glibc
import Synchronization

/// The files of received objects.
///
/// Empty files are made in advance, many at a time, and their folder is synced once for all of them.
/// An object is written into one of these, so that it is on disk with one sync, that of its file: POSIX
/// promises a new file's entry in its folder only once the folder is synced too.
final class Spool: Sendable {
  /// The folder that is being filled; those above it are synced.
  private struct Folder {
    /// Relative to the state directory.
    var path: String
    var count = 0
  }

  private struct Files {
    /// Empty files, relative to the state directory.
    var ready: [String] = []
    var folder: Folder?
    var isBeingRefilled = false
  }

  let state: StateDirectory
  private let files = Mutex(Files())
  /// Held by the thread that makes files.
  private let refill = Mutex(())
  private static let filesPerFolder = 256
  private static let filesAtOnce = 64

  /// Of this process; its files are named so.
  private let session: ReceivingSession
  /// The state directory, with a slash behind it: URLs take longer than the calls of the system.
  private let root: String

  init(state: StateDirectory, session: ReceivingSession = ReceivingSession()) {
    self.state = state
    self.session = session
    root = state.url.path + "/"
  }

  /// Opens an empty file whose folder entry is on disk.
  ///
  /// - Returns: the descriptor, which is the caller's to close, and the path relative to the state
  ///   directory.
  func newFile() throws(SystemError) -> (descriptor: Int32, path: String) {
    while true {
      let path = try emptyFile()
      let descriptor = open(wholePath(path), O_RDWR | O_CLOEXEC)
      if descriptor >= 0 { return (descriptor, path) }
      // Where the folder was removed, another one is made.
      guard errno == ENOENT else { throw SystemError() }
      files.withLock { files in
        files.ready = []
        files.folder = nil
      }
    }
  }

  /// The whole path of one that is relative to the state directory.
  func wholePath(_ relativePath: String) -> String { root + relativePath }

  /// The path of a file of the spool relative to the state directory; nil for a file elsewhere.
  func path(of file: URL) -> String? {
    let path = file.path
    return path.hasPrefix(root + "spool/") ? String(path.dropFirst(root.count)) : nil
  }

  /// Moves a file from `incoming` into the spool and syncs the folder.
  ///
  /// - Returns: the path relative to the state directory.
  /// - Throws: ``StateDirectoryError``; the file is in `incoming` then, as before.
  func keep(_ temporary: URL) throws(StateDirectoryError) -> String {
    let path: String
    do {
      let file = try newFile()
      close(file.descriptor)
      path = file.path
    } catch {
      throw .writeFailed(path: state.spool.path, reason: error.description)
    }
    let target = state.file(path)
    guard rename(temporary.path, target.path) == 0 else {
      let reason = SystemError().description
      unlink(target.path)
      throw .writeFailed(path: target.path, reason: reason)
    }
    do {
      try StateDirectory.sync(target.deletingLastPathComponent().path)
    } catch {
      rename(target.path, temporary.path)
      throw error
    }
    return path
  }

  private func emptyFile() throws(SystemError) -> String {
    while true {
      let (path, mustRefill) = files.withLock { files in
        let path = files.ready.popLast()
        let isLow = files.ready.count < Self.filesAtOnce / 4
        let mustRefill = path != nil && isLow && !files.isBeingRefilled
        if mustRefill { files.isBeingRefilled = true }
        return (path, mustRefill)
      }
      if mustRefill {
        DispatchQueue.global().async {
          // Whoever finds none left tries again and tells why it is impossible.
          try? self.makeFiles(whereFewerThan: Self.filesAtOnce / 4)
          self.files.withLock { $0.isBeingRefilled = false }
        }
      }
      if let path { return path }
      try makeFiles(whereFewerThan: 1)
    }
  }

  private func makeFiles(whereFewerThan limit: Int) throws(SystemError) {
    let result: Result<Void, SystemError> = refill.withLock { _ in
      Result { () throws(SystemError) in
        guard files.withLock({ $0.ready.count }) < limit else { return }
        var folder: Folder
        if let filling = files.withLock({ $0.folder }) {
          folder = filling
        } else {
          folder = Folder(path: try makeFolder())
        }
        let made = try makeFiles(in: folder.path)
        folder.count += made.count
        files.withLock { files in
          files.ready = made + files.ready
          files.folder = folder.count < Self.filesPerFolder ? folder : nil
        }
      }
    }
    try result.get()
  }

  /// Makes empty files and syncs their folder; as many as there is space for, but at least one.
  private func makeFiles(in folder: String) throws(SystemError) -> [String] {
    var made: [String] = []
    for _ in 0..<Self.filesAtOnce {
      let path = "\(folder)/\(session.newFileName()).dcm"
      let descriptor = open(
        wholePath(path), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
      guard descriptor >= 0 else {
        if errno == ENOENT { files.withLock { $0.folder = nil } }
        if made.isEmpty { throw SystemError() }
        break
      }
      close(descriptor)
      made.append(path)
    }
    try sync(folder)
    return made
  }

  /// Makes one of 65,536 folders, in two levels, and syncs those above it.
  private func makeFolder() throws(SystemError) -> String {
    // One that is there already is filled only where new ones are hard to find.
    for attempt in 1...100 {
      let numbers = (0..<2).map { _ in hexadecimal([UInt8.random(in: 0...UInt8.max)]) }
      let above = "spool/\(numbers[0])"
      let path = "\(above)/\(numbers[1])"
      guard mkdir(state.file(above).path, 0o700) == 0 || errno == EEXIST else {
        throw SystemError()
      }
      let isNew = mkdir(state.file(path).path, 0o700) == 0
      guard isNew || errno == EEXIST else { throw SystemError() }
      guard isNew || attempt == 100 else { continue }
      try sync(above)
      try sync("spool")
      return path
    }
    throw SystemError(EEXIST)
  }

  private func sync(_ folder: String) throws(SystemError) {
    do { try DurableFile.sync(state.file(folder).path) } catch {
      throw error.system ?? SystemError(EIO)
    }
  }

  /// Copies a file that is not ours into `incoming`.
  func copy(_ source: URL) throws(StateDirectoryError) -> URL {
    let copy = newIncomingFile()
    do {
      try FileManager.default.copyItem(at: source, to: copy)
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: copy.path)
    } catch {
      try? FileManager.default.removeItem(at: copy)
      // Not that of the source, which may name a patient.
      throw .writeFailed(path: copy.path, reason: SystemError.text(of: error))
    }
    return copy
  }

  /// A name for a file on its way in.
  func newIncomingFile() -> URL { state.incoming.appendingPathComponent(session.newFileName()) }

  /// Removes what was on its way in when a process ended: none of it was acknowledged.
  ///
  /// - Parameter session: of the process; nil for all.
  func removeUnacknowledged(of session: ReceivingSession?) {
    let files = try? FileManager.default.contentsOfDirectory(
      at: state.incoming, includingPropertiesForKeys: nil)
    for file in files ?? [] where session?.names(file.lastPathComponent) ?? true {
      try? FileManager.default.removeItem(at: file)
    }
  }

  /// What is in the spool and has no name of ours, relative to the state directory.
  func foreignItems() -> [String] {
    var foreign: [String] = []
    func look(_ folder: String, _ isOurs: (String) -> Bool) -> [String] {
      let names = Self.entries(of: state.file(folder).path)
      foreign += names.filter { !isOurs($0) }.map { "\(folder)/\($0)" }
      return names.filter(isOurs).map { "\(folder)/\($0)" }
    }
    for above in look("spool", Self.isFolderName) {
      for folder in look(above, Self.isFolderName) { _ = look(folder) { $0.hasSuffix(".dcm") } }
    }
    return foreign
  }

  private static func isFolderName(_ name: String) -> Bool {
    name.utf8.count == 2 && UInt8(name, radix: 16) != nil
  }

  /// The folders with files, relative to the state directory.
  func folders() -> [String] {
    Self.entries(of: state.spool.path).flatMap { above in
      Self.entries(of: state.file("spool/\(above)").path).map { "spool/\(above)/\($0)" }
    }
  }

  /// The files in a folder, relative to the state directory.
  func files(inFolder folder: String) -> [String] {
    Self.entries(of: state.file(folder).path).filter { $0.hasSuffix(".dcm") }
      .map { "\(folder)/\($0)" }
  }

  /// Without those of a dot; in order.
  private static func entries(of folder: String) -> [String] {
    guard let stream = opendir(folder) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted()
  }
}
