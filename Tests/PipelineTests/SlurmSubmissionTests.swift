import Foundation
import JobLedger
import Segmentation
import SeriesProcessing
import TestSupport
import Testing

@testable import Pipeline

/// Which submission counts, what it asks for, which program computes it, and how it ended.
@Suite(.timeLimit(.minutes(20))) struct SlurmSubmissionTests {
  private let slurm: PrescribedSlurm

  init() async throws { slurm = try await PrescribedSlurm() }

  /// Another executor, asked for something else than it would be.
  private struct Changing: WrappingExecutor {
    let inner: any JobExecutor
    let change: @Sendable (inout JobRequest) -> Void

    func execute(
      _ request: JobRequest, progress: @escaping @Sendable (SegmentationProgress) -> Void
    ) async throws -> JobOutcome {
      var request = request
      change(&request)
      return try await inner.execute(request, progress: progress)
    }
  }

  /// Whoever wrote another one, and whatever the folder says.
  @Test func onlyTheResultOfTheSubmissionThatTheLedgerRecordedIsTaken() async throws {
    _ = try await slurm.run(Array(repeating: "NODE_FAIL", count: 6))
    let there = try #require(
      try SlurmJobFolders(slurm.folder, state: slurm.small.state).all().first?.folder)
    let recorded = try #require(try slurm.small.ledger.submission(ofJob: slurm.small.id))
    #expect(recorded == "\(there.name)-7")
    // A head that was taken for dead goes on, and has a node compute.
    var other = try #require(try there.submission())
    other.number = 40
    try there.record(other)
    let models = TestFiles.fixtures.appendingPathComponent("models")
    let work = JobFolderWork(there) { ModelLibrary(directories: [models], threads: $0) }
    _ = try await work.run(submission: 40, interruption: Interruption()) { _ in }
    try #require(there.hasResult(40))
    let (job, submissions) = try await slurm.run(["COMPLETED"])
    #expect(job.state == "completed", "\(job.reason ?? "")")
    #expect(submissions.last?.first == "7")
    let attempt = try slurm.small.ledger.job(slurm.small.id).attempts.last
    #expect(attempt?.place?.name == recorded)
    #expect(try slurm.small.ledger.submission(ofJob: slurm.small.id) == recorded)
  }

  /// A ledger of a version before knows no submissions: what such a version had computed, or has yet, is computed anew.
  @Test func whatIsNotRecordedIsComputedAnew() async throws {
    _ = try await slurm.run(Array(repeating: "NODE_FAIL", count: 6))
    let there = try #require(
      try SlurmJobFolders(slurm.folder, state: slurm.small.state).all().first?.folder)
    try FileManager.default.createDirectory(
      at: there.result(7), withIntermediateDirectories: false)
    // The ledger does not know the submissions of the folder.
    let executor = Changing(inner: try slurm.executor(["COMPLETED"])) { [name = there.name] in
      let last = $0.submission.last
      $0.submission.last = { try last().flatMap { $0.hasPrefix(name) ? nil : $0 } }
    }
    #expect(try await slurm.small.runner(executor).runNext(id: slurm.small.id) { _ in })
    let job = try slurm.small.ledger.job(slurm.small.id).job
    #expect(job.state == "completed", "\(job.reason ?? "")")
    let last = try #require(try slurm.submissions().last)
    #expect(last.asked.first == "1" && !last.name.hasPrefix(there.name))
    #expect(!FileManager.default.fileExists(atPath: there.url.path))
  }

  /// What is recorded meanwhile counts: the result in hand is not taken.
  @Test func aResultOfAnotherSubmissionThanTheRecordedOneIsNotTaken() async throws {
    // While the job is with the cluster, another head records a submission of its own.
    let executor = Changing(inner: try slurm.executor(["COMPLETED"])) {
      let record = $0.submission.record
      $0.submission.record = { name in
        try record(name)
        try record("another-1-2-1")
      }
    }
    #expect(try await slurm.small.runner(executor).runNext(id: slurm.small.id) { _ in })
    let job = try slurm.small.ledger.job(slurm.small.id)
    #expect(job.job.state == "retryable" && job.job.objects == [])
    #expect(job.job.reason?.contains("the ledger has recorded another-1-2-1") == true)
    #expect(try slurm.outcomes() == ["released"])
  }

  /// Of a job that squeue tells of no more when the daemon comes back, the controller has kept how it ended.
  @Test func howAForgottenJobEndedIsRead() async throws {
    _ = try await slurm.run(Array(repeating: "NODE_FAIL", count: 6))
    let name = try #require(try slurm.small.ledger.submission(ofJob: slurm.small.id))
    try FileManager.default.createDirectory(at: slurm.ended, withIntermediateDirectories: true)
    func keep(_ name: String, _ id: Int, _ state: String, _ exit: String) throws {
      let lines = [
        "name=\(name)", "id=\(id)", "state=\(state)", "exit=\(exit)", "node=w1",
        "partition=batch", "submitted=\(id)", "ended=9", "",
      ]
      try lines.joined(separator: "\n").write(
        to: slurm.ended.appendingPathComponent("\(name).\(id)"), atomically: true, encoding: .utf8)
    }
    try keep(name, 1, "COMPLETED", "0:0")
    try keep(name, 2, "OUT_OF_MEMORY", "0:125")
    let stranger = "\(name.dropLast())99"
    try keep(stranger, 3, "FAILED", "1:0")
    // The controller was killed while it wrote.
    try "name=\(name)\nstate=FAIL".write(
      to: slurm.ended.appendingPathComponent("\(name).4.part"), atomically: true, encoding: .utf8)
    let (job, submissions) = try await slurm.run(["COMPLETED"])
    #expect(job.state == "completed", "\(job.reason ?? "")")
    // Not made again, but once more with twice the memory.
    #expect(submissions.last?.prefix(2) == ["8", "2048M"])
    #expect(submissions.count == 7)
    // What is kept of jobs that have ended goes with their folders.
    try await slurm.executor([]).removeLeftovers { $0 }
    #expect(try FileManager.default.contentsOfDirectory(atPath: slurm.ended.path).isEmpty)
  }

  /// Refused by the node whose program is another build, and by the next one as well.
  @Test func anotherBuildOfTheProgramIsRefused() async throws {
    let program = Bundle.main.bundleURL.appendingPathComponent("segmentd")
    let build = try ProgramBuild.identity(of: program)
    let other = try slurm.executor(["COMPLETED", "OTHER"], build: "build-id:00")
    #expect(try await slurm.small.runner(other).runNext(id: slurm.small.id) { _ in })
    let job = try slurm.small.ledger.job(slurm.small.id).job
    #expect(job.state == "held", "\(job.reason ?? "")")
    #expect(job.reason?.contains(build) == true && job.reason?.contains("build-id:00") == true)
    #expect(try slurm.excluded() == ["", "w1"])
    var held = JobSelection()
    held.states = [.held]
    _ = try slurm.small.ledger.apply(.retry, to: held)
    let same = try slurm.executor(["COMPLETED"], build: build)
    #expect(try await slurm.small.runner(same).runNext(id: slurm.small.id) { _ in })
    #expect(try slurm.small.ledger.job(slurm.small.id).job.state == "completed")
  }

  /// What others of the model needed, and an eighth more; no less than the configuration says.
  @Test func memoryIsAskedForAsPredicted() throws {
    let settings = try slurm.executor([]).settings
    #expect(settings.memory(forecast: nil) == 1 << 30 && settings.memory(forecast: 5) == 1 << 30)
    #expect(settings.memory(forecast: 8 << 30) == 9 << 30)
    var submission = JobSubmission(memory: 9 << 30, threads: 1, minutes: 1)
    #expect(settings.leastMemory([submission]) == 1 << 30)
    submission.hasMoreMemory = true
    #expect(settings.leastMemory([submission]) == nil)
  }

  /// One for each five seconds; with fewer than the configuration says a job has as much longer.
  @Test func threadsAreAskedForAsPredicted() throws {
    var settings = try slurm.executor([]).settings
    (settings.threads, settings.threadSeconds) = (4, 5)
    func threads(_ forecast: Double?) -> Int { settings.threads(forecast: forecast) }
    #expect(threads(nil) == 4 && threads(0) == 1 && threads(9.9) == 1)
    #expect(threads(10) == 2 && threads(19) == 3 && threads(20) == 4 && threads(1e300) == 4)
    #expect(threads(.infinity) == 4)
    let short = settings.submission(seconds: 6, memory: nil)
    #expect(short.threads == 1 && short.minutes == 3 && short.memory == 1 << 30)
    let long = settings.submission(seconds: 60, memory: nil)
    #expect(long.threads == 4 && long.minutes == 5)
    let unknown = settings.submission(seconds: nil, memory: nil)
    #expect(unknown.threads == 4 && unknown.minutes == settings.minutes)
    settings.threads = 1
    #expect(threads(60) == 1)
  }

  /// A node says what the first job of a model needs, and is asked for more; the next one asks for that at once.
  @Test func whatAJobNeededIsAskedForByTheNext() async throws {
    let (small, memory) = (slurm.small, 1 << 20)
    let first = try slurm.executor(["COMPLETED", "COMPLETED"], memory: memory)
    #expect(try await small.runner(first).runNext(id: small.id) { _ in })
    let next = try await small.addJob(priority: 0)
    let second = try slurm.executor(["COMPLETED"], memory: memory)
    #expect(try await small.runner(second).runNext(id: next) { _ in })
    for id in [small.id, next] {
      let job = try small.ledger.job(id).job
      #expect(job.state == "completed", "\(job.reason ?? "")")
    }
    let asked = try slurm.submissions().map(\.asked)
    #expect(asked.map { $0[0] } == ["1", "2", "1"] && asked[0][1] == "1M", "\(asked)")
    #expect(asked.count == 3 && asked[2][1] != "1M")
  }

  /// Slurm shows a job that it did not take as one that failed (seen of 22.05): that is not taken for an end of the next one.
  @Test func whatIsLeftOfARefusedSubmissionIsNoEnd() async throws {
    let (refused, _) = try await slurm.run(["TOO_LARGE"])
    #expect(refused.state == "retryable")
    #expect(refused.reason?.contains("Slurm does not take the job") == true)
    let (job, submissions) = try await slurm.run(["COMPLETED"])
    #expect(job.state == "completed", "\(job.reason ?? "")")
    #expect(submissions.map(\.first) == ["1", "2"])
  }

  /// Two partitions, and what is segmented again after all else; one name never runs twice at once.
  @Test func whatSbatchIsTold() async throws {
    let sbatch = slurm.commands.appendingPathComponent("sbatch")
    try Self.refusing.write(to: sbatch, atomically: true, encoding: .utf8)
    chmod(sbatch.path, 0o700)
    let executor = try slurm.executor([])
    var settings = executor.settings
    (settings.partition, settings.urgentPartition) = ("batch", "urgent")
    let submission = JobSubmission(number: 4, memory: 3 << 20, threads: 3, minutes: 7)
    func told(_ priority: Int) async throws -> Set<String> {
      let request = try settings.request(
        of: JobFolder(slurm.folder), submission, priority: priority)
      try await executor.cluster.submit(request)
      let asked = try String(
        contentsOf: slurm.commands.appendingPathComponent("sbatch.asked"), encoding: .utf8)
      return Set((asked.split(separator: "\n").last ?? "").split(separator: " ").map(String.init))
    }
    let name = slurm.folder.lastPathComponent
    let patient = try await told(-1)
    #expect(
      patient.isSuperset(of: [
        "--job-name=\(name)-4", "--dependency=singleton", "--requeue", "--cpus-per-task=3",
        "--export=ALL",
        "--mem=3M", "--time=7", "--partition=batch", "--nice=1000",
      ]), "\(patient)")
    let usual = try await told(0)
    #expect(usual.contains("--partition=batch") && !usual.contains("--nice=1000"))
    #expect(try await told(1).contains("--partition=urgent"))
    settings.urgentPriority = 0
    #expect(try await told(0).contains("--partition=urgent"))
  }

  /// The job has what sbatch has, and that is not all that the daemon has.
  @Test func theJobHasNotTheEnvironmentOfTheDaemon() async throws {
    let all = [
      "PATH": "/bin", "HOME": "/", "LANG": "C", "LC_ALL": "C", "SLURM_CONF": "/a",
      "SBATCH_ACCOUNT": "b", "NOTIFY_SOCKET": "/c", "SECRET": "d", "SLURMX": "e",
    ]
    #expect(
      Set(SlurmCluster.environment(of: all).keys) == [
        "PATH", "HOME", "LANG", "LC_ALL", "SLURM_CONF", "SBATCH_ACCOUNT",
      ])
    let sbatch = slurm.commands.appendingPathComponent("sbatch")
    try "#!/bin/sh\nexec env -u _ -u PWD -u SHLVL -u OLDPWD > \"$0.has\"\n"
      .write(to: sbatch, atomically: true, encoding: .utf8)
    chmod(sbatch.path, 0o700)
    try await slurm.executor([]).cluster.submit(
      SlurmCluster.Request(
        name: "a", folder: "/", log: "/dev/null", threads: 1, minutes: 1, command: ["true"]))
    let has = try String(contentsOfFile: "\(sbatch.path).has", encoding: .utf8)
    let own = SlurmCluster.environment(of: ProcessInfo.processInfo.environment)
    let lines = Set(has.split(separator: "\n").map(String.init))
    #expect(lines.isSuperset(of: own.map { "\($0.key)=\($0.value)" }))
    #expect(lines.count == own.count, "\(lines)")
  }

  /// Where no node has what is only predicted, the job is not held for it.
  @Test func aPredictionThatIsTooMuchIsNotInsistedOn() async throws {
    let sbatch = slurm.commands.appendingPathComponent("sbatch")
    try Self.refusing.write(to: sbatch, atomically: true, encoding: .utf8)
    chmod(sbatch.path, 0o700)
    let cluster = try slurm.executor([]).cluster
    var request = SlurmCluster.Request(
      name: "a", folder: "/", log: "/dev/null", memory: 9 << 30, leastMemory: 1 << 30, threads: 1,
      minutes: 1, command: ["true"])
    try await cluster.submit(request)
    let asked = try String(
      contentsOf: slurm.commands.appendingPathComponent("sbatch.asked"), encoding: .utf8)
    #expect(asked.split(separator: "\n").count == 2 && asked.contains("--mem=1024M"))
    request.leastMemory = nil
    await #expect(throws: SlurmCommandError.self) { try await cluster.submit(request) }
  }

  /// What is given in place of a prediction is what counts from then on: twice as much is asked for where it is too little.
  @Test func whatIsGivenInPlaceOfAPredictionCounts() async throws {
    let sbatch = slurm.commands.appendingPathComponent("sbatch")
    let prescribed = slurm.commands.appendingPathComponent("sbatch.prescribed")
    try FileManager.default.moveItem(at: sbatch, to: prescribed)
    try (Self.refusing + "exec \"$0.prescribed\" \"$@\"\n")
      .write(to: sbatch, atomically: true, encoding: .utf8)
    chmod(sbatch.path, 0o700)
    // Each earlier job of the model needed 8 GiB.
    let executor = Changing(inner: try slurm.executor(["OUT_OF_MEMORY", "COMPLETED"])) {
      $0.memoryForecast = 8 << 30
    }
    #expect(try await slurm.small.runner(executor).runNext(id: slurm.small.id) { _ in })
    let job = try slurm.small.ledger.job(slurm.small.id).job
    #expect(job.state == "completed", "\(job.reason ?? "")")
    let asked = try slurm.submissions().map(\.asked)
    #expect(asked == [["1", "1024M", "10"], ["2", "2048M", "10"]])
  }

  /// A pack that Slurm has forgotten, and does not take again, says so.
  @Test func aPackThatIsRefusedWhenItIsMadeAgainSaysWhy() async throws {
    _ = try await slurm.run(Array(repeating: "NODE_FAIL", count: 6))
    let executor = try slurm.executor(["REFUSED"])
    let folder = try #require(executor.folders.all().first?.folder)
    var submission = try #require(try folder.submission())
    submission.pack = executor.folders.nameOfPack()
    try folder.record(submission)
    let pack = try #require(submission.pack)
    let refusal = SlurmFailure(
      refusing: SlurmCommandError(
        command: "sbatch", status: 1,
        message: "sbatch: error: invalid partition specified"))
    await #expect(throws: refusal) { try await executor.packs.submitAgain(pack) }
    #expect(refusal.kind == .machine)
  }

  /// It has no node with 9 GiB.
  private static let refusing = """
    #!/bin/sh
    echo "$*" >> "$0.asked"
    case "$*" in *--mem=9216M*)
      echo 'sbatch: error: Requested node configuration is not available' >&2
      exit 1 ;;
    esac

    """
}
