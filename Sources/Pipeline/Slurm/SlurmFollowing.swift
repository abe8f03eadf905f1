import Foundation
import JobLedger
import Logging
import Segmentation
import SeriesProcessing

/// Follows submissions of one job until each has ended.
struct SlurmFollowing {
  /// How a submission ended.
  enum End {
    case result
    /// So, and without a result.
    case ended(SlurmJob)
  }

  let executor: SlurmExecutor
  let request: JobRequest
  let folder: JobFolder
  let progress: @Sendable (SegmentationProgress) -> Void

  private var settings: SlurmSettings { executor.settings }
  private var logger: Logger { executor.logger }

  /// What is known of a submission.
  private struct Watch {
    var submitted: ContinuousClock.Instant?
    var submissions = 0
    /// Whether it may have been submitted by an earlier attempt.
    var wasSubmitted = false
    /// Whether the ledger has it recorded as the one that counts.
    var isRecorded = false
    /// Where it may be packed.
    var member: SlurmPacks.Member?
    /// When it was first seen that it has ended.
    var ended: ContinuousClock.Instant?
    /// What is known of how the node began with the checkpoint.
    var checkpoint: JobNodeNote.CheckpointUse?
  }

  /// Waits for the end of a submission. It is made where Slurm does not know it, and again where Slurm has
  /// forgotten it: two of one name never run at the same time (singleton), and the second finds the result.
  ///
  /// - Parameters:
  ///   - submission: receives the pack that it is made in.
  ///   - place: where it is, as the ledger was last told.
  /// - Throws: `SegmentationInterrupted` where the job is to yield, `CancellationError` where this process
  ///   ends: Slurm's job continues then; ``SlurmFailure``.
  func end(of submission: inout JobSubmission, at place: inout JobPlace?) async throws -> End {
    var watch = Watch()
    watch.member = member(submission)
    watch.wasSubmitted = (try? folder.submission()) != nil
    while true {
      try Task.checkCancellation()
      tellCheckpoint(of: submission, &watch)
      if folder.hasResult(submission.number) { return .result }
      if request.control.interruption?.isRequested == true {
        return try await interrupt(submission)
      }
      report(progressOf: folder)
      do {
        let jobs = try await executor.cluster.jobs(
          since: watch.submitted ?? .now - settings.confirmation)
        let shown = jobs[folder.name(submission)]
        let isUnknown =
          shown == nil
          && watch.submitted.map { $0.duration(to: .now) > settings.confirmation } ?? true
        // What squeue tells of no more, MinJobAge after its end, the controller may have kept.
        let kept =
          isUnknown && (watch.wasSubmitted || watch.submissions > 0)
          ? settings.endedJobs?.job(named: folder.name(submission)) : nil
        if let job = shown ?? kept {
          note(job, &place)
          if hasEnded(job, &watch) {
            // It may have been written meanwhile.
            return folder.hasResult(submission.number) ? .result : .ended(job)
          }
        } else if isUnknown {
          try await submit(&submission, &watch, among: jobs)
        }
      } catch let error as SlurmCommandError {
        // Logged by the cluster; the job waits. What was submitted has its time for being seen anew.
        logger.debug("\(folder.name(submission)): \(error)")
        if watch.submitted != nil { watch.submitted = .now }
        try await Task.sleep(for: .seconds(2))
      }
      try await Task.sleep(for: settings.pause)
    }
  }

  /// Whether a job has ended, and its result will not be seen any more.
  private func hasEnded(_ job: SlurmJob, _ watch: inout Watch) -> Bool {
    guard !job.isActive else {
      watch.ended = nil
      return false
    }
    folder.refresh()
    let seen = watch.ended ?? .now
    watch.ended = seen
    return job.state != "COMPLETED" || seen.duration(to: .now) > settings.visibility
  }

  /// Tells the log and the ledger where the job is by now.
  private func note(_ job: SlurmJob, _ place: inout JobPlace?) {
    let now = JobPlace(job)
    guard place != now else { return }
    if place?.state != now.state || place?.name != now.name { log(job) }
    place = now
    request.placed(now)
  }

  private func submit(
    _ submission: inout JobSubmission, _ watch: inout Watch, among jobs: [String: SlurmJob]
  ) async throws {
    guard watch.submissions <= settings.resubmissions else {
      throw SlurmFailure(
        "Slurm forgets the job \(folder.name(submission)) again and again", .machine)
    }
    let isNew = watch.submissions == 0
    if !watch.isRecorded {
      // Before it is made; with those of other jobs in one transaction.
      try request.submission.record(folder.ledgerName(submission.number))
      watch.isRecorded = true
    }
    if let pack = submission.pack {
      watch.submissions += 1
      try await executor.packs.submitAgain(pack)
      submission = try folder.submission() ?? submission
    } else if isNew, let member = watch.member {
      let isBusy = jobs.values.contains {
        $0.name.hasPrefix(executor.folders.ledger + "-") && $0.state == "PENDING" && !$0.isHeld
      }
      switch await executor.packs.join(member, isBusy: isBusy) {
      case .gathering: return
      case .failed(let error): throw error
      case .submitted: submission = try folder.submission() ?? submission
      }
      watch.submissions += 1
    } else {
      if !isNew {
        logger.warning("Slurm does not know \(folder.name(submission)): it is submitted again")
      }
      watch.submissions += 1
      try folder.record(submission)
      try await submitAlone(&submission)
    }
    watch.submitted = .now
  }

  /// Nil where the job is not to be packed: it is urgent, long, of unknown length, or was submitted before.
  private func member(_ submission: JobSubmission) -> SlurmPacks.Member? {
    guard settings.packJobs > 1, !settings.isUrgent(request.priority),
      let forecast = request.forecast,
      forecast <= settings.shortSeconds, (try? folder.submission()) == nil
    else { return nil }
    return SlurmPacks.Member(
      folder: folder, submission: submission, seconds: forecast, priority: request.priority)
  }

  private func submitAlone(_ submission: inout JobSubmission) async throws {
    var asked = try settings.request(of: folder, submission, priority: request.priority)
    asked.excluded = await executor.nodes.excluded()
    let memory: Int?
    do throws(SlurmCommandError) {
      memory = try await executor.cluster.submit(asked)
    } catch {
      guard !error.isSilence else { throw error }
      // Of a job that is too large for it Slurm keeps one of the name that failed: the next one has another name.
      try supersede(submission)
      throw SlurmFailure(refusing: error)
    }
    logger.info("submitted to Slurm as \(asked.name)")
    // Else the program would take more than Slurm gave it, and twice of that be asked for.
    guard memory != submission.memory else { return }
    submission.memory = memory
    try folder.record(submission)
  }

  /// Has the job stopped with a checkpoint.
  private func interrupt(_ submission: JobSubmission) async throws -> End {
    let name = folder.name(submission)
    let start = ContinuousClock.now
    var isTold = false
    if submission.pack == nil, await !executor.packs.leave(folder) {
      // It is being submitted: it does nothing once another submission is asked for.
      try supersede(submission)
      throw SegmentationInterrupted(keptPatches: 0, patches: 0)
    }
    while start.duration(to: .now) < .seconds(180) {
      try Task.checkCancellation()
      if folder.hasResult(submission.number) { return .result }
      do {
        if submission.pack != nil {
          // The others of its pack go on. It is short: where it has begun it is left to end.
          folder.refresh()
          guard folder.node(submission.number) != nil else {
            try supersede(submission)
            break
          }
        } else if !isTold {
          try await executor.cluster.cancel(name)
          isTold = true
        }
        let asked = ContinuousClock.now
        guard let job = try await executor.cluster.jobs(since: asked)[name], job.isActive else {
          break
        }
      } catch let error as SlurmCommandError {
        logger.debug("\(name): \(error)")
      }
      try await Task.sleep(for: settings.pause)
    }
    let progress = folder.progress()
    throw SegmentationInterrupted(
      keptPatches: progress?.patchesKept ?? 0, patches: progress?.patchesTotal ?? 0)
  }

  private func supersede(_ submission: JobSubmission) throws {
    var next = submission
    next.number += 1
    next.pack = nil
    // Nothing is made of it any more where the job has ended meanwhile: then it is not recorded.
    do { try request.submission.record(folder.ledgerName(next.number)) } catch {
      logger.debug("\(folder.ledgerName(next.number)): \(error)")
    }
    try folder.record(next)
  }

  private func log(_ job: SlurmJob) {
    let place = job.nodes.isEmpty ? "" : " on \(job.nodes)"
    guard job.isHeld else {
      logger.info("Slurm's job \(job.name) is \(job.state)\(place)")
      return
    }
    logger.warning(
      "Slurm holds the job \(job.name) (\(job.reason ?? job.state)): scontrol release jobname=\(job.name)"
    )
  }

  /// Tells log and ledger, as of a job of this process, that a node resumed from the checkpoint, or did not.
  private func tellCheckpoint(of submission: JobSubmission, _ watch: inout Watch) {
    guard let use = folder.node(submission.number)?.checkpoint, use != watch.checkpoint else {
      return
    }
    watch.checkpoint = use
    switch use {
    case .resumed(let patches, let all):
      request.control.checkpoints?.report(.resumed(patches: patches, of: all))
    case .discarded(let reason): request.control.checkpoints?.report(.discarded(reason: reason))
    }
  }

  private func report(progressOf folder: JobFolder) {
    guard let noted = folder.progress() else { return }
    progress(
      SegmentationProgress(
        patchesDone: noted.patchesDone, patchesTotal: noted.patchesTotal,
        elapsed: .seconds(noted.seconds), patchesBefore: noted.patchesBefore))
  }
}

extension JobPlace {
  init(_ job: SlurmJob) {
    self.init(
      cluster: "Slurm", name: job.name, number: job.number, state: job.state,
      node: job.nodes.isEmpty ? nil : job.nodes, partition: job.partition,
      reason: job.isActive && job.state != "RUNNING" ? job.reason : nil)
  }
}

extension SlurmFailure {
  /// Of sbatch, which does not take a job.
  init(refusing error: SlurmCommandError) {
    self.init("Slurm does not take the job: \(error)", error.isTooLarge ? .job : .machine)
  }
}
