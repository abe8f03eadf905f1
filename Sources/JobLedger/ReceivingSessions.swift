import GRDB

/// Which receiving processes are meant. The keys of their associations are `DAEMON/PROCESS/NUMBER`.
public enum ReceivingSessions: Sendable, Equatable {
  /// All but those of one daemon, which may be receiving now.
  case all(exceptOfDaemon: String?)
  /// `DAEMON/PROCESS`
  case one(String)

  /// Of rows of `associations`, with one argument. Those that came to a listener are its own affair.
  var condition: String {
    switch self {
    case .all: "ifnull(substr(key, 1, instr(key, '/') - 1) <> ?, 1) AND listener_id IS NULL"
    case .one: "substr(key, 1, length(?1)) = ?1"
    }
  }

  var arguments: StatementArguments {
    switch self {
    case .all(let daemon): [daemon]
    case .one(let session): [session + "/"]
    }
  }
}
