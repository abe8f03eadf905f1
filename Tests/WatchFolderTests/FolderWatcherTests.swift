import Foundation
import TestSupport
import Testing

@testable import WatchFolder

@Suite(.serialized) struct FolderWatcherTests {
  private let settings = FolderWatcher.Settings(settleTime: 0.3, rescanInterval: 60)

  /// The names of the first `count` files that come, below the folder.
  private func take(_ count: Int, from folder: TemporaryFolder) async throws -> Set<String> {
    let watch = try FolderWatcher(url: folder.url, settings: settings)
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

  @Test func aNewVersionOfAFileIsTakenAgainAndARenameIntoPlaceOnce() async throws {
    let folder = try TemporaryFolder()
    try write("one", "file", in: folder)
    var iterator = try FolderWatcher(url: folder.url, settings: settings).makeAsyncIterator()
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
      try FolderWatcher(url: URL(fileURLWithPath: "/nowhere/at/all"))
    }
  }

  @Test func aFileIsNoFolder() throws {
    let folder = try TemporaryFolder()
    try write("x", "file", in: folder)
    #expect(throws: WatchFolderError.self) {
      try FolderWatcher(url: folder.url.appendingPathComponent("file"))
    }
  }

  /// Files that are there at the start and files that come in new folders, with one scan only.
  @Test func manyFilesComeOnceEach() async throws {
    let folder = try TemporaryFolder()
    for number in 0..<150 { try write("x", "old/\(number)", in: folder) }
    let watch = try FolderWatcher(
      url: folder.url, settings: .init(settleTime: 0.3, rescanInterval: 3600))
    let writer = Task {
      for number in 0..<150 { try write("x", "new\(number % 7)/\(number)", in: folder) }
    }
    var files: [URL] = []
    for await file in watch {
      files.append(file)
      if files.count == 300 { break }
    }
    try await writer.value
    #expect(Set(files).count == 300)
  }

  @Test func cancellationEndsTheSequenceAndClosesEverything() async throws {
    let folder = try TemporaryFolder()
    let before = openNotifiers()
    let watch = try FolderWatcher(url: folder.url, settings: settings)
    let tasks = (0..<20).map { _ in Task { for await _ in watch {} } }
    try await waitUntil("the notifiers") { openNotifiers() >= before + 20 }
    for task in tasks { task.cancel() }
    for task in tasks { await task.value }
    // Other tests open some in the meantime, but not twenty.
    #expect(openNotifiers() < before + 20)
  }

  private func openNotifiers() -> Int {
    let descriptors = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    return descriptors.filter {
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/" + $0))?
        .contains("inotify") == true
    }.count
  }
}
