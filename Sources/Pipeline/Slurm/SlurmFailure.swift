import Foundation

/// Why a job cannot be computed by Slurm, or by a node of it.
public struct SlurmFailure: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Kind: Sendable, Equatable {
    /// Of the job: an attempt that failed.
    case job
    /// Of the job, and another attempt would end in the same way.
    case permanent
    /// Of a node, of the cluster or of the file system that they share: no attempt, the job waits.
    case machine
  }

  public var description: String
  public var kind: Kind

  public init(_ description: String, _ kind: Kind = .job) {
    self.description = description
    self.kind = kind
  }
}

/// A command of Slurm that did not do what it was asked for.
struct SlurmCommandError: Error, Sendable, Equatable, CustomStringConvertible {
  var command: String
  /// Nil where it could not be started.
  var status: Int32?
  var message: String

  private func says(_ words: [String]) -> Bool {
    let message = message.lowercased()
    return words.contains(where: message.contains)
  }

  /// Whether nobody was there to answer, so that it may be answered later; what was asked for may have been done.
  var isSilence: Bool {
    status == SIGKILL
      || says([
        "unable to contact", "timed out", "communication", "connection", "try again", "zero bytes",
        "retry", "authentication", "credential", "munge",
      ])
  }

  /// Whether no node of the partition is large enough for what the job asks for; anything else that keeps sbatch from
  /// taking a job is a matter of the cluster.
  var isTooLarge: Bool {
    says([
      "specification can not be satisfied", "node configuration is not available", "cpu count",
      // More than the partition gives on one node (MaxMemPerNode).
      "memory required by task is not available",
    ])
  }

  var description: String {
    "\(command) \(status.map { "ended with status \($0)" } ?? "cannot be run"): \(message)"
  }
}
