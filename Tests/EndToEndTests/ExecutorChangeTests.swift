import Foundation
import JobLedger
import TestSupport
import Testing

/// A job that the daemon begins, a cluster's node continues and the daemon ends, as its configuration is changed in
/// between. The cluster's commands are stand-ins that keep a job waiting; the node is `segmentd work`.
@Suite(.limitedConcurrency) struct ExecutorChangeTests {
  private let place: TemporaryFolder
  private let setup: DaemonSetup
  private let models = TestFiles.fixtures.appendingPathComponent("models").path

  private static let commands = [
    "sbatch": """
    #!/bin/sh
    cd "$(dirname "$0")"
    for word; do case $word in --job-name=*) echo "${word#*=}" > waiting ;; esac done
    echo 17

    """,
    "squeue": """
    #!/bin/sh
    cd "$(dirname "$0")"
    [ ! -f waiting ] || job="{\\"name\\": \\"$(cat waiting)\\", \\"job_state\\": \\"PENDING\\",
      \\"submit_time\\": 1, \\"job_id\\": 17, \\"partition\\": \\"batch\\",
      \\"nodes\\": \\"\\", \\"exit_code\\": 0}"
    echo "{\\"errors\\": [], \\"jobs\\": [$job]}"

    """,
    "scancel": """
    #!/bin/sh
    cd "$(dirname "$0")"
    echo "$@" >> cancelled
    rm -f waiting

    """,
  ]

  private var commands: URL { place.url.appendingPathComponent("commands") }
  private var shared: URL { place.url.appendingPathComponent("shared") }

  init() throws {
    place = try TemporaryFolder()
    for name in ["commands", "shared"] {
      try FileManager.default.createDirectory(
        at: place.url.appendingPathComponent(name), withIntermediateDirectories: false,
        attributes: [.posixPermissions: 0o700])
    }
    for (name, text) in Self.commands {
      let file = place.url.appendingPathComponent("commands/\(name)")
      try text.write(to: file, atomically: true, encoding: .utf8)
      chmod(file.path, 0o700)
    }
    setup = try DaemonSetup(
      more: """
        inference: {executor: local, checkpointSeconds: 0.001}
        slurm:
          folder: \(place.url.path)/shared
          commands: \(place.url.path)/commands
          program: \(segmentdBinary)
          models: \(models)
        """, hasDestination: false)
  }

  private func compute(by executor: String, insteadOf other: String) throws {
    try String(contentsOfFile: setup.configuration, encoding: .utf8)
      .replacingOccurrences(of: "executor: \(other)", with: "executor: \(executor)")
      .write(toFile: setup.configuration, atomically: true, encoding: .utf8)
  }

  private func exists(_ file: URL) -> Bool { FileManager.default.fileExists(atPath: file.path) }

  private func jobFolders() throws -> [URL] {
    try FileManager.default.contentsOfDirectory(at: shared, includingPropertiesForKeys: nil)
      .filter { $0.lastPathComponent.hasPrefix("segmentd-") }
  }

  /// What `run` makes of the series.
  private func expected(_ series: URL) async throws -> Data {
    let output = place.url.appendingPathComponent("run")
    let result = try await segmentd(
      "run", "--models", models, "--model", "untrained-tiny", "--threads", "1", "--output",
      output.path, series.path)
    #expect(result.status == 0, "\(result.output)")
    let made = try #require(
      try FileManager.default.contentsOfDirectory(at: output, includingPropertiesForKeys: nil)
        .first)
    return try Data(contentsOf: made.appendingPathComponent("segmentation.dcm"))
  }

  /// After how many patches a text says that a job resumed; nil where it does not.
  private func resumption(_ text: String) -> Int? {
    text.firstMatch(of: /resumes from its checkpoint, after (\d+) of \d+ patches/)
      .flatMap { Int($0.1) }
  }

  @Test func theCheckpointGoesToTheClusterAndBack() async throws {
    let series = place.url.appendingPathComponent("series")
    try await makeSeries(at: series, "--slices", "60", "--size", "160")
    let here = setup.state.appendingPathComponent("checkpoints/1/volume.prediction")
    let gate = try await JobGate(setup, at: .second)
    var daemon = try await setup.start(environment: gate.environment)
    #expect(try await setup.send(series).status == 0)
    try await gate.job()
    // The job stays in the middle of its work, and would not end.
    try await daemon.end(SIGKILL)
    try #require(exists(here))

    try compute(by: "slurm", insteadOf: "local")
    daemon = try await setup.start()
    try await waitUntil("the submission") { exists(commands.appendingPathComponent("waiting")) }
    let folder = try #require(try jobFolders().first)
    #expect(exists(folder.appendingPathComponent("checkpoint/volume.prediction")))
    #expect(!exists(here))
    #expect(try await daemon.end() == 0)

    let work = try await segmentd("work", "--models", models, folder.path)
    #expect(work.status == 0, "\(work.output)")
    let kept = try #require(resumption(work.output), "\(work.output)")
    #expect(kept > 0)
    let wanted = try await expected(series)
    #expect(
      try Data(contentsOf: folder.appendingPathComponent("result.1/segmentation.dcm")) == wanted)

    try compute(by: "local", insteadOf: "slurm")
    daemon = try await setup.start()
    let job = try #require(try await setup.endedJobs().first)
    #expect(job.state == "completed", "\(job.reason ?? "")")
    #expect(daemon.output.contains("was a cluster's: it resumes here"), "\(daemon.output)")
    let path = try #require(job.segmentations.first).path
    #expect(try Data(contentsOf: setup.state.appendingPathComponent(path)) == wanted)
    let ledger = try Ledger(reading: setup.state.appendingPathComponent("ledger.sqlite").path)
    let resumed = try ledger.job(1).events.compactMap { resumption($0.message) }
    #expect(resumed.last ?? 0 >= kept, "\(resumed)")
    #expect(try jobFolders().isEmpty)
    let name = folder.lastPathComponent
    #expect(
      try String(contentsOf: commands.appendingPathComponent("cancelled"), encoding: .utf8)
        .contains("--name=\(name)-1"))
    #expect(try await daemon.end() == 0)
  }
}
