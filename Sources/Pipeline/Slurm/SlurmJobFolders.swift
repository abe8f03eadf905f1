import Cryptography
import FileSystem
import Foundation
import Ingest
import SeriesProcessing

/// The folders of this ledger's jobs on the shared file system: `LEDGER-JOB-TOKEN`. Submissions of a job are
/// named `LEDGER-JOB-TOKEN-N` in Slurm; no two jobs, and no two folders of a job, ever share a name.
struct SlurmJobFolders: Sendable {
  let parent: URL
  /// Tells this ledger from others that use the same cluster.
  let ledger: String

  /// - Throws: a `DurableFileError`, or an error of reading, where the file with the ledger's name in the
  ///   cluster cannot be made or read.
  init(_ parent: URL, state: StateDirectory) throws {
    self.parent = parent
    let file = Self.nameFile(state)
    if FileStatus(file.path) == nil {
      let name = "segmentd-" + Self.token()
      try DurableFile.write(to: file.path) { temporary in
        try Data(name.utf8).write(to: URL(fileURLWithPath: temporary))
      }
    }
    ledger = try TextFile.read(file.path).trimmingCharacters(in: .whitespacesAndNewlines)
  }

  private static func nameFile(_ state: StateDirectory) -> URL {
    state.url.appendingPathComponent("cluster")
  }

  /// Whether a job of the ledger was ever a cluster's.
  static func areKnown(_ state: StateDirectory) -> Bool {
    FileStatus(nameFile(state).path) != nil
  }

  /// What a ledger is called in a cluster; nil where it has no name there yet.
  static func knownLedger(of state: StateDirectory) -> String? {
    (try? TextFile.read(nameFile(state).path))?
      .trimmingCharacters(in: .whitespacesAndNewlines)
  }

  func name(of job: Int64) -> String { "\(ledger)-\(job)-\(Self.token())" }

  /// Of a job of Slurm that computes several of ours.
  func nameOfPack() -> String { "\(ledger)-pack-\(Self.token())" }

  func log(ofPack name: String) -> URL { parent.appendingPathComponent("\(name).log") }

  /// Removes the logs of packs of which no job is left, and what is kept of the ends of jobs that have no folder any more.
  func removeNotes(endedJobs: SlurmEndedJobs?) {
    var (names, packs): (Set<String>, Set<String>) = ([], [])
    for (_, folder) in all() {
      guard let submission = try? folder.submission() else { continue }
      names.insert(folder.name(submission))
      if let pack = submission.pack { packs.insert(pack) }
    }
    removeLogs(ofPacksBut: packs)
    endedJobs?.remove(of: ledger, but: names)
  }

  private func removeLogs(ofPacksBut names: Set<String>) {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: parent.path)) ?? []
    for file in files where file.hasPrefix("\(ledger)-pack-") && file.hasSuffix(".log") {
      guard !names.contains(String(file.dropLast(4))) else { continue }
      unlink(parent.appendingPathComponent(file).path)
    }
  }

  /// The folders that there are, with the numbers of their jobs.
  func all() -> [(job: Int64, folder: JobFolder)] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: parent.path)) ?? []
    return names.sorted().compactMap { name in
      // One that was not finished has a point before its name.
      let whole = name.hasPrefix(".") ? String(name.dropFirst()) : name
      guard whole.hasPrefix(ledger + "-"),
        let job = whole.dropFirst(ledger.count + 1).split(separator: "-").first.flatMap({
          Int64($0)
        })
      else { return nil }
      return (job, JobFolder(parent.appendingPathComponent(name, isDirectory: true)))
    }
  }

  private static func token() -> String {
    String(UInt32.random(in: .min ... .max), radix: 16)
  }
}

extension JobFolder {
  /// Its name, which is the job's.
  var name: String { url.lastPathComponent }

  /// The name of a submission in Slurm: its own, or that of the pack that it is in.
  func name(_ submission: JobSubmission) -> String {
    submission.pack ?? ledgerName(submission.number)
  }

  /// What the ledger calls a submission: no other one, of whatever job, ever has the name.
  func ledgerName(_ number: Int) -> String { "\(name)-\(number)" }

  /// The number of a submission that the ledger has recorded; nil where it is not of this folder.
  func number(recordedAs submission: String?) -> Int? {
    guard let submission, submission.hasPrefix("\(name)-") else { return nil }
    return Int(submission.dropFirst(name.count + 1))
  }

  /// What a submission logs.
  func log(_ submission: JobSubmission) -> URL {
    submission.pack.map { url.deletingLastPathComponent().appendingPathComponent("\($0).log") }
      ?? url.appendingPathComponent("log.\(submission.number)")
  }
}
