import FileSystem
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Ingest

@Suite struct SpoolTests {
  private let folder: TemporaryFolder
  private let state: StateDirectory
  private let spool: Spool

  init() throws {
    folder = try TemporaryFolder()
    state = try StateDirectory(path: folder.url.appendingPathComponent("state").path)
    spool = Spool(state: state)
  }

  /// Fills a new file as the listener does.
  private func fill(_ content: String = "x") throws -> String {
    let (descriptor, path) = try spool.newFile()
    try FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
      .write(contentsOf: Data(content.utf8))
    return path
  }

  private func temporaryFile(_ content: String? = "x") throws -> URL {
    let file = state.incoming.appendingPathComponent(UUID().uuidString)
    try content.map { try Data($0.utf8).write(to: file) }
    return file
  }

  private func folder(of path: String) -> String { (path as NSString).deletingLastPathComponent }

  /// What passes by itself is waited for at a start; a wrong owner is said at once.
  @Test(arguments: [(ENOSPC, true), (EROFS, true), (EIO, true), (EACCES, false), (ENOTDIR, false)])
  func aFaultOfTheMachineIsWaitedFor(number: Int32, isWaitedFor: Bool) {
    let reason = SystemError(number).description
    let expected =
      isWaitedFor
      ? StateDirectoryError.unavailable(path: "/state", reason: reason)
      : .notWritable(path: "/state", reason: reason)
    #expect(StateDirectoryError(path: "/state", SystemError(number)) == expected)
  }

  @Test func filesShareFoldersOfALimitedSize() throws {
    let paths = try (0..<600).map { try fill("\($0)") }
    #expect(state.filledFiles == paths.sorted())
    for (number, path) in paths.enumerated() {
      #expect(try String(contentsOf: state.file(path), encoding: .utf8) == "\(number)")
      let mode = try FileManager.default.attributesOfItem(atPath: state.file(path).path)
      #expect(mode[.posixPermissions] as? Int == 0o600)
    }
    let counts = Dictionary(grouping: paths, by: folder(of:)).mapValues(\.count)
    #expect(counts.count == 3 && counts.values.allSatisfy { $0 <= 256 })
    for folder in counts.keys {
      let parts = folder.split(separator: "/")
      #expect(parts.count == 3 && parts[0] == "spool")
      for path in [folder, parts.dropLast().joined(separator: "/")] {
        let mode = try FileManager.default.attributesOfItem(atPath: state.file(path).path)
        #expect(mode[.posixPermissions] as? Int == 0o700)
      }
    }
  }

  @Test func eachFileIsGivenOnce() throws {
    let given = Mutex<[String]>([])
    DispatchQueue.concurrentPerform(iterations: 1000) { number in
      do {
        let path = try fill("\(number)")
        given.withLock { $0.append(path) }
      } catch {
        Issue.record(error)
      }
    }
    let paths = given.withLock { $0 }
    #expect(paths.count == 1000 && state.filledFiles == paths.sorted())
    #expect(Set(paths.map(folder(of:))).count >= 4)
  }

  @Test func aFolderThatWasRemovedIsReplaced() throws {
    let first = try fill()
    try FileManager.default.removeItem(at: state.spool)
    try FileManager.default.createDirectory(at: state.spool, withIntermediateDirectories: true)
    let second = try fill("again")
    #expect(state.filledFiles == [second] && first != second)
  }

  @Test func aSpoolThatCannotBeWrittenIsAnError() throws {
    try FileManager.default.removeItem(at: state.spool)
    try Data("no folder".utf8).write(to: state.spool)
    let error = #expect(throws: SystemError.self) { try spool.newFile() }
    #expect(error?.number == ENOTDIR)
  }

  @Test func aFileThatCannotBeKeptStaysWhereItIs() throws {
    let file = try temporaryFile()
    try FileManager.default.removeItem(at: state.spool)
    try Data("no folder".utf8).write(to: state.spool)
    let error = #expect(throws: StateDirectoryError.self) { try spool.keep(file) }
    #expect(error?.description.contains(state.spool.path) == true)
    #expect(FileManager.default.fileExists(atPath: file.path))
  }

  @Test func aMissingFileIsAnError() throws {
    #expect(throws: StateDirectoryError.self) { try spool.keep(temporaryFile(nil)) }
    #expect(state.filledFiles.isEmpty)
    // And the next one is kept.
    let next = try spool.keep(temporaryFile())
    #expect(state.filledFiles == [next] && spool.path(of: state.file(next)) == next)
  }

  /// A name tells of which process a file is, also where both fill the same folder.
  @Test func filesAreNamedByTheirProcess() throws {
    let session = ReceivingSession()
    let other = ReceivingSession(daemon: session.daemon, process: 1)
    let eleventh = ReceivingSession(daemon: session.daemon, process: 11)
    let spool = Spool(state: state, session: other)
    let file = try spool.newFile()
    close(file.descriptor)
    let names = [
      (file.path as NSString).lastPathComponent, spool.newIncomingFile().lastPathComponent,
    ]
    for name in names {
      #expect(other.names(name) && !session.names(name) && !eleventh.names(name), "\(name)")
      #expect(session.isOfSameDaemon(name) && !ReceivingSession().isOfSameDaemon(name))
    }
  }

  @Test func onlyTheFilesOfOneProcessAreRemovedFromThoseOnTheirWayIn() throws {
    let ended = ReceivingSession()
    let next = ReceivingSession(daemon: ended.daemon, process: 1)
    let kept = Spool(state: state, session: next).newIncomingFile()
    for file in [Spool(state: state, session: ended).newIncomingFile(), kept] {
      try Data("x".utf8).write(to: file)
    }
    spool.removeUnacknowledged(of: ended)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: state.incoming.path)
        == [kept.lastPathComponent])
    spool.removeUnacknowledged(of: nil)
    #expect(try FileManager.default.contentsOfDirectory(atPath: state.incoming.path).isEmpty)
  }
}

extension StateDirectory {
  /// The files of the spool in which something is, relative to the state directory.
  var filledFiles: [String] {
    let walk = FileManager.default.enumerator(atPath: spool.path)
    return (walk?.compactMap { $0 as? String } ?? []).filter { $0.hasSuffix(".dcm") }
      .map { "spool/" + $0 }.filter { FileStatus(file($0).path)?.size != 0 }.sorted()
  }
}
