import Foundation
import GeometryGate
import Ingest
import JobLedger
import Logging
import SeriesProcessing
import TestSupport
import Testing

@testable import Pipeline

/// A small job, and a Slurm whose `sbatch` ends at once with the state that is prescribed for each submission, and computes
/// the job where that is COMPLETED.
struct PrescribedSlurm {
  let small: SmallJob
  let commands: URL
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
      --cpus-per-task=*) threads=${word#*=} ;;
      esac
    done
    echo "$excluded" >> excluded
    echo "$threads" >> threads
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
    # There is a job of the name nevertheless, which failed.
    TOO_LARGE) state=FAILED; status=1
      echo "sbatch: error: Requested node configuration is not available" >&2 ;;
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
    exit ${status:-0}

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

  /// Where Slurm's controller keeps how jobs ended; there only where a test makes it.
  var ended: URL { small.folder.url.appendingPathComponent("ended", isDirectory: true) }

  /// That is shared with the nodes.
  var folder: URL { small.folder.url.appendingPathComponent("jobs", isDirectory: true) }

  /// Runs the job while Slurm has its submissions end in these states.
  ///
  /// - Returns: the job as it is then, and what was submitted: number, memory, minutes.
  func run(_ states: [String]) async throws -> (JobSummary, [[String]]) {
    let executor = try executor(states)
    #expect(try await small.runner(executor).runNext(id: small.id) { _ in })
    return (try #require(try small.ledger.jobs().first), try submissions().map(\.asked))
  }

  /// - Parameters:
  ///   - states: of its submissions, one after the other.
  ///   - build: that the nodes' program has to be; nil for any.
  ///   - memory: that is asked for where nothing is known, in bytes.
  ///   - threads: that are asked for where nothing is known; no job takes so long that it is worth more than one.
  func executor(
    _ states: [String], build: String? = nil, memory: Int = 1 << 30, threads: Int = 1
  ) throws -> SlurmExecutor {
    try (states.joined(separator: "\n") + "\n").write(
      to: commands.appendingPathComponent("states"), atomically: true, encoding: .utf8)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let models = TestFiles.fixtures.appendingPathComponent("models")
    var settings = SlurmSettings(
      folder: folder, program: Bundle.main.bundleURL.appendingPathComponent("segmentd").path,
      models: [models.path], threads: threads, memory: memory, minutes: 10)
    settings.threadSeconds = 1e9
    settings.confirmation = .milliseconds(200)
    settings.pause = .milliseconds(20)
    settings.visibility = .milliseconds(200)
    settings.packJobs = 2
    settings.endedJobs = SlurmEndedJobs(folder: ended)
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
      sweep: SlurmSweep(), build: build)
  }

  /// What was submitted: the name, and its number, memory and minutes.
  func submissions() throws -> [(name: String, asked: [String])] {
    let calls = try String(
      contentsOf: commands.appendingPathComponent("calls"), encoding: .utf8)
    return calls.split(separator: "\n").map { line in
      let words = line.split(separator: " ").map(String.init)
      return (
        words[0], [String(words[0].split(separator: "-").last ?? "")] + words.dropFirst()
      )
    }
  }

  /// Of the attempts of the job.
  func outcomes() throws -> [String?] {
    try small.ledger.job(small.id).attempts.map(\.outcome)
  }

  /// The nodes that each submission was kept from.
  func excluded() throws -> [String] {
    try String(contentsOf: commands.appendingPathComponent("excluded"), encoding: .utf8)
      .dropLast().split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  /// The threads that each submission asked for.
  func threads() throws -> [String] {
    try String(contentsOf: commands.appendingPathComponent("threads"), encoding: .utf8)
      .split(separator: "\n").map(String.init)
  }

  func exclusions() throws -> [SlurmExclusion] {
    let ledger = try #require(SlurmJobFolders.knownLedger(of: small.state))
    return SlurmExclusion.all(of: ledger, in: folder)
  }
}
