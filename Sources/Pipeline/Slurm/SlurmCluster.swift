import Foundation
import Logging

/// The cluster, as all executors see it: one question to its controller for all jobs.
actor SlurmCluster {
  private let commands: SlurmCommands
  private let logger: Logger
  /// Between two questions.
  private let interval: Duration
  private typealias Answer = Result<[String: SlurmJob], any Error>
  private var last: (asked: ContinuousClock.Instant, came: ContinuousClock.Instant, answer: Answer)?
  private var question: (asked: ContinuousClock.Instant, task: Task<Answer, Never>)?
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
      if let last, last.asked >= instant, last.came.duration(to: .now) < interval {
        return try last.answer.get()
      }
      let current = question ?? ask()
      question = current
      let answer = await current.task.value
      settle(current.asked, answer)
      // However long it took: another question would take as long.
      if current.asked >= instant { return try answer.get() }
    }
  }

  private func ask() -> (asked: ContinuousClock.Instant, task: Task<Answer, Never>) {
    let start = ContinuousClock.now
    let task = Task.detached { [commands] () -> Answer in
      do {
        return .success(
          try SlurmQueueListing.jobs(
            try await commands.run("squeue", ["--json", "--states=all"]), of: getuid()))
      } catch {
        return .failure(error)
      }
    }
    return (start, task)
  }

  /// Done by the first of those who waited for the answer.
  private func settle(_ asked: ContinuousClock.Instant, _ answer: Answer) {
    guard question?.asked == asked else { return }
    question = nil
    last = (asked, .now, answer)
    report(answer)
  }

  private func report(_ answer: Answer) {
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
    /// In which it runs.
    var folder: String
    /// The file that receives its output.
    var log: String
    /// In bytes.
    var memory: Int?
    /// That is asked for where no node has as much; nil for no less.
    var leastMemory: Int?
    var threads: Int
    var minutes: Int
    var partition: String?
    /// Whether it comes after others of its partition, as what is segmented again does.
    var isPatient = false
    /// Nodes that it is kept from: those that fail, as long as others can take it.
    var excluded: [String] = []
    /// Nodes that have refused it.
    var refusedBy: [String] = []
    /// The batch script and its arguments.
    var command: [String]

    /// The same without what need not be, one thing after the other: another node may have failed before, and what was only
    /// predicted may be too much. Nil where there is nothing of that kind any more.
    var withLess: Request? {
      var less = self
      if !excluded.isEmpty {
        less.excluded = []
      } else if let leastMemory, leastMemory != memory {
        less.memory = leastMemory
      } else {
        return nil
      }
      return less
    }
  }

  /// Submits a job. That this returns does not mean that Slurm will remember it.
  ///
  /// - Returns: the memory that was asked for in the end, in bytes.
  /// - Throws: ``SlurmCommandError``
  @discardableResult
  nonisolated func submit(_ request: Request) async throws(SlurmCommandError) -> Int? {
    var asked = request
    while true {
      do throws(SlurmCommandError) {
        try await submitOnce(asked)
        return asked.memory
      } catch {
        // No other node is large enough for it, or none at all.
        guard error.isTooLarge, let less = asked.withLess else { throw error }
        asked = less
      }
    }
  }

  private nonisolated func submitOnce(_ request: Request) async throws(SlurmCommandError) {
    var arguments = [
      "--parsable", "--job-name=\(request.name)", "--dependency=singleton", "--requeue",
      "--open-mode=append", "--nodes=1", "--ntasks=1", "--cpus-per-task=\(request.threads)",
      "--time=\(request.minutes)", "--chdir=\(request.folder)",
      "--output=\(request.log)", "--export=ALL",
    ]
    if let memory = request.memory {
      arguments.append("--mem=\(max(1, (memory + (1 << 20) - 1) >> 20))M")
    }
    if request.isPatient { arguments.append("--nice=1000") }
    if let partition = request.partition { arguments.append("--partition=\(partition)") }
    let kept = Set(request.excluded + request.refusedBy).sorted()
    if !kept.isEmpty { arguments.append("--exclude=\(kept.joined(separator: ","))") }
    _ = try await commands.run(
      "sbatch", arguments + request.command,
      environment: Self.environment(of: ProcessInfo.processInfo.environment))
  }

  /// What sbatch is given of the environment of this process, and all of which it gives to the job. To tell sbatch which
  /// variables to give (`--export=NAMES`) is `--get-user-env` as well: the node runs the user's login shell before each job,
  /// and waits for it (seen of 22.05: 0.2 s, and more than a minute where a profile waited for a lock).
  ///
  /// - Parameter all: of this process.
  /// - Returns: what programs need to run, and what is meant for Slurm's commands.
  static func environment(of all: [String: String]) -> [String: String] {
    let names: Set = ["PATH", "HOME", "LANG", "USER", "LOGNAME", "TZ", "LD_LIBRARY_PATH"]
    return all.filter { name, _ in
      names.contains(name) || ["LC_", "SLURM_", "SBATCH_"].contains { name.hasPrefix($0) }
    }
  }

  /// Processors that no job has.
  ///
  /// - Throws: ``SlurmCommandError``
  nonisolated func idleProcessors(partition: String?) async throws(SlurmCommandError) -> Int {
    let data = try await commands.run(
      "sinfo",
      ["--noheader", "--format=%C"] + (partition.map { ["--partition=\($0)"] } ?? []))
    return SlurmNodeListing.idleProcessors(String(decoding: data, as: UTF8.self))
  }

  /// The nodes that take jobs, or will once others have ended there.
  ///
  /// - Throws: ``SlurmCommandError``
  nonisolated func usableNodes(partition: String?) async throws(SlurmCommandError) -> Set<String> {
    let data = try await commands.run(
      "sinfo",
      ["--noheader", "--Node", "--format=%N|%T"] + (partition.map { ["--partition=\($0)"] } ?? []))
    return SlurmNodeListing.usable(String(decoding: data, as: UTF8.self))
  }

  /// Ends all jobs of a name: those that run are told to, and have the cluster's KillWait for a checkpoint.
  ///
  /// - Throws: ``SlurmCommandError``
  nonisolated func cancel(_ name: String) async throws(SlurmCommandError) {
    _ = try await commands.run("scancel", ["--name=\(name)"])
  }
}
