import Foundation

/// What the system says of a file; of a symbolic link, what it says of the file that it leads to
/// (stat(2)), which `FileManager.attributesOfItem` does not.
public struct FileStatus: Sendable, Equatable {
  /// In bytes.
  public let size: Int
  /// Seconds since 1970.
  public let modified: Double
  public let isFolder: Bool
  /// Permissions, such as 0o700.
  public let mode: Int
  private let device: Int
  private let inode: Int
  private let nanoseconds: Int

  /// nil where there is no such file, or the link leads nowhere.
  public init?(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    size = Int(status.st_size)
    modified = Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) / 1e9
    isFolder = status.st_mode & S_IFMT == S_IFDIR
    mode = Int(status.st_mode & 0o7777)
    device = Int(truncatingIfNeeded: status.st_dev)
    inode = Int(truncatingIfNeeded: status.st_ino)
    nanoseconds = status.st_mtim.tv_nsec
  }

  /// Another text as soon as the file is changed or replaced.
  public var version: String { "\(device):\(inode):\(size):\(Int(modified)).\(nanoseconds)" }
}
