import Foundation

/// Why a job cannot be computed by Slurm, or by a node of it.
public struct SlurmFailure: Error, Sendable, Equatable, CustomStringConvertible {
  public var description: String
  /// Whether another attempt would end in the same way.
  public var isPermanent: Bool

  public init(_ description: String, isPermanent: Bool = false) {
    self.description = description
    self.isPermanent = isPermanent
  }
}

/// A command of Slurm that did not do what it was asked for.
struct SlurmCommandError: Error, Sendable, Equatable, CustomStringConvertible {
  var command: String
  /// Nil where it could not be started.
  var status: Int32?
  var message: String

  /// Whether nobody was there to answer, so that it may be answered later; what was asked for may have been done.
  var isSilence: Bool {
    let words = message.lowercased()
    return status == SIGKILL
      || [
        "unable to contact", "timed out", "communication", "connection", "try again", "zero bytes",
        "retry", "authentication", "credential", "munge",
      ].contains(where: words.contains)
  }

  var description: String {
    "\(command) \(status.map { "ended with status \($0)" } ?? "cannot be run"): \(message)"
  }
}
