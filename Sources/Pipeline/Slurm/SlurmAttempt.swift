import Foundation
import JobLedger
import Logging
import Segmentation
import SeriesProcessing
import Wording

/// An attempt at a job: its submissions, one after the other, until there is a result.
struct SlurmAttempt {
  let executor: SlurmExecutor
  let request: JobRequest
  let folder: JobFolder
  let description: JobDescription
  private var submission: JobSubmission
  private var endings = 0
  /// Where it is, as the ledger was last told.
  private var place: JobPlace?

  private var settings: SlurmSettings { executor.settings }
  /// In Slurm, of the submission in hand.
  private var name: String { folder.name(submission) }

  init(
    _ executor: SlurmExecutor, _ request: JobRequest, _ folder: JobFolder,
    _ description: JobDescription, recorded: String?
  ) throws {
    self.executor = executor
    self.request = request
    self.folder = folder
    self.description = description
    submission =
      try folder.submission()
      ?? executor.settings.submission(
        seconds: request.forecast, memory: request.memoryForecast)
    guard let number = folder.number(recordedAs: recorded) else { return }
    if number != submission.number { (submission.number, submission.pack) = (number, nil) }
    // Of this attempt as well.
    try request.submission.record(folder.ledgerName(number))
  }

  /// Has no submission count but this one, which is made next: the ledger first, whose word it is, then the folder, where
  /// the nodes see it.
  private func record(_ submission: JobSubmission) throws {
    try request.submission.record(folder.ledgerName(submission.number))
    try folder.record(submission)
  }

  /// - Throws: ``SlurmFailure``, and what ``SlurmFollowing`` throws. After a fault of a machine the folder stays, with
  ///   its checkpoint, for the next attempt.
  mutating func run(
    progress: @escaping @Sendable (SegmentationProgress) -> Void
  ) async throws -> JobOutcome {
    let following = SlurmFollowing(
      executor: executor, request: request, folder: folder, progress: progress)
    while true {
      var last = ""
      switch try await following.end(of: &submission, at: &place) {
      case .result:
        switch try await take() {
        case .outcome(let outcome): return outcome
        case .again(let why): last = why
        }
      case .ended(let job):
        try await consider(job)
        last = job.state + (job.nodes.isEmpty ? "" : " on \(job.nodes)")
      }
      endings += 1
      guard endings <= settings.resubmissions else {
        throw await ended(
          "Slurm's jobs of \(folder.name) ended \(counted(endings, "time")) without a result, at last \(last)",
          .machine)
      }
      submission.number += 1
      submission.pack = nil
      try record(submission)
    }
  }

  /// Leaves the folder as the next attempt shall find it: with another submission where a machine was at fault, else not
  /// at all, so that everything that may be at fault is made anew.
  ///
  /// - Parameter node: that is at fault; nil for the cluster, or for none.
  private mutating func ended(
    _ reason: String, _ kind: SlurmFailure.Kind, on node: String? = nil
  ) async -> any Error {
    guard kind == .machine else {
      await executor.remove(folder, submission)
      return SlurmFailure(reason, kind)
    }
    if let node { await blame(node, reason) }
    submission.number += 1
    submission.pack = nil
    do { try record(submission) } catch {
      return SlurmFailure("\(reason); \(ProcessingFault(error)?.description ?? "\(error)")", kind)
    }
    return SlurmFailure(reason, kind)
  }

  private func blame(_ node: String, _ reason: String) async {
    await executor.nodes.failed(node, in: name, fault: reason, job: request.job)
  }

  /// What a result says.
  private enum Taken {
    case outcome(JobOutcome)
    /// The job has to be submitted again.
    case again(String)
  }

  /// - Throws: ``SlurmFailure`` where the ledger has recorded another submission: whoever wrote this result, it does not
  ///   count.
  private mutating func take() async throws -> Taken {
    let recorded = try request.submission.last()
    guard recorded == folder.ledgerName(submission.number) else {
      throw SlurmFailure(
        "the result of \(folder.ledgerName(submission.number)) is not taken: the ledger has recorded "
          + "\(recorded ?? "no submission") of the job", .machine)
    }
    let outcome: JobFolderOutcome
    do {
      outcome = try folder.takeResult(submission.number, of: description, to: request.output)
    } catch {
      // It is read again, and nothing is made anew.
      if ProcessingFault(error) != nil { throw error }
      await executor.remove(folder, submission)
      throw error
    }
    switch outcome.end {
    case .processed(let processed):
      executor.logger.info("computed by \(outcome.host) as \(name)")
      await executor.nodes.succeeded(outcome.host)
      // Slurm may not have been asked since it began.
      var end = JobPlace(cluster: "Slurm", name: name, state: "COMPLETED")
      if let place, place.name == name { end = place }
      (end.state, end.node, end.reason) = ("COMPLETED", outcome.host, nil)
      return .outcome(
        JobOutcome(
          processed: processed, modelVersion: outcome.modelVersion,
          times: StageTimes(seconds: outcome.seconds), peakMemory: outcome.peakMemory, place: end))
    case .memory(let needed, let reason):
      guard needed > submission.memory ?? 0 else {
        throw await ended(
          "node \(outcome.host) has too little memory: \(reason)", .machine, on: outcome.host)
      }
      guard !submission.hasMoreMemory else {
        throw await ended("a node has too little memory for the job: \(reason)", .permanent)
      }
      submission.askMemory(needed + needed / 8)
      return .again("a node had too little memory")
    case .failed(let reason, let isPermanent):
      throw await ended("on node \(outcome.host): \(reason)", isPermanent ? .permanent : .job)
    case .refused(let reason):
      try await consider(refusalBy: outcome.host, reason)
      return .again("node \(outcome.host) refused it")
    }
  }

  /// The program or the model of a node is not the head's: another node is asked, and where that refuses it as well, or there
  /// is none, it is the head's that is another one.
  private mutating func consider(refusalBy node: String, _ reason: String) async throws {
    let text = "on node \(node): \(reason)"
    await blame(node, text)
    let nodes = (submission.refusedBy ?? []) + [node]
    guard nodes.count < 2, SlurmNodeName(node) != nil, await executor.nodes.hasOthers(than: nodes)
    else { throw await ended(text, .permanent) }
    submission.refusedBy = nodes
    executor.logger.warning("\(name) was refused \(text); another node is asked")
  }

  /// Returns where the job has to be submitted again, with what is asked for then.
  private mutating func consider(_ job: SlurmJob) async throws {
    let isOfThis = submission.pack == nil || folder.node(submission.number) != nil
    switch job.state {
    // Another one of its pack was at fault: this had not begun.
    case _ where !isOfThis:
      executor.logger.notice("Slurm's job \(name) ended as \(job.state) before \(folder.name)")
    case "OUT_OF_MEMORY":
      guard !submission.hasMoreMemory else {
        throw await ended(
          "Slurm ended the job for its memory, \((submission.memory ?? 0) >> 20) MiB, more than was "
            + "asked for at first: raise slurm.memoryGB", .permanent)
      }
      submission.askMemory(2 * (submission.memory ?? settings.memory))
    case "TIMEOUT", "DEADLINE":
      guard !submission.hasMoreTime else {
        throw await ended(
          "Slurm ended the job after \(counted(submission.minutes, "minute")), more than was asked for at "
            + "first: raise slurm.wallTimeMinutes", .permanent)
      }
      submission.hasMoreTime = true
      submission.threads = settings.threads
      submission.minutes = max(2 * submission.minutes, settings.minutes)
    case "FAILED": try await considerFailure(job)
    case "NODE_FAIL", "BOOT_FAIL":
      executor.logger.notice("Slurm's job \(name) ended as \(job.state) on \(job.nodes)")
      await blame(job.nodes, job.state)
    default: executor.logger.notice("Slurm's job \(name) ended as \(job.state)")
    }
  }

  private mutating func considerFailure(_ job: SlurmJob) async throws {
    let place = job.nodes.isEmpty ? "" : "on node \(job.nodes): "
    if let note = folder.node(submission.number), let fault = note.fault {
      throw await ended("on node \(note.host): \(fault)", .machine, on: note.host)
    }
    let log = SlurmLog(of: folder, submission)
    switch SlurmLog.Cause(job, log) {
    case .stopped: executor.logger.notice("Slurm's job \(name) was stopped: \(log.text)")
    case .outside(let signal):
      executor.logger.notice("Slurm's job \(name) was ended \(place)by signal \(signal)")
    case .machine(let words):
      // On a full disk nothing could be logged.
      let here = MachineFault.present(in: executor.folders.parent).map { "; \($0)" } ?? ""
      throw await ended(place + words + here, .machine, on: job.nodes)
    case .program:
      if let fault = MachineFault.present(in: executor.folders.parent) { throw fault }
      throw await ended(
        "\(place)Slurm's job \(name) failed without a result: \(log.text)", .job)
    }
  }
}

extension JobSubmission {
  fileprivate mutating func askMemory(_ bytes: Int) {
    memory = bytes
    hasMoreMemory = true
  }
}

/// The end of what a submission logged.
struct SlurmLog {
  /// Why a job failed without a result.
  enum Cause: Equatable {
    /// With a checkpoint, and to be run again.
    case stopped
    /// The machine's, not the program's.
    case machine(String)
    /// A signal that no program gives itself: the machine ran out of memory or was shut down, or a person gave it.
    case outside(Int)
    /// The program's, or what was given to it.
    case program

    init(_ job: SlurmJob, _ log: SlurmLog) {
      switch job.exit {
      case .status(75): self = .stopped
      case .status(74): self = .machine(log.fault ?? log.text)
      // Of the shell that starts it.
      case .status(126), .status(127):
        self = .machine("segmentd cannot be run there: \(log.text)")
      case .signal(let number) where [SIGHUP, SIGINT, SIGKILL, SIGTERM].contains(Int32(number)):
        self = .outside(number)
      // Of slurmd, which could not open the file of the log (53), or not start the program.
      case .signal(let number) where number > 31:
        self = .machine("the job cannot be started there, or its log not be written: \(log.text)")
      default: self = log.isInterruption ? .stopped : log.fault.map { .machine($0) } ?? .program
      }
    }
  }

  let text: String
  let isInterruption: Bool
  /// Of the machine.
  let fault: String?

  init(of folder: JobFolder, _ submission: JobSubmission) {
    let data = (try? Data(contentsOf: folder.log(submission))) ?? Data()
    self.init(String(decoding: data.suffix(2000), as: UTF8.self))
  }

  init(_ end: String) {
    let lines = end.split(separator: "\n")
    text = lines.isEmpty ? "it logged nothing" : lines.suffix(3).joined(separator: "; ")
    isInterruption = lines.last?.hasPrefix("stopped: ") == true
    let prefix = "fault of this machine: "
    fault = lines.last.flatMap { $0.hasPrefix(prefix) ? String($0.dropFirst(prefix.count)) : nil }
  }
}
