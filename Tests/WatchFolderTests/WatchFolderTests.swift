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

  @Test func aFileThatGrowsIsTakenOnceItStops() throws {
    let folder = try TemporaryFolder()
    let start = Date(timeIntervalSince1970: 1_000_000)
    let notifier = ChangeNotifier()
    var scan = FolderScan()
    func settled(after seconds: Double) -> [String] {
      scan.settled(
        below: folder.url, now: start.addingTimeInterval(seconds), settleTime: 5, notifier: notifier
      ).map(\.lastPathComponent)
    }
    for second in 0..<10 {
      try write(String(repeating: "x", count: second + 1), "slow", in: folder)
      #expect(settled(after: Double(second) * 4).isEmpty)
      #expect(scan.isSettling)
    }
    #expect(settled(after: 40.9).isEmpty)
    #expect(settled(after: 41) == ["slow"])
    #expect(!scan.isSettling)
    #expect(settled(after: 100).isEmpty, "once")
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
