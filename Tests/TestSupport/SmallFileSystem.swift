import Foundation

/// A small file system in memory, mounted for as long as the value lives.
public final class SmallFileSystem: Sendable {
  public let url: URL

  /// Mounts as root alone can.
  public static let isPossible: Bool = {
    guard geteuid() == 0, let folder = try? TemporaryFolder() else { return false }
    return (try? SmallFileSystem(at: folder.url, kilobytes: 64)) != nil
  }()
  public static let isImpossible = "only root can mount a small file system"

  public init(at url: URL, kilobytes: Int) throws {
    self.url = url
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    guard mount("tmpfs", url.path, "tmpfs", 0, "size=\(kilobytes)k,mode=700") == 0 else {
      throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EPERM)
    }
  }

  deinit { umount2(url.path, Int32(MNT_DETACH)) }

  private var filler: URL { url.appendingPathComponent("filler") }

  /// Takes all space but the last few bytes.
  public func fill() throws {
    _ = FileManager.default.createFile(atPath: filler.path, contents: nil)
    let handle = try FileHandle(forWritingTo: filler)
    defer { try? handle.close() }
    for size in [65_536, 4096] {
      while (try? handle.write(contentsOf: Data(count: size))) != nil {}
    }
  }

  public func free() throws { try FileManager.default.removeItem(at: filler) }

  /// Takes more room, or makes the file system read-only.
  public func remount(kilobytes: Int? = nil, readOnly: Bool = false) throws {
    let flags = UInt(MS_REMOUNT) | (readOnly ? UInt(MS_RDONLY) : 0)
    let options = kilobytes.map { "size=\($0)k" } ?? ""
    guard mount("tmpfs", url.path, "tmpfs", flags, options) == 0 else {
      throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EPERM)
    }
  }
}
