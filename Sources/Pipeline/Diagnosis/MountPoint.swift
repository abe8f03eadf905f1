import Foundation

/// The file system that a folder is on, as `/proc/self/mounts` tells (proc(5)).
struct MountPoint: Equatable {
  var place: String
  /// `ext4`, `nfs4`, …
  var kind: String
  var options: Set<String>

  /// - Parameters:
  ///   - path: of the folder, without symbolic links.
  ///   - mounts: the text of that file; nil for what it is now.
  init?(of path: String, in mounts: String? = nil) {
    let text =
      mounts ?? (try? String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)) ?? ""
    let found = text.split(separator: "\n").compactMap { MountPoint($0, above: path) }
    // Of several at one place the last one is seen.
    guard let mount = found.reversed().max(by: { $0.place.count < $1.place.count }) else {
      return nil
    }
    self = mount
  }

  private init?(_ line: Substring, above path: String) {
    let fields = line.split(separator: " ")
    guard fields.count > 3 else { return nil }
    place = fields[1].replacingOccurrences(of: "\\040", with: " ")
    guard path == place || path.hasPrefix(place == "/" ? "/" : place + "/") else { return nil }
    kind = String(fields[2])
    options = Set(fields[3].split(separator: ",").map(String.init))
  }

  var isInMemory: Bool { ["tmpfs", "ramfs"].contains(kind) }

  var isNetwork: Bool { ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"].contains(kind) }
}
