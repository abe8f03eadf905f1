import Cryptography

/// Why a folder, or something in it, cannot be watched. Its text is for logs: what is in the folder may be named
/// after a patient, and is told by a hash.
public enum WatchFolderError: Error, CustomStringConvertible, Hashable {
  /// The watched folder itself cannot be read.
  case unreadable(folder: String, reason: String)
  /// A folder in the watched one.
  case unreadableFolder(path: String, reason: String)
  case unreadableFile(path: String, reason: String)
  /// A file whose name is not UTF-8, here with `?` for what is not.
  case nameNotUTF8(path: String)
  /// A symbolic link: what it leads to may be outside the folder and is not watched.
  case linkNotFollowed(path: String)
  /// Changes are not reported by the system: they are found by the scans alone.
  case notNotified(folder: String, reason: String)

  public var description: String {
    switch self {
    case .unreadable(let folder, let reason):
      "\(folder): the watch folder cannot be read: \(reason)"
    case .unreadableFolder(let path, let reason):
      "\(hashedFileName(path)): a folder in a watch folder cannot be read: \(reason)"
    case .unreadableFile(let path, let reason):
      "\(hashedFileName(path)): a file in a watch folder cannot be read and waits: \(reason)"
    case .nameNotUTF8(let path):
      "\(hashedFileName(path)): a name in a watch folder is not UTF-8; rename it to have it processed"
    case .linkNotFollowed(let path):
      "\(hashedFileName(path)): a symbolic link in a watch folder is not followed; move the files themselves there"
    case .notNotified(let folder, let reason):
      "\(folder): changes are found by periodic scans only, since inotify says \"\(reason)\"; "
        + "see fs.inotify.max_user_watches and fs.inotify.max_user_instances"
    }
  }
}
