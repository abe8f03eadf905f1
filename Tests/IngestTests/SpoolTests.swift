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

  private func keep(_ content: String = "x") throws -> String {
    let file = spool.temporaryFile()
    try Data(content.utf8).write(to: file)
    return try spool.keep(file)
  }

  private func folder(of path: String) -> String { (path as NSString).deletingLastPathComponent }

  @Test func filesShareFoldersOfALimitedSize() throws {
    let paths = try (0..<600).map { try keep("\($0)") }
    #expect(spool.files() == paths.sorted())
    for (number, path) in paths.enumerated() {
      #expect(try String(contentsOf: state.file(path), encoding: .utf8) == "\(number)")
    }
    let counts = Dictionary(grouping: paths, by: folder(of:)).mapValues(\.count)
    // Two numbers of 65,536 may be the same.
    #expect((2...3).contains(counts.count) && counts.values.allSatisfy { $0 <= 512 })
    for folder in counts.keys {
      let parts = folder.split(separator: "/")
      #expect(parts.count == 3 && parts[0] == "spool")
      for path in [folder, parts.dropLast().joined(separator: "/")] {
        let mode = try FileManager.default.attributesOfItem(atPath: state.file(path).path)
        #expect(mode[.posixPermissions] as? Int == 0o700)
      }
    }
  }

  @Test func filesOfManyThreadsAreAllKept() throws {
    let kept = Mutex<[String]>([])
    DispatchQueue.concurrentPerform(iterations: 1000) { number in
      do {
        let path = try keep("\(number)")
        kept.withLock { $0.append(path) }
      } catch {
        Issue.record(error)
      }
    }
    let paths = kept.withLock { $0 }
    #expect(spool.files() == paths.sorted())
    #expect(Set(paths.map(folder(of:))).count >= 3)
  }

  @Test func aFolderThatWasRemovedIsReplaced() throws {
    let first = try keep()
    try FileManager.default.removeItem(at: state.spool)
    try FileManager.default.createDirectory(at: state.spool, withIntermediateDirectories: true)
    let second = try keep("again")
    #expect(spool.files() == [second] && first != second)
  }

  @Test func aFileThatCannotBeKeptStaysWhereItIs() throws {
    let file = spool.temporaryFile()
    try Data("x".utf8).write(to: file)
    try FileManager.default.removeItem(at: state.spool)
    try Data("no folder".utf8).write(to: state.spool)
    let error = #expect(throws: StateDirectoryError.self) { try spool.keep(file) }
    #expect(error?.description.contains(state.spool.path) == true)
    #expect(FileManager.default.fileExists(atPath: file.path))
  }

  @Test func aMissingFileIsNamedAsAnError() throws {
    #expect(throws: StateDirectoryError.self) { try spool.keep(spool.temporaryFile()) }
    #expect(spool.files().isEmpty)
    // And the next one is kept.
    let next = try keep()
    #expect(spool.files() == [next])
  }
}
