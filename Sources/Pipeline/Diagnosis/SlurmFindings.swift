import ConfigurationFile
import FileSystem
import Foundation
import SeriesProcessing

extension Diagnosis {
  /// The cluster, where it computes jobs. Nothing is submitted.
  func slurmFindings() async -> [Finding] {
    guard let slurm = configuration.slurm, configuration.inference.executor == .slurm else {
      return []
    }
    let commands = SlurmCommands(folder: slurm.commands)
    var findings = [SlurmFindings.folder(slurm.folder)]
    if slurm.sameProgram, let build = try? ProgramBuild.own() {
      findings.append(.good("the nodes' segmentd", "has to be this build, \(build)"))
    }
    let missing = ["sbatch", "squeue", "scancel", "scontrol", "sinfo"]
      .filter { commands.file($0) == nil }
    guard missing.isEmpty else {
      findings.append(
        .fault(
          "Slurm", "\(missing.joined(separator: ", ")) cannot be run",
          "install slurm-client, or name the folder of the commands in slurm.commands"))
      return findings
    }
    do {
      findings += SlurmFindings.excluded(exclusions(slurm), at: Date())
      let nodes = try await commands.run(
        "sinfo", ["--noheader", "--Node", "--format=%N|%T|%E|%P"])
      findings += SlurmFindings.nodes(String(decoding: nodes, as: UTF8.self))
      let jobs = try SlurmQueueListing.jobs(
        try await commands.run("squeue", ["--json", "--states=all"]))
      findings += SlurmFindings.held(jobs.values.sorted { $0.name < $1.name })
      if let folder = slurm.endedJobs {
        let settings = try await commands.run("scontrol", ["show", "config"])
        findings.append(
          SlurmFindings.endedJobs(folder, settings: String(decoding: settings, as: UTF8.self)))
      }
    } catch {
      findings.append(SlurmFindings.silence(error))
    }
    return findings
  }
}

extension Diagnosis {
  /// Nodes that the daemon gives no jobs.
  private func exclusions(_ slurm: SiteConfiguration.Slurm) -> [(SlurmExclusion, file: URL)] {
    guard let ledger = SlurmJobFolders.knownLedger(of: state) else { return [] }
    let folder = URL(fileURLWithPath: slurm.folder, isDirectory: true)
    return SlurmExclusion.all(of: ledger, in: folder).map {
      ($0, SlurmExclusion.file(of: $0.node, ledger: ledger, in: folder))
    }
  }
}

/// What is wrong with a cluster, from what its commands print.
enum SlurmFindings {
  /// - Parameters:
  ///   - path: of the folder that is shared with the nodes.
  ///   - mounts: as `MountPoint` takes them.
  static func folder(_ path: String, mounts: String? = nil) -> Finding {
    let subject = "Slurm's folder"
    guard let status = FileStatus(path), status.isFolder, access(path, W_OK | X_OK) == 0 else {
      return .fault(
        subject, "\(path) cannot be written by this user",
        "mount it, and make the daemon's user its owner, with the same UID on the nodes"
      )
    }
    guard status.mode & 0o077 == 0 else {
      return .warning(subject, "\(path) is open to others", "chmod 700: it contains patient data")
    }
    let place = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    guard let mount = MountPoint(of: place, in: mounts) else { return .good(subject, path) }
    guard !mount.isNetwork || !mount.options.contains("soft") else {
      return .warning(
        subject,
        "\(path) is on \(mount.kind), mounted soft: writing fails while its server is down",
        "mount it with the option hard, here and on the nodes")
    }
    return .good(subject, "\(path) (\(mount.kind))")
  }

  /// Whether the controller keeps how jobs ended where this machine finds it.
  ///
  /// - Parameters:
  ///   - path: of the folder.
  ///   - settings: what `scontrol show config` prints.
  static func endedJobs(_ path: String, settings: String) -> Finding {
    let subject = "ends of Slurm's jobs"
    guard FileStatus(path)?.isFolder == true, access(path, R_OK | X_OK) == 0 else {
      return .warning(
        subject, "\(path) cannot be read by this user",
        "create the folder of slurm.endedJobs, owned by Slurm's user and a group that the daemon's user is in, "
          + "with mode 2770")
    }
    let kind = settings.split(separator: "\n").first { $0.hasPrefix("JobCompType") }
      .flatMap { $0.split(separator: "=").last }
      .map { $0.trimmingCharacters(in: .whitespaces) }
    guard kind == "jobcomp/script" else {
      return .warning(
        subject, "Slurm keeps no records: its JobCompType is \(kind ?? "not known")",
        "in slurm.conf: JobCompType=jobcomp/script and JobCompLoc=, the path of segmentd-jobcomp")
    }
    return .good(subject, path)
  }

  /// - Parameter listing: lines of `name|state|reason|partition`.
  static func nodes(_ listing: String) -> [Finding] {
    var seen: Set<String> = []
    let nodes = listing.split(separator: "\n").compactMap { line -> (String, String, String)? in
      let fields = line.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
      guard fields.count >= 3, seen.insert(fields[0]).inserted else { return nil }
      return (fields[0], fields[1], fields[2])
    }
    let faults = nodes.compactMap { name, state, reason -> Finding? in
      let isDrained = state.hasPrefix("drain")
      guard isDrained || state.hasPrefix("down") || state.hasSuffix("*") else { return nil }
      let subject = "node \(name)"
      let text = "\(state)\(reason.isEmpty || reason == "none" ? "" : ", \(reason)")"
      if isDrained, reason.lowercased().contains("duplicate jobid") {
        return .fault(
          subject, "\(text): slurmctld had forgotten a job that it had started",
          "scontrol update nodename=\(name) state=resume")
      }
      if isDrained {
        return .warning(
          subject, text,
          "fix what the reason says, then: scontrol update nodename=\(name) state=resume")
      }
      return .warning(
        subject, text,
        "start slurmd there; if it runs, its munge key or its clock may be another one than the head's, as munge -n | ssh "
          + "\(name) unmunge tells on the head. The key: scp /etc/munge/munge.key \(name):/etc/munge/, then ssh \(name) systemctl "
          + "restart munge slurmd. The clock: ssh \(name) chronyc makestep")
    }
    guard faults.count < nodes.count || nodes.isEmpty else {
      return faults + [.fault("Slurm", "no node can take a job", "see the nodes above")]
    }
    return faults + [
      .good(
        "Slurm", "the controller answers, \(nodes.count - faults.count) of \(nodes.count) nodes")
    ]
  }

  /// Nodes that failed again and again.
  static func excluded(_ exclusions: [(SlurmExclusion, file: URL)], at time: Date) -> [Finding] {
    exclusions.filter { $0.0.isActive(at: time) }.map { exclusion, file in
      .warning(
        "node \(exclusion.node)", exclusion.text,
        "fix the fault there, then: rm \(file.path)")
    }
  }

  static func held(_ jobs: [SlurmJob]) -> [Finding] {
    jobs.filter { $0.isHeld && $0.name.hasPrefix("segmentd-") }.map { job in
      .fault(
        "Slurm's job \(job.name)", "it is held: \(job.reason ?? job.state)",
        "scontrol release jobname=\(job.name)")
    }
  }

  /// Why the controller does not answer, as far as the words of a command tell.
  static func silence(_ error: any Error) -> Finding {
    let text = "\(error)"
    let words = text.lowercased()
    if ["rewound", "expired credential", "clock"].contains(where: words.contains) {
      return .fault(
        "Slurm", text,
        "this machine and the controller need the same time: chronyc makestep on the one that chronyc tracking says is "
          + "wrong")
    }
    if ["munge", "authentication", "credential", "zero bytes"].contains(where: words.contains) {
      return .fault(
        "Slurm", text,
        "munged runs on this machine and on the controller? Both need the same /etc/munge/munge.key and "
          + "the same time: munge -n | ssh CONTROLLER unmunge")
    }
    return .fault(
      "Slurm", text,
      "start slurmctld, or repair the network connection to it; jobs wait until it answers: scontrol ping"
    )
  }
}
