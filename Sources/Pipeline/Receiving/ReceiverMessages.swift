import ConfigurationFile
import Ingest

/// What a receiving process needs to begin.
struct ReceiverSetup: Codable, Sendable {
  var source: ConfigurationSource
  var session: ReceivingSession
}

/// What the daemon tells its receiving process.
enum ReceiverOrder: Codable, Sendable {
  case begin(ReceiverSetup)
  /// The ledger is known to be sound, and what the process before left is in order: what does not have
  /// to answer at once may begin.
  case proceed
  /// Have everything that was received in the ledger, and answer with the same number.
  case flush(Int)
  /// Say that you work, with the same number.
  case ask(Int)
  /// Take what comes over an association of this calling AE title into the directory of the check.
  case beginCheck(title: String)
  /// Take nothing more of it.
  case endCheck
  /// Take nothing new, and end.
  case stop
}

/// What a receiving process tells its daemon.
enum ReceiverReport: Codable, Sendable, Equatable {
  /// All its ports are open and its folders can be read.
  case receiving
  /// It cannot begin, for the reason given, and ends.
  case failed(String)
  /// Nothing is unrecorded that was received before the order.
  case flushed(Int)
  /// SQLite has said that the ledger is damaged; the daemon checks it.
  case suspectsLedger
  /// The ledger cannot take it now, for the reason given.
  case unwritable(Int, String)
  /// It follows orders, and all its parts work but for the one given.
  case works(Int, except: SignsOfLife.Fault?)
}
