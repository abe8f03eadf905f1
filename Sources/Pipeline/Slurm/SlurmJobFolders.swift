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
    let file = state.url.appendingPathComponent("cluster")
    if FileStatus(file.path) == nil {
      let name = "segmentd-" + Self.token()
      try DurableFile.write(to: file.path) { temporary in
        try Data(name.utf8).write(to: URL(fileURLWithPath: temporary))
      }
    }
    ledger = try TextFile.read(file.path).trimmingCharacters(in: .whitespacesAndNewlines)
  }

  func name(of job: Int64) -> String { "\(ledger)-\(job)-\(Self.token())" }

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

  /// The name of a submission in Slurm.
  func name(_ submission: Int) -> String { "\(name)-\(submission)" }
}
