import Foundation

/// An entry of an input that is not read.
public struct PassedOverEntry: Sendable, Equatable {
  public var path: String
  /// Why, in words that are the same for all entries with that reason.
  public var reason: String
}

/// The files of an input, each once, and what was skipped.
///
/// Symbolic links are followed to files and folders, wherever they lead: who names a folder on the
/// command line means what is in it. A file or folder that was met before, by another link or
/// name, is not read again, so that a link to a folder above ends there.
struct FileListing {
  private(set) var files: [URL] = []
  private(set) var passedOver: [PassedOverEntry] = []
  private var met: Set<FileIdentity> = []

  /// - Throws: ``InputScanError`` where the input does not exist.
  init(_ input: String) throws(InputScanError) {
    var status = stat()
    guard stat(input, &status) == 0 else { throw .missing(path: input) }
    if status.st_mode & S_IFMT == S_IFDIR {
      _ = met.insert(FileIdentity(status))
      walk(URL(fileURLWithPath: input).path)
      files.sort { $0.path < $1.path }
    } else {
      files = [URL(fileURLWithPath: input)]
    }
  }

  private mutating func walk(_ root: String) {
    var rest = [root]
    while let folder = rest.popLast() {
      let names: [String]
      do {
        names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
      } catch {
        passOver(folder, "a folder that cannot be read")
        continue
      }
      // Files themselves come before links to them, so that they keep their names.
      let entries = names.map { folder + "/" + $0 }.map { (path: $0, isLink: isLink($0)) }
      for entry in entries.filter({ !$0.isLink }) + entries.filter(\.isLink) {
        take(entry.path, &rest)
      }
    }
  }

  private mutating func take(_ path: String, _ folders: inout [String]) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      return passOver(path, errno == ELOOP ? "links that lead in a circle" : "links to nothing")
    }
    let kind = status.st_mode & S_IFMT
    guard kind == S_IFREG || kind == S_IFDIR else {
      return passOver(path, "neither files nor folders")
    }
    guard met.insert(FileIdentity(status)).inserted else {
      return passOver(path, "other names of what is read already")
    }
    if kind == S_IFDIR { folders.append(path) } else { files.append(URL(fileURLWithPath: path)) }
  }

  private func isLink(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
  }

  private mutating func passOver(_ path: String, _ reason: String) {
    passedOver.append(PassedOverEntry(path: path, reason: reason))
  }
}

private struct FileIdentity: Hashable {
  var device: UInt64
  var inode: UInt64

  init(_ status: stat) {
    device = UInt64(status.st_dev)
    inode = UInt64(status.st_ino)
  }
}
