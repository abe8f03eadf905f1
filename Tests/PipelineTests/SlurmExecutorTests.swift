import FileSystem
import Foundation
import GeometryGate
import Ingest
import JobLedger
import Logging
import SeriesProcessing
import Synchronization
import TestSupport
import Testing

@testable import Pipeline

/// What becomes of a job by the states of Slurm that a cluster does not show when it is asked to; a real one is in
/// EndToEndTests.SlurmTests. `sbatch` ends at once with the state that is prescribed for each submission, and
/// computes the job where that is COMPLETED.
@Suite(.timeLimit(.minutes(20))) struct SlurmExecutorTests {
  private let small: SmallJob
  private let commands: URL
  private let logger = Logger(label: "test")

  private static let sbatch = """
    #!/bin/sh
    cd "$(dirname "$0")"
    for word; do
      case $word in
      --job-name=*) name=${word#*=} ;;
      --mem=*) memory=${word#*=} ;;
      --time=*) minutes=${word#*=} ;;
      --exclude=*) excluded=${word#*=} ;;
      esac
    done
    echo "$excluded" >> excluded
    while case $1 in --*) true ;; *) false ;; esac do shift; done
    echo "$name $memory $minutes" >> calls
    line=$(head -n 1 states)
    sed -i 1d states
    state=${line%% *}
    exit=${line#* }
    [ "$exit" != "$line" ] || exit=0
    case $state in
    FORGOTTEN) exit 0 ;;
    REFUSED) echo "sbatch: error: invalid partition specified" >&2; exit 1 ;;
    COMPLETED) SLURMD_NODENAME=w1 sh "$@" > /dev/null 2>&1 ;;
    # On another node, whose model is the head's.
    OTHER) state=COMPLETED; SLURMD_NODENAME=w2 sh "$@" > /dev/null 2>&1 ;;
    # On one whose model is another one.
    REFUSAL) state=COMPLETED
      cp -r "MODELS" others
      sed -i 's/^version: .*/version: 9.9.9/' others/*/model.yaml
      SLURMD_NODENAME=w1 sh "$@" --models "$PWD/others" > /dev/null 2>&1
      rm -r others ;;
    esac
    printf '{"name": "%s", "job_state": "%s", "submit_time": %s, "job_id": 17, "partition": "batch", ' \\
      "$name" "$state" "$(wc -l < calls)" > "jobs/$name.part"
    printf '"nodes": "w1", "exit_code": %s}\\n' "$exit" >> "jobs/$name.part"
    mv "jobs/$name.part" "jobs/$name"

    """

  /// Two nodes take jobs, or one where there is a file that says so.
  private static let sinfo = """
    #!/bin/sh
    cd "$(dirname "$0")"
    echo "w1|idle"
    [ -e alone ] || echo "w2|idle"
    echo "w3|drained"

    """

  private static let squeue = """
    #!/bin/sh
    cd "$(dirname "$0")"
    echo "{\\"errors\\": [], \\"jobs\\": [$(cat jobs/*[0-9a-f] 2>/dev/null | paste -s -d ,)]}"

    """

  init() async throws {
    small = try await SmallJob()
    commands = small.folder.url.appendingPathComponent("commands")
    try FileManager.default.createDirectory(
      at: commands.appendingPathComponent("jobs"), withIntermediateDirectories: true)
    for (name, text) in [
      (
        "sbatch",
        Self.sbatch.replacing(
          "MODELS", with: TestFiles.fixtures.appendingPathComponent("models").path)
      ), ("squeue", Self.squeue), ("scancel", "#!/bin/sh\n"),
      ("sinfo", Self.sinfo),
    ] {
      let file = commands.appendingPathComponent(name)
      try text.write(to: file, atomically: true, encoding: .utf8)
      chmod(file.path, 0o700)
    }
  }

  private var folder: URL { small.folder.url.appendingPathComponent("jobs", isDirectory: true) }

  /// Runs the job while Slurm has its submissions end in these states.
  ///
  /// - Returns: the job as it is then, and what was submitted: number, memory, minutes.
  private func run(_ states: String...) async throws -> (JobSummary, [[String]]) {
    let executor = try executor(states)
    #expect(try await small.runner(executor).runNext(id: small.id) { _ in })
    return (try #require(try small.ledger.jobs().first), try submissions().map(\.asked))
  }

  /// - Parameter states: of its submissions, one after the other.
  private func executor(_ states: [String]) throws -> SlurmExecutor {
    try (states.joined(separator: "\n") + "\n").write(
      to: commands.appendingPathComponent("states"), atomically: true, encoding: .utf8)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let models = TestFiles.fixtures.appendingPathComponent("models")
    var settings = SlurmSettings(
      folder: folder, program: Bundle.main.bundleURL.appendingPathComponent("segmentd").path,
      models: [models.path], threads: 1, memory: 1 << 30, minutes: 10)
    settings.confirmation = .milliseconds(200)
    settings.pause = .milliseconds(20)
    settings.visibility = .milliseconds(200)
    settings.packJobs = 2
    let folders = try SlurmJobFolders(folder, state: small.state)
    let cluster = SlurmCluster(
      SlurmCommands(folder: commands.path), interval: .milliseconds(20), logger: logger)
    let ledger = small.ledger
    let nodes = SlurmNodes(folders, cluster: cluster, partition: nil, logger: logger) {
      _ = try? ledger.noteExcludedNode($0, job: $1)
    }
    return SlurmExecutor(
      settings: settings, folders: folders, cluster: cluster,
      packs: SlurmPacks(
        settings, cluster: cluster, folders: folders, nodes: nodes, logger: logger),
      nodes: nodes,
      processor: SeriesProcessor(
        geometry: GeometryRules(), installation: "TEST", memory: MemoryBudget(limit: nil)),
      bundles: ModelBundles(ModelLibrary(directories: [models], threads: 1)), logger: logger,
      sweep: SlurmSweep())
  }

  /// What was submitted: the name, and its number, memory and minutes.
  private func submissions() throws -> [(name: String, asked: [String])] {
    let calls = try String(
      contentsOf: commands.appendingPathComponent("calls"), encoding: .utf8)
    return calls.split(separator: "\n").map { line in
      let words = line.split(separator: " ").map(String.init)
      return (
        words[0], [String(words[0].split(separator: "-").last ?? "")] + words.dropFirst()
      )
    }
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
    let executor = try executor(["COMPLETED"])
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
    let slurm = try executor(Array(repeating: "NODE_FAIL", count: 6))
    #expect(try await job.runner(slurm).runNext(id: job.id) { _ in })
    #expect(try job.ledger.jobs().map(\.state) == ["retryable"])
    let folders = try SlurmJobFolders(folder, state: small.state)
    let there = try #require(folders.all().first?.folder.checkpoint)
    #expect(
      FileStatus(there.appendingPathComponent("volume.prediction").path) != nil
        && FileStatus(checkpoint(job).path) == nil)

    let former = FormerSlurmJobs(
      folders: folders, commands: SlurmCommands(folder: commands.path), logger: logger)
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

  private func outcomes() throws -> [String?] {
    try small.ledger.job(small.id).attempts.map(\.outcome)
  }

  /// By its exit status, as `squeue` gives it: 74 of segmentd, 127 of the shell that starts it, 53 of slurmd.
  @Test(arguments: [74 << 8, 127 << 8, 0xF00 | 53])
  func aFaultOfANodeIsNoAttempt(exit: Int) async throws {
    for _ in 0..<4 {
      let (job, _) = try await run("FAILED \(exit)")
      #expect(job.state == "retryable" && job.reason?.contains("on node w1: ") == true)
    }
    #expect(try outcomes() == Array(repeating: "released", count: 4))
    let (job, submissions) = try await run("COMPLETED")
    #expect(job.state == "completed")
    // The folder, with its checkpoint, was kept.
    #expect(submissions.map { $0[0] } == ["1", "2", "3", "4", "5"])
  }

  @Test func aProgramThatCrashesIsAnAttempt() async throws {
    for _ in 0..<3 { _ = try await run("FAILED \(SIGSEGV)") }
    #expect(try outcomes() == ["failed", "failed", "failed"])
    #expect(try small.ledger.job(small.id).job.state == "held")
  }

  @Test func aSignalFromOutsideIsNoAttempt() async throws {
    let (job, submissions) = try await run("FAILED \(SIGKILL)", "FAILED \(SIGTERM)", "COMPLETED")
    #expect(job.state == "completed" && submissions.count == 3)
  }

  @Test func aClusterThatLosesEachJobIsNoAttempt() async throws {
    let executor = try executor(Array(repeating: "NODE_FAIL", count: 6))
    #expect(try await small.runner(executor).runNext(id: small.id) { _ in })
    let job = try small.ledger.job(small.id)
    #expect(job.job.state == "retryable" && job.job.reason?.contains("NODE_FAIL on w1") == true)
    #expect(try outcomes() == ["released"])
  }

  /// The cluster's configuration may be mended; a job that is too large for it stays so.
  @Test func whatSbatchRefusesIsToldApart() async throws {
    _ = try await run("REFUSED")
    #expect(try outcomes() == ["released"])
    let large = SlurmCommandError(
      command: "sbatch", status: 1,
      message: "Batch job submission failed: Requested node configuration is not available")
    #expect(SlurmFailure(refusing: large).kind == .job)
  }

  /// The shared folder cannot be written: nothing is begun until it can.
  @Test func aSharedFolderThatCannotBeWrittenIsNoAttempt() async throws {
    let executor = try executor(["COMPLETED"])
    let runner = small.runner(executor)
    let kept = folder.path + ".kept"
    try FileManager.default.moveItem(atPath: folder.path, toPath: kept)
    // Not even root can make folders there.
    try FileManager.default.createSymbolicLink(
      atPath: folder.path, withDestinationPath: "/sys/kernel")
    for _ in 0..<4 { #expect(try await runner.runNext(id: small.id) { _ in }) }
    #expect(try outcomes() == Array(repeating: "released", count: 4))
    #expect(try small.ledger.job(small.id).job.reason?.contains(folder.path) == true)
    try FileManager.default.removeItem(atPath: folder.path)
    try FileManager.default.moveItem(atPath: kept, toPath: folder.path)
    #expect(try await runner.runNext(id: small.id) { _ in })
    #expect(try small.ledger.job(small.id).job.state == "completed")
  }

  @Test func theLedgerKnowsWhereItWasComputed() async throws {
    let (job, _) = try await run("NODE_FAIL", "COMPLETED")
    #expect(job.place == nil, "it does not run any more")
    let place = try #require(try small.ledger.job(small.id).attempts.last?.place)
    #expect(place.cluster == "Slurm" && place.state == "COMPLETED" && place.node != nil)
    #expect(place.name.hasSuffix("-2"), "\(place)")
  }

  /// The nodes that each submission was kept from.
  private func excluded() throws -> [String] {
    try String(contentsOf: commands.appendingPathComponent("excluded"), encoding: .utf8)
      .dropLast().split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  private func exclusions() throws -> [SlurmExclusion] {
    let ledger = try #require(SlurmJobFolders.knownLedger(of: small.state))
    return SlurmExclusion.all(of: ledger, in: folder)
  }

  /// For a while, and until somebody removes the file that says so.
  @Test func aNodeThatFailsAgainAndAgainIsGivenNoJobs() async throws {
    let executor = try executor(
      Array(repeating: "FAILED \(74 << 8)", count: 3) + ["NODE_FAIL", "COMPLETED"])
    let runner = small.runner(executor)
    for _ in 0..<4 { #expect(try await runner.runNext(id: small.id) { _ in }) }
    #expect(try small.ledger.job(small.id).job.state == "completed")
    #expect(try excluded() == ["", "", "", "w1", "w1"])
    let told = try small.ledger.job(small.id).events.filter { $0.kind == "node excluded" }
    // The failure of the node is the fourth fault: it is excluded for longer.
    #expect(told.count == 2 && told[0].message.hasPrefix("node w1: 3 faults"), "\(told)")
    let exclusion = try #require(try exclusions().first)
    #expect(exclusion.node == "w1" && (exclusion.until - exclusion.since).rounded() == 1200)
    let file = SlurmExclusion.file(
      of: "w1", ledger: try #require(SlurmJobFolders.knownLedger(of: small.state)), in: folder)
    let findings = SlurmFindings.excluded([(exclusion, file: file)], at: Date())
    #expect(findings.map(\.subject) == ["node w1"] && findings[0].level == .warning)
    #expect(findings[0].advice?.hasSuffix("rm \(file.path)") == true)
    #expect(SlurmFindings.excluded([(exclusion, file: file)], at: .distantFuture).isEmpty)
    try FileManager.default.removeItem(at: file)
    #expect(await executor.nodes.excluded().isEmpty)
  }

  /// Else nothing would be computed, where it is the fault of all.
  @Test func theLastNodeIsGivenJobs() async throws {
    let executor = try executor(
      Array(repeating: "FAILED \(74 << 8)", count: 4) + ["COMPLETED"])
    try Data().write(to: commands.appendingPathComponent("alone"))
    let runner = small.runner(executor)
    for _ in 0..<5 { #expect(try await runner.runNext(id: small.id) { _ in }) }
    #expect(try small.ledger.job(small.id).job.state == "completed")
    #expect(try excluded() == ["", "", "", "", ""] && exclusions().isEmpty)
  }

  @Test func whatOneNodeRefusesAnotherComputes() async throws {
    let (job, submissions) = try await run("REFUSAL", "OTHER")
    #expect(job.state == "completed", "\(job.reason ?? "")")
    #expect(submissions.map { $0[0] } == ["1", "2"])
    #expect(try excluded() == ["", "w1"])
    #expect(try small.ledger.job(small.id).attempts.last?.place?.node == "w2")
  }

  /// It is the head's that is another one, or that of all nodes.
  @Test func whatAllNodesRefuseIsHeld() async throws {
    let (job, submissions) = try await run("REFUSAL", "REFUSAL")
    #expect(job.state == "held" && submissions.count == 2)
    #expect(job.reason?.contains("on this node, and") == true, "\(job.reason ?? "")")
    try Data().write(to: commands.appendingPathComponent("alone"))
    var held = JobSelection()
    held.states = [.held]
    _ = try small.ledger.apply(.retry, to: held)
    let (again, all) = try await run("REFUSAL")
    #expect(again.state == "held" && all.count == 3)
  }

  /// Two short jobs are one of Slurm; each has its own result.
  @Test func shortJobsAreSubmittedTogether() async throws {
    _ = try await run("COMPLETED")
    let other = try await SmallJob()
    _ = try await other.addJob(priority: 0)
    let others = [
      try await small.addJob(priority: 0), try await small.addJob(priority: 0, of: other),
    ]
    let executor = try executor(["COMPLETED"])
    let runner = small.runner(executor)
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for id in others { group.addTask { try await runner.runNext(id: id) { _ in } } }
      for try await isDone in group { #expect(isDone) }
    }
    let names = try submissions().map(\.name)
    #expect(names.count == 2 && names.last?.contains("-pack-") == true, "\(names)")
    for id in others {
      let job = try small.ledger.job(id)
      #expect(job.job.state == "completed", "\(job.job.reason ?? "")")
      #expect(job.job.objects.contains { $0.kind == .segmentation })
    }
  }
}
