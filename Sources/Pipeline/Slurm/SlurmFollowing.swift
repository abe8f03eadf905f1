import FileSystem
import Foundation
import Logging
import Segmentation
import SeriesProcessing

/// Follows submissions of one job until each has ended.
struct SlurmFollowing {
  /// How a submission ended.
  enum End {
    case result
    /// In this state of Slurm, and without a result.
    case ended(String)
  }

  let executor: SlurmExecutor
  let request: JobRequest
  let folder: JobFolder
  let progress: @Sendable (SegmentationProgress) -> Void

  private var settings: SlurmSettings { executor.settings }
  private var logger: Logger { executor.logger }

  /// Waits for the end of a submission. It is made where Slurm does not know it, and again where Slurm has
  /// forgotten it: two of one name never run at the same time (singleton), and the second finds the result.
  ///
  /// - Throws: `SegmentationInterrupted` where the job is to yield, `CancellationError` where this process
  ///   ends: Slurm's job goes on then.
  func end(of submission: JobSubmission) async throws -> End {
    let name = folder.name(submission.number)
    var submitted: ContinuousClock.Instant?
    var (submissions, state) = (0, "")
    var ended: ContinuousClock.Instant?
    while true {
      try Task.checkCancellation()
      if folder.hasResult(submission.number) { return .result }
      if request.control.interruption?.isRequested == true {
        return try await interrupt(name, submission)
      }
      report(progressOf: folder)
      do {
        let job = try await executor.cluster.jobs(since: submitted ?? .now - settings.confirmation)[
          name]
        if let job {
          if job.state != state { log(job) }
          state = job.state
          if !job.isActive {
            let now = ContinuousClock.now
            let seen = ended ?? now
            ended = seen
            if job.state != "COMPLETED" || seen.duration(to: now) > settings.visibility {
              // It may have been written meanwhile.
              return folder.hasResult(submission.number) ? .result : .ended(job.state)
            }
          } else {
            ended = nil
          }
        } else if submitted.map({ $0.duration(to: .now) > settings.confirmation }) ?? true {
          guard submissions <= settings.resubmissions else {
            throw SlurmFailure("Slurm forgets the job \(name) again and again")
          }
          if submissions > 0 {
            logger.warning("Slurm does not know \(name): it is submitted again")
          }
          submissions += 1
          try await submit(submission, name)
          submitted = .now
        }
      } catch let error as SlurmCommandError {
        // Logged by the cluster; the job waits. What was submitted has its time for being seen anew.
        logger.debug("\(name): \(error)")
        if submitted != nil { submitted = .now }
        try await Task.sleep(for: .seconds(2))
      }
      try await Task.sleep(for: settings.pause)
    }
  }

  private func submit(_ submission: JobSubmission, _ name: String) async throws {
    try folder.record(submission)
    let script = folder.url.appendingPathComponent("batch.sh")
    // In place of the shell, so that signals reach the program; its arguments are not read by the shell.
    try DurableFile.write(to: script.path) { temporary in
      try Data("#!/bin/sh\nexec \"$@\"\n".utf8).write(to: URL(fileURLWithPath: temporary))
    }
    let models = settings.models.flatMap { ["--models", $0] }
    let isUrgent = request.priority > 0
    let asked = SlurmCluster.Request(
      name: name, folder: folder.url.path, number: submission.number, memory: submission.memory,
      threads: submission.threads, minutes: submission.minutes,
      partition: isUrgent ? settings.urgentPartition ?? settings.partition : settings.partition,
      command: [script.path, settings.program, "work"] + models
        + ["--submission", "\(submission.number)", folder.url.path])
    do throws(SlurmCommandError) {
      try await executor.cluster.submit(asked)
    } catch {
      guard !error.isSilence else { throw error }
      throw SlurmFailure("Slurm does not take the job: \(error)")
    }
    logger.info("submitted to Slurm as \(name)")
  }

  /// Has the job stopped with a checkpoint.
  private func interrupt(_ name: String, _ submission: JobSubmission) async throws -> End {
    let start = ContinuousClock.now
    var isTold = false
    while start.duration(to: .now) < .seconds(180) {
      try Task.checkCancellation()
      if folder.hasResult(submission.number) { return .result }
      do {
        if !isTold {
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

  private func report(progressOf folder: JobFolder) {
    guard let noted = folder.progress() else { return }
    progress(
      SegmentationProgress(
        patchesDone: noted.patchesDone, patchesTotal: noted.patchesTotal,
        elapsed: .seconds(noted.seconds), patchesBefore: noted.patchesBefore))
  }
}
