import FileSystem
import Foundation
import JobLedger
import SeriesReading

/// The folders of results, each named by the number of the job that made it, and the notes in them.
package struct ResultFolders: Sendable {
  private let state: StateDirectory

  package init(state: StateDirectory) { self.state = state }

  /// Of all folders, the smallest first.
  package var numbers: [Int64] {
    let names = try? FileManager.default.contentsOfDirectory(atPath: state.results.path)
    return (names ?? []).compactMap { Int64($0) }.filter { $0 > 0 }.sorted()
  }

  /// What is next to the folders and has no name of ours, relative to the state directory. What begins with a
  /// dot is a file by which the space on the disk is tried.
  package var foreignItems: [String] {
    let names = try? FileManager.default.contentsOfDirectory(atPath: state.results.path)
    return (names ?? []).filter { !$0.hasPrefix(".") && (Int64($0) ?? 0) <= 0 }.sorted()
      .map { "results/\($0)" }
  }

  /// Relative to the state directory.
  package func folder(_ number: Int64) -> String { "results/\(number)" }

  /// Names of the files in a folder; empty where there is none.
  package func files(_ number: Int64) -> [String] {
    let path = state.file(folder(number)).path
    return ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
  }

  /// Removes what a process was writing into the folders when it was ended. Call it while none writes.
  ///
  /// - Returns: how many files.
  package func removeUnfinished() -> Int {
    var removed = 0
    for number in numbers {
      for name in files(number) where name.hasSuffix(".part") {
        if unlink(state.file("\(folder(number))/\(name)").path) == 0 { removed += 1 }
      }
    }
    return removed
  }

  /// The note in a folder; nil where there is none, or where it is not of files in that folder.
  package func note(_ number: Int64) -> ResultNote? {
    let file = state.file("\(folder(number))/\(ResultNote.fileName)")
    guard let data = try? Data(contentsOf: file),
      let note = try? JSONDecoder().decode(ResultNote.self, from: data),
      note.folder == folder(number)
    else { return nil }
    return note
  }

  /// Why a result cannot be used as its note describes it.
  package struct Fault: Sendable, Equatable, CustomStringConvertible {
    package var description: String
    /// Whether a file could not be read, as with EIO or without memory: it may be the one that was proved.
    package var isPassing = false
  }

  /// Why the files of a note are not known to be those that were proved; nil where they are.
  package func fault(_ note: ResultNote) -> Fault? {
    for object in note.objects {
      let file = state.file(object.path)
      do {
        guard FileStatus(file.path) != nil else { throw SystemError() }
        guard let sha256 = object.sha256 else { continue }
        guard try hexadecimalSHA256(ofFile: file) == sha256 else {
          return Fault(description: "\(file.path) was changed")
        }
      } catch {
        let system = error as? SystemError ?? SystemError(behind: error)
        if let system, [ENOENT, ENOTDIR].contains(system.number) {
          return Fault(description: "\(file.path) is missing")
        }
        let what = system?.description ?? SystemError.text(of: error)
        return Fault(description: "\(file.path) cannot be read now: \(what)", isPassing: true)
      }
    }
    return nil
  }

  /// How many instances the last result of each series was made of that is as it was proved.
  func instanceCounts() -> [String: Int] {
    let notes = numbers.compactMap(note).filter { fault($0) == nil }.sorted { $0.job < $1.job }
    return notes.reduce(into: [:]) { counts, note in
      counts.merge(note.instanceCounts ?? [:]) { $1 }
    }
  }

  /// Of folders whose job is not in the ledger.
  package func unknownNumbers(_ ledger: Ledger) throws(LedgerError) -> [Int64] {
    let known = try ledger.jobNumbers()
    return numbers.filter { !known.contains($0) }
  }

  /// Takes up every result that the ledger does not know, and has new jobs use other folders.
  ///
  /// - Parameters:
  ///   - ledger: the ledger.
  ///   - report: is called with a line for each result, and whether something is wrong with it.
  /// - Throws: `LedgerError`
  package func takeUpAll(
    in ledger: Ledger, _ report: (String, _ isError: Bool) -> Void
  ) throws(LedgerError) {
    let unknown = try unknownNumbers(ledger)
    guard let last = unknown.last else { return }
    // The result of a job may be in the folder of a later one that made it again.
    let notes = unknown.reversed().compactMap { number in note(number).map { (number, $0) } }
      .sorted { ($0.1.job, -$0.0) < ($1.1.job, -$1.0) }
    for (number, note) in notes {
      if let fault = fault(note) {
        let advice = fault.isPassing ? "; segmentd ledger repair does so once it can" : ""
        report("the result of job \(note.job) cannot be taken up: \(fault)\(advice)", true)
      } else if try ledger.takeUp(note) {
        report("took up the result of job \(note.job) from \(folder(number))", false)
      }
    }
    try ledger.reserveJobs(upTo: last)
  }
}
