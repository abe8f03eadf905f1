import FileSystem
import Foundation
import Ingest
import JobLedger
import SeriesReading

/// Compares the files of results with the ledger, in both directions, also while jobs run.
struct ResultComparison: Sendable {
  struct Report: Sendable {
    /// How many files were compared.
    var files = 0
    /// Results of which a file is missing or changed, and what is wrong with each file.
    var lost: [(result: RecordedResult, path: String, what: String)] = []
    /// Files that no result has, relative to the state directory.
    var unknown: [(path: String, what: String)] = []
    /// Files of jobs that run, or that an attempt left which the next one replaces.
    var ofAttempts = 0
    /// What is next to the folders of results and has no name of ours.
    var foreign: [String] = []
  }

  let state: StateDirectory
  let ledger: Ledger
  let comparesHashes: Bool
  /// How long a file that no result has may be on its way, as a note that is being written.
  let patience: Duration

  /// - Throws: `LedgerError`, or the error of a file that cannot be read now.
  func run() throws -> Report {
    var report = Report()
    report.foreign = ResultFolders(state: state).foreignItems
    let (unknown, since) = (try unknownFiles(&report), ContinuousClock.now)
    for result in try ledger.recordedResults() {
      for object in result.objects {
        report.files += 1
        guard let what = try fault(object), try ledger.resultPaths().contains(object.path) else {
          continue
        }
        report.lost.append((result, object.path, what))
      }
    }
    // A job may have ended in the meantime, and its files have another name.
    report.unknown = try stillUnknown(unknown)
    let wait = since + patience - .now
    if !report.unknown.isEmpty, wait > .zero {
      usleep(UInt32(clamping: wait.components.seconds * 1_000_000))
      report.unknown = try stillUnknown(report.unknown)
    }
    return report
  }

  private func stillUnknown(_ files: [(path: String, what: String)]) throws -> [(
    path: String, what: String
  )] {
    let known = try ledger.resultPaths()
    return files.filter {
      !known.contains($0.path) && FileStatus(state.file($0.path).path) != nil
    }
  }

  private func fault(_ object: StoredObject) throws -> String? {
    let file = state.file(object.path)
    guard FileStatus(file.path) != nil else {
      let error = SystemError()
      guard error.number == ENOENT || error.number == ENOTDIR else { throw error }
      return "\(file.path) is missing"
    }
    guard comparesHashes, let sha256 = object.sha256 else { return nil }
    return try hexadecimalSHA256(ofFile: file) == sha256
      ? nil : "\(file.path) is not what was proved (SHA-256 differs)"
  }

  private func unknownFiles(_ report: inout Report) throws -> [(path: String, what: String)] {
    let folders = ResultFolders(state: state)
    let purged = Set(try ledger.filesToRemove())
    var unknown: [(path: String, what: String)] = []
    for number in folders.numbers where !purged.contains(folders.folder(number)) {
      let files = folders.files(number)
      // After the files: those of a job that ends now are its result's, or gone.
      let known = try ledger.resultPaths()
      let paths = files.map { "\(folders.folder(number))/\($0)" }.filter { !known.contains($0) }
      let isOfResult = paths.count < files.count
      let left = paths.filter { !(isOfResult && $0.hasSuffix("/\(ResultNote.fileName)")) }
      guard !left.isEmpty else { continue }
      switch try ledger.state(ofJob: number) {
      case .available, .running, .retryable, .held: report.ofAttempts += left.count
      case .completed:
        unknown += left.map { ($0, "\($0) belongs to no result of job \(number)") }
      case .cancelled:
        unknown += left.map { ($0, "\($0) is of job \(number), which was cancelled") }
      case nil:
        unknown += left.map { ($0, "\($0) is of job \(number), which is not in the ledger") }
      }
    }
    return unknown
  }
}
