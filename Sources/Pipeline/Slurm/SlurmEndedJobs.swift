import Foundation

/// How jobs ended that `squeue` tells of no more: what `Config/slurm/segmentd-jobcomp`, which Slurm's controller runs at each
/// end, has kept of them, in a file `NAME.ID` each.
struct SlurmEndedJobs: Sendable {
  /// On a file system that the controller sees.
  let folder: URL

  /// - Parameter name: in Slurm.
  /// - Returns: nil of a job that has not ended, or that nothing was kept of.
  func job(named name: String) -> SlurmJob? {
    files { $0.hasPrefix("\(name).") && !$0.hasSuffix(".part") }.compactMap { file -> SlurmJob? in
      // Of a few hundred bytes; it is whole, as it was renamed.
      guard let data = try? Data(contentsOf: file, options: .uncached), data.count < 1 << 16,
        let job = Self.job(String(decoding: data, as: UTF8.self)), job.name == name
      else { return nil }
      return job
    }.max { ($0.submitted, $0.number ?? 0) < ($1.submitted, $1.number ?? 0) }
  }

  /// Removes what is kept of others, whole or not, as far as this user may.
  ///
  /// - Parameters:
  ///   - ledger: whose jobs are meant.
  ///   - names: of the jobs that what is kept of stays.
  func remove(of ledger: String, but names: Set<String>) {
    for file in files({ $0.hasPrefix("\(ledger)-") }) {
      let name = file.lastPathComponent.split(separator: ".").first.map(String.init) ?? ""
      if !names.contains(name) { unlink(file.path) }
    }
  }

  private func files(_ isMeant: (String) -> Bool) -> [URL] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter(isMeant).map { folder.appendingPathComponent($0) }
  }

  /// - Parameters:
  ///   - text: lines of `key=value`.
  ///   - user: whose jobs are meant, as anyone may give a job the name of another.
  /// - Returns: nil of one that has not ended, as such that is put back, of another user's, and of what is not complete.
  static func job(_ text: String, of user: uid_t = getuid()) -> SlurmJob? {
    let pairs = text.split(separator: "\n").compactMap { line -> (String, String)? in
      let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      return parts.count == 2 ? (String(parts[0]), String(parts[1])) : nil
    }
    let values = Dictionary(pairs, uniquingKeysWith: { $1 })
    guard let name = values["name"], let state = values["state"], !state.isEmpty,
      let submitted = values["submitted"].flatMap({ Int($0) }), values["ended"] != nil
    else { return nil }
    // Where the script could not tell, its name alone counts.
    if let owner = values["user"], !owner.isEmpty, owner != "\(user)" { return nil }
    let nodes = values["node"] ?? ""
    let job = SlurmJob(
      name: name, state: state, reason: nil,
      // Of a job that never began.
      nodes: nodes == "(null)" ? "" : nodes, submitted: submitted,
      number: values["id"].flatMap { Int($0) }, partition: values["partition"],
      exit: values["exit"].flatMap { SlurmExit(text: $0) })
    return job.isActive ? nil : job
  }
}

extension SlurmEndedJobs {
  /// - Parameter folder: as it is configured; nil for none.
  init?(folder: String?) {
    guard let folder else { return nil }
    self.init(folder: URL(fileURLWithPath: folder, isDirectory: true))
  }
}

extension SlurmExit {
  /// "74:0", the status and the signal, as Slurm writes it for people and for scripts.
  init?(text: String) {
    let numbers = text.split(separator: ":").map { Int($0) }
    guard numbers.count == 2, let status = numbers[0], let signal = numbers[1] else { return nil }
    self = signal > 0 ? .signal(signal) : .status(status)
  }
}
