import Glibc

/// What inotify has seen since it was last asked.
struct Changes: Equatable {
  /// Files and folders that were made, written, moved here or changed their mode.
  var paths: Set<String> = []
  /// More happened than the system keeps: only a scan of everything finds out what.
  var overflowed = false
}

/// inotify (man 7 inotify) on a number of folders.
final class ChangeNotifier {
  /// -1 where inotify is not to be had; `failure` is then the errno.
  private let descriptor: Int32
  private let failure: Int32
  private var folders: [Int32: String] = [:]

  init() {
    descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
    failure = descriptor < 0 ? errno : 0
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Adds a folder; one that is watched already stays so, under its new path if it was moved.
  ///
  /// - Returns: 0, or the errno that says why it is not watched.
  func watch(_ folder: String) -> Int32 {
    guard descriptor >= 0 else { return failure }
    let events = IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MODIFY | IN_ATTRIB
    // The kernel knows a folder by its inode and gives the same number again.
    let number = inotify_add_watch(descriptor, folder, UInt32(events | IN_ONLYDIR | IN_DONT_FOLLOW))
    guard number >= 0 else { return errno }
    folders[number] = folder
    return 0
  }

  /// What changed since the last call; does not wait.
  func takeChanges() -> Changes {
    var changes = Changes()
    guard descriptor >= 0 else { return changes }
    withUnsafeTemporaryAllocation(byteCount: 64 * 1024, alignment: 8) { buffer in
      while case let count = read(descriptor, buffer.baseAddress, buffer.count), count > 0 {
        add(UnsafeRawBufferPointer(rebasing: buffer[..<count]), to: &changes)
      }
    }
    return changes
  }

  /// Reads a sequence of `struct inotify_event`: wd, mask, cookie, len, then len bytes of name.
  private func add(_ events: UnsafeRawBufferPointer, to changes: inout Changes) {
    let headSize = MemoryLayout<inotify_event>.size
    var rest = events[...]
    while rest.count >= headSize {
      let event = UnsafeRawBufferPointer(rebasing: rest).loadUnaligned(as: inotify_event.self)
      let name = rest.dropFirst(headSize).prefix(Int(event.len)).prefix { $0 != 0 }
      rest = rest.dropFirst(headSize + Int(event.len))
      if event.mask & UInt32(IN_Q_OVERFLOW) != 0 { changes.overflowed = true }
      if event.mask & UInt32(IN_IGNORED) != 0 { folders[event.wd] = nil }
      // What is not UTF-8 is found, and reported, by the scan.
      guard let folder = folders[event.wd], !name.isEmpty,
        let name = String(validating: name, as: UTF8.self)
      else { continue }
      changes.paths.insert(folder + "/" + name)
    }
  }
}
