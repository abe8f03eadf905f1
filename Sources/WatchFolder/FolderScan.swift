import FileSystem
import Glibc

/// The files below a folder, and which of them have stopped growing.
struct FolderScan {
  typealias Instant = ContinuousClock.Instant

  /// Tells one content of a file from another.
  private struct Version: Equatable {
    var inode: UInt64
    var size: Int64
    var modifiedSeconds: Int
    var modifiedNanoseconds: Int

    init(_ status: stat) {
      inode = UInt64(status.st_ino)
      size = Int64(status.st_size)
      modifiedSeconds = status.st_mtim.tv_sec
      modifiedNanoseconds = status.st_mtim.tv_nsec
    }
  }

  private struct Seen {
    var version: Version
    var since: Instant
    var isTaken = false
  }

  private let root: String
  private let settleTime: Duration
  private let notifier: ChangeNotifier
  private let report: @Sendable (WatchFolderError) -> Void

  private var files: [String: Seen] = [:]
  /// Those of `files` that may still grow.
  private var settling: Set<String> = []
  /// What was reported and is still so.
  private var problems: Set<WatchFolderError> = []

  init(
    root: String, settleTime: Duration, notifier: ChangeNotifier,
    report: @escaping @Sendable (WatchFolderError) -> Void
  ) {
    self.root = root
    self.settleTime = settleTime
    self.notifier = notifier
    self.report = report
  }

  /// Looks at everything below the folder.
  mutating func rescan(now: Instant) {
    guard status(of: root, follow: true) != nil else {
      return found(.unreadable(folder: root, reason: SystemError().description))
    }
    var present: Set<String> = []
    let unread = visit(root, now: now, present: &present)
    // What is in a folder that cannot be read at the moment was not removed.
    let gone = files.keys.filter { path in
      !present.contains(path) && !unread.contains { path.hasPrefix($0 + "/") }
    }
    for path in gone { forget(path) }
  }

  /// Looks at what changed.
  mutating func look(at changes: Changes, now: Instant) {
    if changes.overflowed { return rescan(now: now) }
    var present: Set<String> = []
    for path in changes.paths where !Self.isUnfinished(path) {
      _ = visit(path, now: now, present: &present)
    }
  }

  /// The files that have been as they are for the settle time and were not returned before.
  mutating func settled(now: Instant) -> [String] {
    var ready: [String] = []
    for path in settling {
      guard let status = status(of: path), status.st_mode & S_IFMT == S_IFREG else {
        forget(path)
        continue
      }
      note(path, Version(status), now: now)
      guard let seen = files[path], now - seen.since >= settleTime else { continue }
      settling.remove(path)
      if access(path, R_OK) == 0 {
        files[path]?.isTaken = true
        resolve(path)
        ready.append(path)
      } else {
        found(.unreadableFile(path: path, reason: SystemError().description))
      }
    }
    return ready.sorted()
  }

  /// Whether a settled file is still what it was; if not, it settles again.
  mutating func isUnchanged(_ path: String, now: Instant) -> Bool {
    guard let status = status(of: path) else {
      forget(path)
      return false
    }
    let version = Version(status)
    let isUnchanged = files[path]?.version == version
    note(path, version, now: now)
    return isUnchanged
  }

  /// Visits a file or all of a folder.
  ///
  /// - Returns: the folders that could not be read.
  private mutating func visit(_ path: String, now: Instant, present: inout Set<String>) -> [String]
  {
    var unread: [String] = []
    var rest = [path]
    while let path = rest.popLast() {
      // Links are not followed but for the watched folder itself: what they lead to may be outside,
      // and grows without a notice here.
      guard let status = status(of: path, follow: path == root) else { continue }
      switch status.st_mode & S_IFMT {
      case S_IFREG:
        present.insert(path)
        note(path, Version(status), now: now)
      case S_IFDIR:
        do {
          rest += try names(in: path).map { path + "/" + $0 }
        } catch {
          if error.number == ENOENT && path != root { continue }
          unread.append(path)
          found(
            path == root
              ? .unreadable(folder: path, reason: "\(error)")
              : .unreadableFolder(path: path, reason: "\(error)"))
        }
      case S_IFLNK: found(.linkNotFollowed(path: path))
      default: break
      }
    }
    return unread
  }

  private mutating func names(in folder: String) throws(SystemError) -> [String] {
    // Watched before it is read, so that nothing falls between.
    let failure = notifier.watch(folder)
    let entries = try FolderEntries(of: folder)
    resolve(folder)
    for name in entries.otherNames where !Self.isUnfinished(name) {
      found(.nameNotUTF8(path: folder + "/" + name))
    }
    if failure != 0, failure != ENOENT {
      found(.notNotified(folder: root, reason: SystemError(failure).description))
    }
    return entries.names.filter { !Self.isUnfinished($0) }
  }

  private mutating func note(_ path: String, _ version: Version, now: Instant) {
    if files[path]?.version != version { files[path] = Seen(version: version, since: now) }
    if files[path]?.isTaken == false { settling.insert(path) }
  }

  private mutating func forget(_ path: String) {
    files[path] = nil
    settling.remove(path)
    resolve(path)
  }

  /// Reports what was not reported before.
  private mutating func found(_ problem: WatchFolderError) {
    if problems.insert(problem).inserted { report(problem) }
  }

  /// Forgets what could not be read and now can, so that it is reported if it happens again.
  private mutating func resolve(_ path: String) {
    problems = problems.filter { problem in
      switch problem {
      case .unreadable(path, _), .unreadableFolder(path, _), .unreadableFile(path, _): false
      default: true
      }
    }
  }

  private func status(of path: String, follow: Bool = false) -> stat? {
    var status = stat()
    guard (follow ? stat(path, &status) : lstat(path, &status)) == 0 else { return nil }
    return status
  }

  /// Hidden, or with an ending that copying programs use for what is not complete.
  private static func isUnfinished(_ path: String) -> Bool {
    let name = path.split(separator: "/").last ?? ""
    let endings = [".part", ".partial", ".tmp", ".filepart", ".crdownload", "~"]
    return name.hasPrefix(".") || endings.contains { name.lowercased().hasSuffix($0) }
  }
}
