import Cryptography
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import WatchFolder

/// A scan of a real folder on a clock of the test's own, with a settle time of ten seconds.
private final class ScanFixture {
  let folder = try? TemporaryFolder()
  let root: String
  let notifier = ChangeNotifier()
  private let reports = Reports()
  private var scan: FolderScan
  private var now = ContinuousClock.now

  final class Reports: Sendable {
    private let all = Mutex<[WatchFolderError]>([])
    func add(_ error: WatchFolderError) { all.withLock { $0.append(error) } }
    func take() -> [WatchFolderError] {
      all.withLock { list in
        defer { list = [] }
        return list
      }
    }
  }

  init() throws {
    let folder = try #require(folder)
    root = folder.url.appendingPathComponent("watched").path
    try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    scan = FolderScan(
      root: root, settleTime: .seconds(10), notifier: notifier, report: reports.add)
  }

  func path(_ name: String) -> String { root + "/" + name }

  func write(_ text: String, _ name: String) throws {
    let folder = (path(name) as NSString).deletingLastPathComponent
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try Data(text.utf8).write(to: URL(fileURLWithPath: path(name)))
  }

  func move(_ old: String, to new: String) throws {
    try FileManager.default.moveItem(atPath: path(old), toPath: path(new))
  }

  func rescan() { scan.rescan(now: now) }

  func look(_ changes: Changes? = nil) {
    scan.look(at: changes ?? notifier.takeChanges(), now: now)
  }

  /// What has settled after a number of seconds, by name.
  func settled(after seconds: Int = 0) -> [String] {
    now += .seconds(seconds)
    return scan.settled(now: now).map { String($0.dropFirst(root.count + 1)) }
  }

  func isUnchanged(_ name: String) -> Bool { scan.isUnchanged(path(name), now: now) }
  func reported() -> [WatchFolderError] { reports.take() }
}

@Suite struct FolderScanTests {
  @Test func aFileIsTakenOnceAfterTheSettleTime() throws {
    let fixture = try ScanFixture()
    try fixture.write("x", "file")
    fixture.rescan()
    #expect(fixture.settled(after: 9) == [])
    #expect(fixture.settled(after: 1) == ["file"])
    fixture.rescan()
    #expect(fixture.settled(after: 100) == [])
  }

  @Test func growthStartsTheSettleTimeAnew() throws {
    let fixture = try ScanFixture()
    try fixture.write("x", "file")
    fixture.rescan()
    for size in 2...5 {
      #expect(fixture.settled(after: 9) == [])
      try fixture.write(String(repeating: "x", count: size), "file")
      #expect(fixture.settled() == [])
    }
    #expect(fixture.settled(after: 10) == ["file"])
  }

  @Test func eachVersionIsTakenOnce() throws {
    let fixture = try ScanFixture()
    for text in ["one", "three", "seven of them"] {
      try fixture.write(text, "file")
      fixture.rescan()
      #expect(fixture.settled(after: 0) == [])
      #expect(fixture.settled(after: 10) == ["file"])
    }
  }

  @Test func aFileThatChangesBeforeItIsHandedOutSettlesAgain() throws {
    let fixture = try ScanFixture()
    try fixture.write("x", "file")
    try fixture.write("x", "gone")
    fixture.rescan()
    #expect(fixture.settled(after: 0) == [])
    #expect(fixture.settled(after: 10) == ["file", "gone"])
    try fixture.write("changed", "file")
    try FileManager.default.removeItem(atPath: fixture.path("gone"))
    #expect(!fixture.isUnchanged("file") && !fixture.isUnchanged("gone"))
    #expect(fixture.settled(after: 9) == [])
    #expect(fixture.settled(after: 1) == ["file"])
    #expect(fixture.isUnchanged("file"))
  }

  @Test func aRemovedFileIsForgottenAndTakenWhenItComesBack() throws {
    let fixture = try ScanFixture()
    try fixture.write("x", "settling")
    try fixture.write("x", "taken")
    fixture.rescan()
    try FileManager.default.removeItem(atPath: fixture.path("settling"))
    #expect(fixture.settled(after: 10) == ["taken"])
    try FileManager.default.removeItem(atPath: fixture.path("taken"))
    fixture.rescan()
    try fixture.write("x", "taken")
    fixture.rescan()
    #expect(fixture.settled(after: 10) == ["taken"])
    #expect(fixture.reported() == [])
  }

  @Test func linksAreNotFollowedAndOtherKindsAreNotFiles() throws {
    let fixture = try ScanFixture()
    let outside = try TemporaryFolder()
    try Data("x".utf8).write(to: outside.url.appendingPathComponent("file"))
    for (name, target) in [
      ("folder", outside.url.path), ("loop", fixture.root), ("broken", "/nowhere"),
      ("file", outside.url.appendingPathComponent("file").path),
    ] {
      try FileManager.default.createSymbolicLink(
        atPath: fixture.path(name), withDestinationPath: target)
    }
    #expect(mkfifo(fixture.path("pipe"), 0o600) == 0)
    fixture.rescan()
    fixture.look(Changes(paths: Set(["folder", "file", "pipe"].map(fixture.path))))
    #expect(fixture.settled(after: 10) == [])
    // Each once, however often it is met; links are the four of them.
    let links = ["broken", "file", "folder", "loop"].map(fixture.path)
    #expect(Set(fixture.reported()) == Set(links.map { .linkNotFollowed(path: $0) }))
    fixture.rescan()
    #expect(fixture.reported() == [])
  }

  @Test(arguments: [
    ".hidden", "a.part", "a.PARTIAL", "a.tmp", "a.filepart", "a.crdownload", "a~", ".x/a",
    "x.tmp/a",
  ])
  func unfinishedNamesWaitUntilTheyAreRenamed(name: String) throws {
    let fixture = try ScanFixture()
    fixture.rescan()
    try fixture.write("x", name)
    fixture.look()
    fixture.rescan()
    #expect(fixture.settled(after: 10) == [])
    let first = name.split(separator: "/")[0]
    try fixture.move(String(first), to: "ready")
    fixture.look()
    #expect(fixture.settled(after: 0) == [])
    #expect(fixture.settled(after: 10) == [name.contains("/") ? "ready/a" : "ready"])
  }

  /// Only inotify tells of these: there is no second rescan.
  @Test func newFoldersAreWatchedAtOnce() throws {
    let fixture = try ScanFixture()
    fixture.rescan()
    try fixture.write("x", "a/b/c/first")
    fixture.look()
    #expect(fixture.settled(after: 10) == ["a/b/c/first"])
    try fixture.write("x", "a/b/c/second")
    try fixture.write("x", "a/b/other/third")
    fixture.look()
    #expect(fixture.settled(after: 10) == ["a/b/c/second", "a/b/other/third"])
  }

  @Test func aMovedFolderIsWatchedUnderItsNewName() throws {
    let fixture = try ScanFixture()
    try fixture.write("x", "old/file")
    fixture.rescan()
    #expect(fixture.settled(after: 10) == ["old/file"])
    try fixture.move("old", to: "new")
    fixture.look()
    #expect(fixture.settled(after: 10) == ["new/file"])
    try fixture.write("x", "new/another")
    fixture.look()
    #expect(fixture.settled(after: 10) == ["new/another"])
  }

  @Test func aFolderMovedInFromOutsideIsTakenWhole() throws {
    let fixture = try ScanFixture()
    fixture.rescan()
    let outside = try #require(fixture.folder).url.appendingPathComponent("outside")
    try FileManager.default.createDirectory(
      at: outside.appendingPathComponent("deep"), withIntermediateDirectories: true)
    try Data("x".utf8).write(to: outside.appendingPathComponent("deep/file"))
    try FileManager.default.moveItem(atPath: outside.path, toPath: fixture.path("inside"))
    fixture.look()
    #expect(fixture.settled(after: 10) == ["inside/deep/file"])
  }

  /// More events than the system keeps: nothing is lost.
  @Test func anOverflowOfTheQueueIsMadeUpForByAScan() throws {
    let fixture = try ScanFixture()
    fixture.rescan()
    let limit = try String(
      contentsOfFile: "/proc/sys/fs/inotify/max_queued_events", encoding: .utf8)
    let events = try #require(Int(limit.trimmingCharacters(in: .whitespacesAndNewlines)))
    // Two files in turn: the system joins events that are the same as the one before.
    for name in ["a", "b"] { try fixture.write("x", name) }
    for number in 0...events { chmod(fixture.path(number % 2 == 0 ? "a" : "b"), 0o600) }
    try fixture.write("x", "unannounced")
    let overflowed = fixture.notifier.takeChanges().overflowed
    #expect(overflowed)
    // Without the paths that the queue held: where another test starts a process at this moment, that has a copy of the
    // descriptor of `unannounced` until its exec, and the file's IN_CLOSE_WRITE comes while the queue is being read.
    fixture.look(Changes(overflowed: overflowed))
    #expect(fixture.settled(after: 10) == ["a", "b", "unannounced"])
  }

  @Test func aNameThatIsNotUTF8IsReportedOnce() throws {
    let fixture = try ScanFixture()
    let latin = Array(fixture.path("M").utf8CString.dropLast()) + [CChar(bitPattern: 0xFC), 0]
    close(open(latin, O_CREAT | O_WRONLY, 0o600))
    try fixture.write("x", "other")
    for _ in 0..<3 { fixture.rescan() }
    #expect(fixture.settled(after: 10) == ["other"])
    #expect(fixture.reported() == [.nameNotUTF8(path: fixture.path("M\u{FFFD}"))])
  }

  @Test func aWatchedFolderThatVanishesIsReportedAndItsFilesAreNotTakenTwice() throws {
    let fixture = try ScanFixture()
    try fixture.write("x", "a/file")
    fixture.rescan()
    #expect(fixture.settled(after: 10) == ["a/file"])
    let away = fixture.root + "-away"
    for _ in 0..<2 {
      try FileManager.default.moveItem(atPath: fixture.root, toPath: away)
      for _ in 0..<3 { fixture.rescan() }
      let problems = fixture.reported()
      #expect(problems.count == 1)
      #expect(problems.first?.description.contains(fixture.root) == true)
      try FileManager.default.moveItem(atPath: away, toPath: fixture.root)
      fixture.rescan()
      #expect(fixture.settled(after: 10) == [])
      #expect(fixture.reported() == [])
    }
    try fixture.write("x", "a/new")
    fixture.look()
    #expect(fixture.settled(after: 10) == ["a/new"])
  }

  @Test(.enabled(if: geteuid() != 0, "root may read everything"))
  func whatMayNotBeReadIsReportedOnceAndTakenWhenItMay() throws {
    let fixture = try ScanFixture()
    try fixture.write("x", "closed/file")
    try fixture.write("x", "file")
    chmod(fixture.path("closed"), 0)
    chmod(fixture.path("file"), 0)
    for _ in 0..<3 { fixture.rescan() }
    #expect(fixture.settled(after: 10) == [])
    for _ in 0..<3 { fixture.rescan() }
    #expect(fixture.settled(after: 10) == [])
    let named = Set(fixture.reported().map { $0.description.split(separator: ":")[0] })
    let paths = [fixture.path("closed"), fixture.path("file")]
    #expect(named == Set(paths.map { hashedFileName($0)[...] }))
    chmod(fixture.path("closed"), 0o700)
    chmod(fixture.path("file"), 0o600)
    fixture.look()
    #expect(fixture.settled(after: 10) == ["closed/file", "file"])
  }

  @Test func readOnlyFilesAndFoldersAreTakenAndNothingIsChanged() throws {
    let fixture = try ScanFixture()
    try fixture.write("x", "a/file")
    chmod(fixture.path("a/file"), 0o400)
    chmod(fixture.path("a"), 0o500)
    let before = try listing(fixture.root)
    fixture.rescan()
    #expect(fixture.settled(after: 10) == ["a/file"])
    #expect(fixture.isUnchanged("a/file"))
    #expect(try listing(fixture.root) == before)
    chmod(fixture.path("a"), 0o700)
  }

  /// Name, size, mode, owner and times (not that of the last access) of everything below.
  private func listing(_ folder: String) throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: folder).sorted().map { name in
      var status = stat()
      #expect(lstat(folder + "/" + name, &status) == 0)
      return "\(name) \(status.st_size) \(status.st_mode) \(status.st_uid) "
        + "\(status.st_mtim) \(status.st_ctim)"
    }
  }
}
