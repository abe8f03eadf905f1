import Foundation

/// The space of a file system.
public struct DiskSpace: Sendable, Equatable {
  /// In bytes.
  public let size: Int
  /// In bytes, for those who are not root.
  public let available: Int

  /// The file system of a file or folder; nil where there is none or it does not say.
  public init?(of path: String) {
    var disk = statvfs()
    guard statvfs(path, &disk) == 0 else { return nil }
    func bytes(_ blocks: UInt) -> Int { Int(clamping: UInt64(blocks) * UInt64(disk.f_frsize)) }
    size = bytes(disk.f_blocks)
    available = bytes(disk.f_bavail)
  }
}
