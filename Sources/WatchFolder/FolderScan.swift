import Foundation
import Glibc

/// What was seen of the files of a folder.
struct FolderScan {
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
    var since: Date
    var taken: Bool
  }

  private var files: [String: Seen] = [:]

  /// Whether some file has not stood still for long enough yet.
  private(set) var isSettling = false

  /// The files that have been as they are for the settle time and were not returned before.
  mutating func settled(
    below url: URL, now: Date, settleTime: TimeInterval, notifier: ChangeNotifier
  ) -> [URL] {
    var present: [String: Seen] = [:]
    var ready: [URL] = []
    isSettling = false
    for (path, version) in versions(below: url.path, notifier: notifier) {
      var seen = files[path] ?? Seen(version: version, since: now, taken: false)
      if seen.version != version { seen = Seen(version: version, since: now, taken: false) }
      if !seen.taken {
        if now.timeIntervalSince(seen.since) >= settleTime {
          seen.taken = true
          ready.append(URL(fileURLWithPath: path))
        } else {
          isSettling = true
        }
      }
      present[path] = seen
    }
    files = present
    return ready.sorted { $0.path < $1.path }
  }

  private func versions(below folder: String, notifier: ChangeNotifier) -> [(String, Version)] {
    var found: [(String, Version)] = []
    var folders = [folder]
    while let folder = folders.popLast() {
      notifier.watch(folder)
      // A folder that vanished or may not be read holds nothing for now.
      let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
      for name in names where !Self.isUnfinished(name) {
        let path = folder + "/" + name
        var status = stat()
        guard lstat(path, &status) == 0 else { continue }
        switch status.st_mode & S_IFMT {
        case S_IFDIR: folders.append(path)
        case S_IFREG: found.append((path, Version(status)))
        default: break
        }
      }
    }
    return found
  }

  private static func isUnfinished(_ name: String) -> Bool {
    let endings = [".part", ".partial", ".tmp", ".filepart", ".crdownload", "~"]
    return name.hasPrefix(".") || endings.contains { name.lowercased().hasSuffix($0) }
  }
}
