import Foundation
import Logging

/// The cluster, as all executors see it: one question to its controller for all jobs.
actor SlurmCluster {
  private let commands: SlurmCommands
  private let logger: Logger
  /// Between two questions.
  private let interval: Duration
  private var last: (at: ContinuousClock.Instant, answer: Result<[String: SlurmJob], any Error>)?
  private var question: Task<Result<[String: SlurmJob], any Error>, Never>?
  private var isAway = false

  init(_ commands: SlurmCommands, interval: Duration = .seconds(2), logger: Logger) {
    self.commands = commands
    self.interval = interval
    self.logger = logger
  }

  /// The jobs by their names, as they were after an instant.
  ///
  /// - Throws: ``SlurmCommandError`` where the controller does not answer; logged once.
  func jobs(since instant: ContinuousClock.Instant) async throws -> [String: SlurmJob] {
    while true {
      if let last, last.at >= instant, last.at.duration(to: .now) < interval {
        return try last.answer.get()
      }
      if let question {
        _ = await question.value
        continue
      }
      let start = ContinuousClock.now
      let task = Task.detached { [commands] in
        do {
          return Result<[String: SlurmJob], any Error>.success(
            try SlurmQueueListing.jobs(
              try await commands.run("squeue", ["--json", "--states=all"])))
        } catch {
          return .failure(error)
        }
      }
      question = task
      let answer = await task.value
      question = nil
      last = (start, answer)
      report(answer)
    }
  }

  private func report(_ answer: Result<[String: SlurmJob], any Error>) {
    switch answer {
    case .failure(let error) where !isAway:
      isAway = true
      logger.warning("jobs of Slurm wait: \(error)")
    case .success where isAway:
      isAway = false
      logger.notice("the controller of Slurm answers again")
    default: break
    }
  }

  /// What a submission asks for.
  struct Request: Sendable {
    var name: String
    var folder: String
    var number: Int
    /// In bytes.
    var memory: Int?
    var threads: Int
    var minutes: Int
    var partition: String?
    /// The batch script and its arguments.
    var command: [String]
  }

  /// Submits a job. That this returns does not mean that Slurm will remember it.
  ///
  /// - Throws: ``SlurmCommandError``
  nonisolated func submit(_ request: Request) async throws(SlurmCommandError) {
    var arguments = [
      "--parsable", "--job-name=\(request.name)", "--dependency=singleton", "--requeue",
      "--open-mode=append", "--nodes=1", "--ntasks=1", "--cpus-per-task=\(request.threads)",
      "--time=\(request.minutes)", "--chdir=\(request.folder)",
      "--output=\(request.folder)/log.\(request.number)", "--export=PATH,HOME,LANG",
    ]
    if let memory = request.memory {
      arguments.append("--mem=\(max(1, (memory + (1 << 20) - 1) >> 20))M")
    }
    if let partition = request.partition { arguments.append("--partition=\(partition)") }
    _ = try await commands.run("sbatch", arguments + request.command)
  }

  /// Ends all jobs of a name: those that run are told to, and have the cluster's KillWait for a checkpoint.
  ///
  /// - Throws: ``SlurmCommandError``
  nonisolated func cancel(_ name: String) async throws(SlurmCommandError) {
    _ = try await commands.run("scancel", ["--name=\(name)"])
  }
}
