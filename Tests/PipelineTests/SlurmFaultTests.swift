import Foundation
import Ingest
import JobLedger
import TestSupport
import Testing

@testable import Pipeline

/// Faults of a cluster and of its nodes, and of what they are no fault.
@Suite(.timeLimit(.minutes(20))) struct SlurmFaultTests {
  private let slurm: PrescribedSlurm
  private var small: SmallJob { slurm.small }
  private var folder: URL { slurm.folder }

  init() async throws { slurm = try await PrescribedSlurm() }

  private func run(_ states: String...) async throws -> (JobSummary, [[String]]) {
    try await slurm.run(states)
  }

  /// By its exit status, as `squeue` gives it: 74 of segmentd, 127 of the shell that starts it, 53 of slurmd.
  @Test(arguments: [74 << 8, 127 << 8, 0xF00 | 53])
  func aFaultOfANodeIsNoAttempt(exit: Int) async throws {
    for _ in 0..<4 {
      let (job, _) = try await run("FAILED \(exit)")
      #expect(job.state == "retryable" && job.reason?.contains("on node w1: ") == true)
    }
    #expect(try slurm.outcomes() == Array(repeating: "released", count: 4))
    let (job, submissions) = try await run("COMPLETED")
    #expect(job.state == "completed")
    // The folder, with its checkpoint, was kept.
    #expect(submissions.map { $0[0] } == ["1", "2", "3", "4", "5"])
  }

  @Test func aProgramThatCrashesIsAnAttempt() async throws {
    for _ in 0..<3 { _ = try await run("FAILED \(SIGSEGV)") }
    #expect(try slurm.outcomes() == ["failed", "failed", "failed"])
    #expect(try small.ledger.job(small.id).job.state == "held")
  }

  @Test func aSignalFromOutsideIsNoAttempt() async throws {
    let (job, submissions) = try await run("FAILED \(SIGKILL)", "FAILED \(SIGTERM)", "COMPLETED")
    #expect(job.state == "completed" && submissions.count == 3)
  }

  @Test func aClusterThatLosesEachJobIsNoAttempt() async throws {
    let executor = try slurm.executor(Array(repeating: "NODE_FAIL", count: 6))
    #expect(try await small.runner(executor).runNext(id: small.id) { _ in })
    let job = try small.ledger.job(small.id)
    #expect(job.job.state == "retryable" && job.job.reason?.contains("NODE_FAIL on w1") == true)
    #expect(try slurm.outcomes() == ["released"])
  }

  /// The cluster's configuration may be mended; a job that is too large for it stays so.
  @Test func whatSbatchRefusesIsToldApart() async throws {
    _ = try await run("REFUSED")
    #expect(try slurm.outcomes() == ["released"])
    for words in ["Requested node configuration", "Memory required by task"] {
      let large = SlurmCommandError(
        command: "sbatch", status: 1,
        message: "sbatch: error: Batch job submission failed: \(words) is not available")
      #expect(SlurmFailure(refusing: large).kind == .job, "\(words)")
    }
  }

  /// The shared folder cannot be written: nothing is begun until it can.
  @Test func aSharedFolderThatCannotBeWrittenIsNoAttempt() async throws {
    let executor = try slurm.executor(["COMPLETED"])
    let runner = small.runner(executor)
    let kept = folder.path + ".kept"
    try FileManager.default.moveItem(atPath: folder.path, toPath: kept)
    // Not even root can make folders there.
    try FileManager.default.createSymbolicLink(
      atPath: folder.path, withDestinationPath: "/sys/kernel")
    for _ in 0..<4 { #expect(try await runner.runNext(id: small.id) { _ in }) }
    #expect(try slurm.outcomes() == Array(repeating: "released", count: 4))
    #expect(try small.ledger.job(small.id).job.reason?.contains(folder.path) == true)
    try FileManager.default.removeItem(atPath: folder.path)
    try FileManager.default.moveItem(atPath: kept, toPath: folder.path)
    #expect(try await runner.runNext(id: small.id) { _ in })
    #expect(try small.ledger.job(small.id).job.state == "completed")
  }

  /// For a while, and until somebody removes the file that says so.
  @Test func aNodeThatFailsAgainAndAgainIsGivenNoJobs() async throws {
    let executor = try slurm.executor(
      Array(repeating: "FAILED \(74 << 8)", count: 3) + ["NODE_FAIL", "COMPLETED"])
    let runner = small.runner(executor)
    for _ in 0..<4 { #expect(try await runner.runNext(id: small.id) { _ in }) }
    #expect(try small.ledger.job(small.id).job.state == "completed")
    #expect(try slurm.excluded() == ["", "", "", "w1", "w1"])
    let told = try small.ledger.job(small.id).events.filter { $0.kind == "node excluded" }
    // The failure of the node is the fourth fault: it is excluded for longer.
    #expect(told.count == 2 && told[0].message.hasPrefix("node w1: 3 faults"), "\(told)")
    let exclusion = try #require(try slurm.exclusions().first)
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
    let executor = try slurm.executor(
      Array(repeating: "FAILED \(74 << 8)", count: 4) + ["COMPLETED"])
    try Data().write(to: slurm.commands.appendingPathComponent("alone"))
    let runner = small.runner(executor)
    for _ in 0..<5 { #expect(try await runner.runNext(id: small.id) { _ in }) }
    #expect(try small.ledger.job(small.id).job.state == "completed")
    #expect(try slurm.excluded() == ["", "", "", "", ""] && slurm.exclusions().isEmpty)
  }

  @Test func whatOneNodeRefusesAnotherComputes() async throws {
    let (job, submissions) = try await run("REFUSAL", "OTHER")
    #expect(job.state == "completed", "\(job.reason ?? "")")
    #expect(submissions.map { $0[0] } == ["1", "2"])
    #expect(try slurm.excluded() == ["", "w1"])
    #expect(try small.ledger.job(small.id).attempts.last?.place?.node == "w2")
  }

  /// It is the head's that is another one, or that of all nodes.
  @Test func whatAllNodesRefuseIsHeld() async throws {
    let (job, submissions) = try await run("REFUSAL", "REFUSAL")
    #expect(job.state == "held" && submissions.count == 2)
    #expect(job.reason?.contains("on this node, and") == true, "\(job.reason ?? "")")
    try Data().write(to: slurm.commands.appendingPathComponent("alone"))
    var held = JobSelection()
    held.states = [.held]
    _ = try small.ledger.apply(.retry, to: held)
    let (again, all) = try await run("REFUSAL")
    #expect(again.state == "held" && all.count == 3)
  }
}
