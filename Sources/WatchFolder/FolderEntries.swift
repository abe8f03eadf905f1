import FileSystem
import Glibc

/// What a folder contains, by name.
struct FolderEntries {
  var names: [String] = []
  /// Names that are not UTF-8, with U+FFFD for what is not.
  var otherNames: [String] = []

  /// - Throws: the errno of opendir or readdir.
  init(of folder: String) throws(SystemError) {
    guard let stream = opendir(folder) else { throw SystemError() }
    defer { closedir(stream) }
    while true {
      errno = 0
      guard let entry = readdir(stream) else {
        guard errno == 0 else { throw SystemError() }
        return
      }
      // The record is only as long as its name: the structure must not be copied as a whole.
      let offset = MemoryLayout<dirent>.offset(of: \.d_name) ?? 0
      let name = UnsafeRawPointer(entry).advanced(by: offset).assumingMemoryBound(to: CChar.self)
      if let name = String(validatingCString: name) {
        if name != "." && name != ".." { names.append(name) }
      } else {
        otherNames.append(String(cString: name))
      }
    }
  }
}
