import Foundation
import TestSupport
import Testing

@testable import WatchFolder

@Suite struct WatchFolderTests {
  private let settings = WatchFolder.Settings(settleTime: 0.3, rescanInterval: 60)

  /// The names of the first `count` files that come, below the folder.
  private func take(_ count: Int, from folder: TemporaryFolder) async throws -> Set<String> {
    let watch = try WatchFolder(url: folder.url, settings: settings)
    var names = Set<String>()
    for await file in watch {
      names.insert(String(file.path.dropFirst(folder.url.path.count + 1)))
      if names.count == count { break }
    }
    return names
  }

  private func write(_ text: String, _ path: String, in folder: TemporaryFolder) throws {
    let file = folder.url.appendingPathComponent(path)
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: file)
  }

  @Test func filesInAnyNestingWithAnyNameAreFound() async throws {
    let folder = try TemporaryFolder()
    let names: Set = ["a", "deep/er/IM 1", "ü/line\nbreak", "no.ending.dcm"]
    for name in names { try write("x", name, in: folder) }
    try write("x", ".hidden", in: folder)
    try write("x", "unfinished.part", in: folder)
    try FileManager.default.createSymbolicLink(
      atPath: folder.url.appendingPathComponent("link").path, withDestinationPath: "/etc")
    #expect(try await take(4, from: folder) == names)
  }

  @Test func aFileThatGrowsIsTakenOnceItStops() async throws {
    let folder = try TemporaryFolder()
    let path = folder.url.appendingPathComponent("slow").path
    _ = FileManager.default.createFile(atPath: path, contents: nil)
    let writer = Task {
      let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
      for _ in 0..<8 {
        try handle.write(contentsOf: Data(repeating: 1, count: 1000))
        try await Task.sleep(for: .milliseconds(100))
      }
    }
    #expect(try await take(1, from: folder) == ["slow"])
    let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
    #expect(size == 8000)
    try await writer.value
  }

  @Test func aNewVersionOfAFileIsTakenAgainAndARenameIntoPlaceOnce() async throws {
    let folder = try TemporaryFolder()
    try write("one", "file", in: folder)
    var iterator = try WatchFolder(url: folder.url, settings: settings).makeAsyncIterator()
    #expect(await iterator.next()?.lastPathComponent == "file")
    try write("three", "file", in: folder)
    #expect(await iterator.next()?.lastPathComponent == "file")
    try write("x", "later.tmp", in: folder)
    try FileManager.default.moveItem(
      at: folder.url.appendingPathComponent("later.tmp"),
      to: folder.url.appendingPathComponent("sub"))
    #expect(await iterator.next()?.lastPathComponent == "sub")
  }

  @Test func aMissingFolderIsNamed() throws {
    #expect(throws: WatchFolderError.self) {
      try WatchFolder(url: URL(fileURLWithPath: "/nowhere/at/all"))
    }
  }

  @Test func cancellationEndsTheSequence() async throws {
    let folder = try TemporaryFolder()
    let watch = try WatchFolder(url: folder.url, settings: settings)
    let task = Task { for await _ in watch {} }
    try await Task.sleep(for: .milliseconds(100))
    task.cancel()
    await task.value
  }
}
