import Glibc

/// inotify on folders: tells only that something changed, a scan finds out what.
final class ChangeNotifier: Sendable {
  /// -1 where inotify is not to be had; then every question is answered with "no change".
  private let descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Adds a folder; one that is watched already stays so.
  func watch(_ folder: String) {
    guard descriptor >= 0 else { return }
    let events = UInt32(IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MODIFY | IN_ATTRIB)
    // The kernel knows a folder by its inode and gives the same number again.
    _ = inotify_add_watch(descriptor, folder, events | UInt32(IN_ONLYDIR))
  }

  /// Whether something changed since the last call.
  func takeChange() -> Bool {
    guard descriptor >= 0 else { return false }
    var changed = false
    withUnsafeTemporaryAllocation(byteCount: 64 * 1024, alignment: 8) { buffer in
      while read(descriptor, buffer.baseAddress, buffer.count) > 0 { changed = true }
    }
    return changed
  }
}
