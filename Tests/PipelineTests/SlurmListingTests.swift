import Foundation
import Logging
import TestSupport
import Testing

@testable import Pipeline

/// What is read of Slurm's commands. The texts are as Slurm 22.05 and 24.05 print them, but for fields that
/// are not read.
@Suite struct SlurmListingTests {
  private func jobs(_ rows: String, errors: String = "") throws -> [String: SlurmJob] {
    try SlurmQueueListing.jobs(
      Data(#"{"meta": {}, "errors": [\#(errors)], "jobs": [\#(rows)]}"#.utf8))
  }

  @Test func statesOfOldAndNewVersions() throws {
    let found = try jobs(
      """
      {"job_id": 1, "name": "a", "job_state": "RUNNING", "state_reason": "None",
       "state_description": "", "nodes": "w1", "submit_time": 10},
      {"job_id": 2, "name": "b", "job_state": ["COMPLETED", "COMPLETING"], "state_reason": "None",
       "nodes": "w2", "submit_time": {"set": true, "infinite": false, "number": 20}},
      {"job_id": 3, "name": "c", "job_state": ["OUT_OF_MEMORY"], "state_reason": "OutOfMemory",
       "nodes": "", "submit_time": {"set": true, "infinite": false, "number": 30}}
      """)
    #expect(found["a"]?.state == "RUNNING" && found["a"]?.nodes == "w1")
    #expect(found["a"]?.reason == nil && found["a"]?.isActive == true)
    #expect(found["b"]?.isActive == true && found["b"]?.submitted == 20)
    #expect(found["c"]?.isActive == false && found["c"]?.state == "OUT_OF_MEMORY")
  }

  /// Up to 22.05, in 23.02, and from 23.11 on.
  @Test(
    arguments: [
      ("18944", SlurmExit.status(74)), ("9", .signal(9)), ("4021", .signal(53)),
      (#"{"status": "ERROR", "return_code": 74}"#, .status(74)),
      (#"{"return_code": 0, "signal": {"signal_id": 9, "name": "Killed"}}"#, .signal(9)),
      (
        #"{"return_code": {"set": true, "number": 74}, "signal": {"id": {"set": false, "number": 0}}}"#,
        .status(74)
      ),
      (
        #"{"return_code": {"set": true, "number": 0}, "signal": {"id": {"set": true, "number": 15}}}"#,
        .signal(15)
      ),
    ])
  func howAProgramEnded(text: String, exit: SlurmExit) throws {
    let found = try jobs(
      """
      {"job_id": 7, "name": "a", "job_state": "FAILED", "nodes": "w1", "submit_time": 1,
       "partition": "batch", "exit_code": \(text)}
      """)
    #expect(found["a"]?.exit == exit)
    #expect(found["a"]?.number == 7 && found["a"]?.partition == "batch")
  }

  /// As the controller's script keeps it, for the states that a real one gave it.
  @Test func howAKeptJobEnded() throws {
    func job(_ changes: [String: String?] = [:]) -> SlurmJob? {
      var values: [String: String?] = [
        "name": "segmentd-ab-2-cd-1", "id": "2", "state": "FAILED", "exit": "74:0", "node": "w2",
        "partition": "batch", "submitted": "1795800892", "ended": "1795800895",
      ]
      values.merge(changes) { $1 }
      return SlurmEndedJobs.job(
        values.compactMap { key, value in value.map { "\(key)=\($0)\n" } }.joined())
    }
    let failed = try #require(job())
    #expect(failed.state == "FAILED" && failed.exit == .status(74) && failed.nodes == "w2")
    #expect(failed.number == 2 && failed.submitted == 1_795_800_892 && !failed.isActive)
    #expect(job(["exit": "0:9"])?.exit == .signal(9))
    #expect(job(["node": "(null)"])?.nodes == "" && job(["exit": "x"])?.exit == nil)
    // Of a script that cannot tell whose it is the name counts.
    #expect(job(["user": "\(getuid())"]) == failed && job(["user": ""]) == failed)
    #expect(job(["user": "\(getuid() + 1)"]) == nil)
    // It was put back, or is not complete.
    #expect(job(["state": "PENDING"]) == nil && job(["ended": String?.none]) == nil)
    #expect(job(["name": String?.none]) == nil && SlurmEndedJobs.job("") == nil)
  }

  /// Only what is named as a job of segmentd, and what cannot lead elsewhere.
  @Test(
    arguments: [
      ("segmentd-ab-2-cd-1", "FAILED", true), ("segmentd-ab-pack-cd", "TIMEOUT", true),
      ("segmentd-ab-2-cd-1", "PENDING", false), ("other", "FAILED", false),
      ("segmentd-../x", "FAILED", false), ("segmentd-a b", "FAILED", false),
    ])
  func theControllersScriptKeepsEnds(name: String, state: String, isKept: Bool) async throws {
    let folder = try TemporaryFolder()
    let kept = try await keep(name, state, of: getuid(), in: folder)
    let job = SlurmEndedJobs(folder: kept).job(named: name)
    #expect((job != nil) == isKept && (job == nil || job?.exit == .signal(15)))
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: kept.path)
        == (isKept ? ["\(name).17"] : []))
  }

  /// Anyone in a cluster may give a job the name of one of ours: neither how it is nor how it ended is taken for ours.
  @Test func aJobOfAnotherUserIsNotOurs() async throws {
    let folder = try TemporaryFolder()
    let kept = try await keep("segmentd-ab-2-cd-1", "FAILED", of: getuid() + 1, in: folder)
    #expect(try FileManager.default.contentsOfDirectory(atPath: kept.path).count == 1)
    #expect(SlurmEndedJobs(folder: kept).job(named: "segmentd-ab-2-cd-1") == nil)
    func row(_ state: String, _ user: Int) -> String {
      #"{"name": "a", "job_state": "\#(state)", "user_id": \#(user), "submit_time": 1}"#
    }
    let all = Data(#"{"jobs": [\#(row("FAILED", 7)), \#(row("RUNNING", 8))]}"#.utf8)
    #expect(try SlurmQueueListing.jobs(all, of: 7)["a"]?.state == "FAILED")
    #expect(try SlurmQueueListing.jobs(all, of: 9).isEmpty)
    // doctor may be another user's.
    #expect(try SlurmQueueListing.jobs(all)["a"]?.state == "RUNNING")
  }

  /// Runs the script that is shipped, as Slurm's controller does.
  ///
  /// - Returns: the folder that it keeps ends in.
  private func keep(
    _ name: String, _ state: String, of user: uid_t, in folder: TemporaryFolder
  ) async throws -> URL {
    let shipped = TestFiles.package.appendingPathComponent("Config/slurm/segmentd-jobcomp")
    let text = try String(contentsOf: shipped, encoding: .utf8)
    let line = "folder=/shared/segmentd-ended\n"
    #expect(text.contains(line))
    let script = folder.url.appendingPathComponent("script")
    let kept = folder.url.appendingPathComponent("ended", isDirectory: true)
    try FileManager.default.createDirectory(at: kept, withIntermediateDirectories: true)
    try text.replacing(line, with: "folder=\(kept.path)\n")
      .write(to: script, atomically: true, encoding: .utf8)
    let result = try await runProcess(
      "/usr/bin/env",
      [
        "-i", "JOBNAME=\(name)", "JOBID=17", "JOBSTATE=\(state)", "EXITCODE=0:15", "NODES=w1",
        "UID=\(user)",
        "PARTITION=batch", "SUBMIT=5", "END=6", "PATH=/usr/bin:/bin", "/bin/sh", script.path,
      ])
    #expect(result.status == 0, "\(result.output)")
    return kept
  }

  @Test func whetherTheControllerKeepsEndsIsTold() throws {
    let folder = try TemporaryFolder()
    let path = folder.url.path
    let script = "JobCompLoc              = /etc/x\nJobCompType             = jobcomp/script\n"
    #expect(SlurmFindings.endedJobs(path, settings: script).level == .good)
    let none = SlurmFindings.endedJobs(path, settings: "JobCompType             = jobcomp/none\n")
    #expect(none.level == .warning && none.text.contains("jobcomp/none"))
    #expect(SlurmFindings.endedJobs(path + "/x", settings: script).level == .warning)
  }

  @Test func theLogTellsWhatTheStatusDoesNot() {
    func cause(_ exit: SlurmExit?, _ log: String) -> SlurmLog.Cause {
      SlurmLog.Cause(
        SlurmJob(
          name: "a", state: "FAILED", reason: nil, nodes: "w1", submitted: 1, exit: exit),
        SlurmLog(log))
    }
    #expect(cause(nil, "x\nstopped: after 3 of 8 patches\n") == .stopped)
    let fault = "no space left on device: /shared/x"
    #expect(cause(nil, "x\nfault of this machine: \(fault)\n") == .machine(fault))
    #expect(cause(.status(74), "") == .machine("it logged nothing"))
    #expect(cause(.status(1), "Illegal") == .program && cause(.signal(11), "") == .program)
    #expect(cause(.signal(9), "") == .outside(9))
  }

  /// The one that runs, before what waits for it and what has ended.
  @Test func ofOneNameThatWhichRunsCounts() throws {
    func row(_ state: String, _ time: Int) -> String {
      #"{"name": "a", "job_state": "\#(state)", "nodes": "", "submit_time": \#(time)}"#
    }
    let all = [row("RUNNING", 2), row("PENDING", 3), row("FAILED", 4), row("CANCELLED", 1)]
    #expect(try jobs(all.joined(separator: ","))["a"]?.state == "RUNNING")
    #expect(try jobs(all.reversed().joined(separator: ","))["a"]?.state == "RUNNING")
    #expect(try jobs(all.dropFirst().joined(separator: ","))["a"]?.state == "PENDING")
    #expect(try jobs(all.suffix(2).joined(separator: ","))["a"]?.state == "FAILED")
    // Of one second: the first was refused, and the next one taken.
    let refused = #"{"name": "a", "job_state": "FAILED", "submit_time": 1, "job_id": 2}"#
    let taken = #"{"name": "a", "job_state": "TIMEOUT", "submit_time": 1, "job_id": 3}"#
    #expect(try jobs("\(refused), \(taken)")["a"]?.state == "TIMEOUT")
    #expect(try jobs("\(taken), \(refused)")["a"]?.state == "TIMEOUT")
  }

  /// With status 0, and with no jobs, as 22.05 does without its controller.
  @Test func anErrorIsNoEmptyList() {
    #expect(throws: SlurmCommandError.self) {
      try jobs(
        "", errors: #"{"description": "slurm_load_jobs", "error_number": 1, "error": "no contact"}"#
      )
    }
    #expect(throws: SlurmCommandError.self) { try SlurmQueueListing.jobs(Data("no JSON".utf8)) }
  }

  /// As the commands of Slurm 22.05 and munge say it.
  @Test(arguments: [
    ("Rewound credential", "chronyc makestep"), ("Expired credential", "chronyc makestep"),
    ("slurm_load_jobs error: Zero Bytes were transmitted or received", "munge.key"),
    ("Protocol authentication error", "munge.key"),
    ("Unable to contact slurm controller (connect failure)", "scontrol ping"),
  ]) func whyTheControllerDoesNotAnswerIsTold(words: String, command: String) {
    let finding = SlurmFindings.silence(
      SlurmCommandError(command: "squeue", status: 1, message: words))
    #expect(finding.level == .fault && finding.text.contains(words))
    #expect(finding.advice?.contains(command) == true, "\(finding.advice ?? "")")
  }

  @Test func whatNeedsAHandIsNamedWithItsCommand() {
    let nodes = SlurmFindings.nodes(
      "w1|drained|Duplicate jobid|batch\nw1|drained|Duplicate jobid|urgent\nw2|idle|none|batch\n"
        + "w3|down*|Not responding|batch\n")
    #expect(nodes.map(\.level) == [.fault, .warning, .good])
    #expect(nodes[0].advice == "scontrol update nodename=w1 state=resume")
    #expect(nodes[2].text.contains("1 of 3 nodes"))
    let held = SlurmFindings.held([
      SlurmJob(
        name: "segmentd-1-2-3-1", state: "PENDING", reason: "launch failed requeued held",
        nodes: "", submitted: 1),
      SlurmJob(name: "else", state: "REQUEUE_HOLD", reason: nil, nodes: "", submitted: 1),
      SlurmJob(
        name: "segmentd-1-2-3-2", state: "PENDING", reason: "Resources", nodes: "", submitted: 1),
    ])
    #expect(held.map(\.advice) == ["scontrol release jobname=segmentd-1-2-3-1"])
  }

  @Test func theSharedFolderIsNotMountedSoft() throws {
    let folder = try TemporaryFolder()
    chmod(folder.url.path, 0o700)
    let path = folder.url.resolvingSymlinksInPath().path
    func finding(_ line: String) -> Finding {
      SlurmFindings.folder(path, mounts: "/dev/vda / ext4 rw,relatime 0 0\n\(line)\n")
    }
    let soft = finding("fs:/a \(path) nfs4 rw,soft,timeo=600,vers=4.2 0 0")
    #expect(soft.level == .warning && soft.advice?.contains("hard") == true)
    let hard = finding("fs:/a \(path) nfs4 rw,hard,vers=4.2 0 0")
    #expect(hard == .good("Slurm's folder", "\(path) (nfs4)"))
    #expect(finding("fs:/a \(path)x nfs4 rw,soft 0 0").text == "\(path) (ext4)")
    // The last one at a place is seen.
    #expect(finding("a \(path) nfs soft 0 0\nb \(path) xfs rw 0 0").text == "\(path) (xfs)")
    chmod(folder.url.path, 0o750)
    #expect(finding("").level == .warning)
  }

  /// The daemon asks every two seconds, for years.
  @Test func noDescriptorIsLeftOpen() async throws {
    func count() throws -> Int {
      // Of this test alone: others run beside it.
      try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)"))?
          .hasPrefix("pipe:") == true
      }
    }
    let commands = SlurmCommands(folder: nil)
    let before = try count()
    for _ in 0..<200 { _ = try await commands.run("true", []) }
    #expect(try count() - before < 200)
  }

  /// Also where the answer takes longer than there is between two questions.
  @Test func anAnswerIsTakenHoweverLongItTook() async throws {
    let folder = try TemporaryFolder()
    let file = folder.url.appendingPathComponent("squeue").path
    try "#!/bin/sh\necho . >> \"$0.asked\"\nsleep 0.3\necho '{\"jobs\": []}'\n"
      .write(toFile: file, atomically: true, encoding: .utf8)
    chmod(file, 0o700)
    let cluster = SlurmCluster(
      SlurmCommands(folder: folder.url.path), interval: .milliseconds(1),
      logger: Logger(label: "test"))
    let now = ContinuousClock.now
    let answers = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<20 { group.addTask { try await cluster.jobs(since: now).count } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(answers == Array(repeating: 0, count: 20))
    let asked = try String(contentsOfFile: "\(file).asked", encoding: .utf8)
    #expect(asked.split(separator: "\n").count < 20)
  }

  @Test func aCommandThatIsMissingOrFailsIsNamed() async throws {
    let folder = try TemporaryFolder()
    let commands = SlurmCommands(folder: folder.url.path)
    await #expect(throws: SlurmCommandError.self) { try await commands.run("squeue", []) }
    let file = folder.url.appendingPathComponent("squeue").path
    // Its arguments are not read by a shell.
    try "#!/bin/sh\n[ \"$1\" = '$(exit 9)' ] || exit 3\necho ok\necho clock rewound >&2\nexit 7\n"
      .write(toFile: file, atomically: true, encoding: .utf8)
    chmod(file, 0o700)
    await #expect(
      throws: SlurmCommandError(command: "squeue", status: 7, message: "clock rewound")
    ) { try await commands.run("squeue", ["$(exit 9)"]) }
  }
}
