import FileSystem
import Foundation
import GRDB

extension Ledger {
  /// How many copies of before a migration are kept.
  private static let keptCopies = 3

  /// The copy that was made before the tables became those of a version.
  static func copyBefore(version: Int, of path: String) -> String { "\(path).before-v\(version)" }

  /// Brings the tables up to date. Before an older ledger is changed it is copied to a file next to it,
  /// `ledger.sqlite.before-vN`, of which the last three are kept.
  ///
  /// A migration that fails leaves the ledger as it was.
  static func bringUpToDate(_ db: Database, path: String, to version: Int) throws {
    let before = try Schema.version(db)
    guard before < version else { return }
    do {
      try Schema.migrate(db, to: version) { found in
        guard found > 0 else { return }
        try copy(path, ofVersion: found, to: copyBefore(version: version, of: path))
      }
    } catch let error as DatabaseError where LedgerError.isOfMachine(error) {
      throw error
    } catch {
      throw LedgerError.cannotOpen(
        path: path,
        reason:
          "its tables could not be brought from version \(before) to \(version) and are as they "
          + "were: \(LedgerError.reason(error))")
    }
    if before > 0 { removeOldCopies(of: path) }
  }

  /// The connection that migrates has a transaction open: nothing is written meanwhile.
  private static func copy(_ path: String, ofVersion version: Int, to copy: String) throws {
    var configuration = Configuration()
    configuration.readonly = true
    configuration.busyMode = .timeout(30)
    let source = try DatabaseQueue(path: path, configuration: configuration)
    try LedgerCopy(path: copy).make(of: source, replacesOlder: true) { db in
      let copied = try Schema.version(db)
      guard copied == version else {
        throw LedgerError.cannotCopy(
          path: copy, reason: "the copy has version \(copied) in place of \(version)")
      }
    }
    try source.close()
  }

  private static func removeOldCopies(of path: String) {
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
    let prefix = URL(fileURLWithPath: path).lastPathComponent + ".before-v"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    let versions = names.filter { $0.hasPrefix(prefix) }.compactMap {
      Int($0.dropFirst(prefix.count))
    }
    for version in versions.sorted(by: >).dropFirst(keptCopies) {
      unlink(folder.appendingPathComponent("\(prefix)\(version)").path)
    }
  }
}
