import FileSystem
import Foundation
import GeometryGate
import JobLedger
import Logging
import SeriesProcessing
import Synchronization
import TestSupport
import Testing

@testable import Pipeline

/// What becomes of a job by the states of Slurm that a cluster does not show when it is asked to; a real one is in
/// EndToEndTests.SlurmTests. What its faults come to is in ``SlurmFaultTests``.
@Suite(.timeLimit(.minutes(20))) struct SlurmExecutorTests {
  private let slurm: PrescribedSlurm
  private var small: SmallJob { slurm.small }
  private var folder: URL { slurm.folder }

  init() async throws { slurm = try await PrescribedSlurm() }

  private func run(_ states: String...) async throws -> (JobSummary, [[String]]) {
    try await slurm.run(states)
  }

  private func sha256(_ job: JobSummary?) -> String? {
    job?.objects.first { $0.kind == .segmentation }?.sha256
  }

  @Test func theResultIsThatOfTheLocalExecutor() async throws {
    let (job, submissions) = try await run("COMPLETED")
    #expect(job.state == "completed", "\(job.reason ?? "")")
    #expect(submissions == [["1", "1024M", "10"]])
    let other = try await SmallJob(series: small)
    #expect(try await other.runner.runNext { _ in })
    let local = sha256(try other.ledger.jobs().first)
    #expect(local != nil && sha256(job) == local)
    // What is left of it goes with the job.
    let folders = try SlurmJobFolders(folder, state: small.state)
    #expect(folders.all().map(\.job) == [small.id])
  }

  /// A job of several patches, its result, and the same job once more, of which two patches were computed in this process
  /// before that ended.
  private func begunHere() async throws -> (wanted: String?, patches: Int, job: SmallJob) {
    let reference = try await SmallJob(options: ["--slices", "40", "--size", "96"])
    let patches = Mutex(0)
    let counting = WatchedExecutor(inner: reference.executor()) { _, progress in
      patches.withLock { $0 = progress.patchesTotal }
    }
    #expect(try await reference.runner(counting).runNext { _ in })
    let job = try await SmallJob(series: reference)
    let stopping = WatchedExecutor(inner: job.executor()) { _, progress in
      if progress.patchesDone == 2 { withUnsafeCurrentTask { $0?.cancel() } }
    }
    let attempt = Task { try await job.runner(stopping).runNext { _ in } }
    await #expect(throws: CancellationError.self) { try await attempt.value }
    try #require(FileStatus(checkpoint(job).path) != nil)
    return (sha256(try reference.ledger.jobs().first), patches.withLock { $0 }, job)
  }

  /// As it is where this process computes.
  private func checkpoint(_ job: SmallJob) -> URL {
    job.state.checkpoints.appendingPathComponent("\(job.id)/volume.prediction")
  }

  /// What the story says of checkpoints.
  private func resumptions(_ job: SmallJob) throws -> [String] {
    try job.ledger.job(job.id).events.map(\.message).filter {
      $0.hasPrefix("resumes from") || $0.hasPrefix("starts over")
    }
  }

  /// What is not as it was written is not used, and everything is computed there.
  @Test(arguments: [false, true])
  func aJobBegunHereResumesInTheCluster(isDamaged: Bool) async throws {
    let (wanted, patches, job) = try await begunHere()
    if isDamaged {
      var data = try Data(contentsOf: checkpoint(job))
      data[data.count / 2] ^= 1
      try data.write(to: checkpoint(job))
    }
    let executor = try slurm.executor(["COMPLETED"])
    #expect(try await job.runner(executor).runNext(id: job.id) { _ in })
    let made = sha256(try job.ledger.jobs().first)
    #expect(wanted != nil && made == wanted)
    let resumed = "resumes from its checkpoint, after 2 of \(patches) patches"
    let told = try resumptions(job)
    #expect(told.count == 1 && (told == [resumed]) == !isDamaged, "\(told)")
    #expect(FileStatus(checkpoint(job).path) == nil)
  }

  /// From this process to a cluster, whose nodes fail, and back: the patches of before are not computed again.
  @Test func aJobOfTheClusterResumesHere() async throws {
    let (wanted, patches, job) = try await begunHere()
    let failing = try slurm.executor(Array(repeating: "NODE_FAIL", count: 6))
    #expect(try await job.runner(failing).runNext(id: job.id) { _ in })
    #expect(try job.ledger.jobs().map(\.state) == ["retryable"])
    let folders = try SlurmJobFolders(folder, state: small.state)
    let there = try #require(folders.all().first?.folder.checkpoint)
    #expect(
      FileStatus(there.appendingPathComponent("volume.prediction").path) != nil
        && FileStatus(checkpoint(job).path) == nil)

    let former = FormerSlurmJobs(
      folders: folders, commands: SlurmCommands(folder: slurm.commands.path),
      logger: Logger(label: "test"))
    let local = LocalExecutor(
      models: ModelLibrary(
        directories: [TestFiles.fixtures.appendingPathComponent("models")], threads: 1),
      processor: SeriesProcessor(
        geometry: GeometryRules(), installation: "TEST", memory: MemoryBudget(limit: nil)),
      former: former)
    let computed = Mutex(0)
    let counting = WatchedExecutor(inner: local) { _, _ in computed.withLock { $0 += 1 } }
    #expect(try await job.runner(counting).runNext(id: job.id) { _ in })
    let made = sha256(try job.ledger.jobs().first)
    #expect(wanted != nil && made == wanted)
    #expect(computed.withLock { $0 } == patches - 2)
    #expect(
      try resumptions(job) == ["resumes from its checkpoint, after 2 of \(patches) patches"])
    #expect(folders.all().isEmpty)
  }

  @Test func moreMemoryIsAskedForOnce() async throws {
    let (job, submissions) = try await run("OUT_OF_MEMORY", "OUT_OF_MEMORY", "COMPLETED")
    #expect(job.state == "held" && job.reason?.contains("slurm.memoryGB") == true)
    #expect(submissions == [["1", "1024M", "10"], ["2", "2048M", "10"]])
  }

  @Test func moreTimeIsAskedForOnce() async throws {
    let (job, submissions) = try await run("TIMEOUT", "TIMEOUT", "COMPLETED")
    #expect(job.state == "held" && job.reason?.contains("slurm.wallTimeMinutes") == true)
    #expect(submissions == [["1", "1024M", "10"], ["2", "1024M", "20"]])
  }

  /// Under the same name, which keeps two from running.
  @Test func aForgottenSubmissionIsMadeAgain() async throws {
    let (job, submissions) = try await run("FORGOTTEN", "FORGOTTEN", "COMPLETED")
    #expect(job.state == "completed" && submissions.map { $0[0] } == ["1", "1", "1"])
  }

  @Test(arguments: ["NODE_FAIL", "CANCELLED", "PREEMPTED", "BOOT_FAIL"])
  func whatIsNoFaultOfTheJobIsSubmittedAgain(state: String) async throws {
    let (job, submissions) = try await run(state, "COMPLETED")
    #expect(job.state == "completed" && submissions.map { $0[0] } == ["1", "2"])
  }

  @Test(arguments: ["FAILED", "REFUSED"])
  func aFailureIsTriedAgainLater(state: String) async throws {
    let (job, submissions) = try await run(state, "COMPLETED")
    #expect(job.state == "retryable" && job.reason?.contains("Slurm") == true && job.objects == [])
    #expect(submissions.count == 1)
    let (again, all) = try await run("COMPLETED")
    #expect(again.state == "completed" && all.count == 2)
  }

  @Test func theLedgerKnowsWhereItWasComputed() async throws {
    let (job, _) = try await run("NODE_FAIL", "COMPLETED")
    #expect(job.place == nil, "it does not run any more")
    let place = try #require(try small.ledger.job(small.id).attempts.last?.place)
    #expect(place.cluster == "Slurm" && place.state == "COMPLETED" && place.node != nil)
    #expect(place.name.hasSuffix("-2"), "\(place)")
  }

  /// Two short jobs are one of Slurm, with one thread; each has its own result.
  @Test func shortJobsAreSubmittedTogether() async throws {
    let first = try slurm.executor(["COMPLETED"], threads: 3)
    #expect(try await small.runner(first).runNext(id: small.id) { _ in })
    let other = try await SmallJob()
    _ = try await other.addJob(priority: 0)
    let others = [
      try await small.addJob(priority: 0), try await small.addJob(priority: 0, of: other),
    ]
    let executor = try slurm.executor(["COMPLETED"], threads: 3)
    let runner = small.runner(executor)
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for id in others { group.addTask { try await runner.runNext(id: id) { _ in } } }
      for try await isDone in group { #expect(isDone) }
    }
    let names = try slurm.submissions().map(\.name)
    #expect(names.count == 2 && names.last?.contains("-pack-") == true, "\(names)")
    #expect(try slurm.threads() == ["3", "1"])
    for id in others {
      let job = try small.ledger.job(id)
      #expect(job.job.state == "completed", "\(job.job.reason ?? "")")
      #expect(job.job.objects.contains { $0.kind == .segmentation })
    }
  }
}
