import ArgumentParser
import ConfigurationFile
import Ingest
import JobLedger
import Pipeline

struct VacuumLedgerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vacuum", abstract: "Return the space of removed rows to the file system.",
    discussion: """
      Nothing can be received in the meantime: stop the daemon first. The disk needs up to twice the \
      size of the ledger.
      """
        + examples("segmentd ledger vacuum"))

  @OptionGroup var config: ConfigurationOption

  @Flag(help: "Print JSON.")
  var json = false

  private struct Report: Encodable {
    var bytesBefore: Int
    var bytesAfter: Int
  }

  func run() async throws {
    let parts = try ConfiguredParts(config.load(), mustExist: true, account: invokingAccount)
    let lock = try parts.state.lockAlone(for: "vacuum")
    let (before, after) = try parts.ledger.vacuum()
    withExtendedLifetime(lock) {}
    print(
      json
        ? try encodeJSON(Report(bytesBefore: before, bytesAfter: after))
        : "the ledger had \(before) bytes and has \(after)")
  }
}

extension StateDirectory {
  /// The lock of a directory that no other process uses.
  ///
  /// - Throws: ``LedgerCommandError/inUse(path:holder:)``
  func lockAlone(for command: String) throws -> StateDirectoryLock {
    switch try lockOrHolder(for: command) {
    case .ours(let lock): return lock
    case .others(let holder):
      let name = holder.flatMap { $0.isDaemon ? nil : "\($0)" }
      throw LedgerCommandError.inUse(path: url.path, holder: name ?? "a daemon")
    }
  }
}

enum LedgerCommandError: Error, CustomStringConvertible {
  case inUse(path: String, holder: String)
  case noStateDirectory(path: String)
  case otherOwner(path: String, owner: UInt32)
  case damaged(path: String, reason: String)

  var description: String {
    switch self {
    case .inUse(let path, let holder):
      "\(path): \(holder) is using this state directory; stop it first"
    case .noStateDirectory(let path): "\(path): there is no state directory here"
    case .otherOwner(let path, let owner):
      "\(path): it belongs to user \(owner), to whom the files that are made have to belong: run this "
        + "command as that user"
    case .damaged(let path, let reason):
      "\(path): the ledger is damaged: \(reason). Restore a copy of it, or have it rebuilt from spool "
        + "and results with --rebuild"
    }
  }
}
