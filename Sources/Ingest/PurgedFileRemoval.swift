import FileSystem
import Foundation
import JobLedger

/// Removes the files that the ledger lists as purged, and has it forget them once none of them is there, also
/// after a loss of power. It can be interrupted anywhere and repeated, and run in several processes at once.
package struct PurgedFileRemoval: Sendable {
  private let state: StateDirectory
  private let ledger: Ledger
  private static let batch = 1000

  package init(state: StateDirectory, ledger: Ledger) {
    self.state = state
    self.ledger = ledger
  }

  /// Removes everything that is listed, as after a purge that was interrupted.
  ///
  /// - Returns: how many files and folders were listed.
  /// - Throws: `LedgerError`, or `SystemError` where a file cannot be removed now.
  @discardableResult
  package func finish() throws -> Int {
    var count = 0
    while true {
      let paths = try ledger.filesToRemove(count: Self.batch)
      guard !paths.isEmpty else { return count }
      try remove(paths)
      try ledger.forgetRemoved(paths)
      count += paths.count
    }
  }

  /// The step between the two transactions of a purge.
  ///
  /// - Parameter paths: relative to the state directory.
  package func remove(_ paths: [String]) throws {
    var folders: Set<String> = []
    for path in paths where Self.isOurs(path) {
      let file = state.file(path).path
      let isFolder = FileStatus(file)?.isFolder == true
      if isFolder { try emptyFolder(file) }
      guard (isFolder ? rmdir(file) : unlink(file)) == 0 || errno == ENOENT || errno == ENOTDIR
      else { throw SystemError() }
      folders.insert((file as NSString).deletingLastPathComponent)
    }
    for folder in folders.sorted() {
      // What is gone as a whole needs no sync of its own.
      guard FileStatus(folder) != nil else { continue }
      do { try DurableFile.sync(folder) } catch { throw error.system ?? SystemError(EIO) }
      if folder.hasPrefix(state.spool.path + "/") { rmdir(folder) }
    }
  }

  /// Twice at most: a note of the result may be written at the same moment.
  private func emptyFolder(_ folder: String) throws {
    for _ in 0..<2 {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
      for name in names {
        do { try FileManager.default.removeItem(atPath: "\(folder)/\(name)") } catch {
          throw SystemError(behind: error) ?? SystemError(EIO)
        }
      }
    }
  }

  /// Whether it is one of the places whose files are purged.
  private static func isOurs(_ path: String) -> Bool {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    return parts.count > 1 && (parts[0] == "spool" || parts[0] == "results")
      && !parts.contains("..") && !parts.contains("")
  }
}
