import FileSystem
import Foundation
import GeometryGate
import Ingest
import JobLedger
import Logging
import SeriesProcessing
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
      esac
    done
    while case $1 in --*) true ;; *) false ;; esac do shift; done
    echo "$name $memory $minutes" >> calls
    state=$(head -n 1 states)
    sed -i 1d states
    case $state in
    FORGOTTEN) exit 0 ;;
    REFUSED) echo "sbatch: error: invalid partition specified" >&2; exit 1 ;;
    COMPLETED) sh "$@" > /dev/null 2>&1 ;;
    esac
    echo "{\\"name\\": \\"$name\\", \\"job_state\\": \\"$state\\", \\"submit_time\\": $(wc -l < calls)}" > "jobs/$name"

    """

  private static let squeue = """
    #!/bin/sh
    cd "$(dirname "$0")"
    echo "{\\"errors\\": [], \\"jobs\\": [$(cat jobs/* 2>/dev/null | paste -s -d ,)]}"

    """

  init() async throws {
    small = try await SmallJob()
    commands = small.folder.url.appendingPathComponent("commands")
    try FileManager.default.createDirectory(
      at: commands.appendingPathComponent("jobs"), withIntermediateDirectories: true)
    for (name, text) in [
      ("sbatch", Self.sbatch), ("squeue", Self.squeue), ("scancel", "#!/bin/sh\n"),
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
    let executor = SlurmExecutor(
      settings: settings, folders: try SlurmJobFolders(folder, state: small.state),
      cluster: SlurmCluster(
        SlurmCommands(folder: commands.path), interval: .milliseconds(20), logger: logger),
      processor: SeriesProcessor(
        geometry: GeometryRules(), installation: "TEST", memory: MemoryBudget(limit: nil)),
      bundles: ModelBundles(ModelLibrary(directories: [models], threads: 1)), logger: logger,
      sweep: SlurmSweep())
    #expect(try await small.runner(executor).runNext(id: small.id) { _ in })
    let job = try #require(try small.ledger.jobs().first)
    let calls = try String(
      contentsOf: commands.appendingPathComponent("calls"), encoding: .utf8)
    let submissions = calls.split(separator: "\n").map { line in
      let words = line.split(separator: " ").map(String.init)
      return [String(words[0].split(separator: "-").last ?? "")] + words.dropFirst()
    }
    return (job, submissions)
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
}
