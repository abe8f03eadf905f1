import FileSystem
import Foundation
import Ingest
import JobLedger
import Logging
import ServiceLifecycle
import Synchronization

/// Keeps a note next to the files of each result: what the ledger knows of it, and where it arrived. From
/// these notes a lost ledger is rebuilt, and nothing is sent again that arrived.
///
/// The notes follow the ledger within seconds. Nothing reads them while there is a ledger.
public struct ResultNoteWriter: Service {
  private let state: StateDirectory
  private let ledger: Ledger
  private let logger: Logger
  private let written = LastEvent()

  public init(state: StateDirectory, ledger: Ledger, logger: Logger) {
    self.state = state
    self.ledger = ledger
    self.logger = logger
  }

  public func run() async throws {
    await repeatUntilShutdown(every: .seconds(2), logger: logger) {
      try writeNew()
      return false
    }
    // What was delivered last.
    do { try writeNew() } catch { logger.error("notes of results were not written: \(error)") }
  }

  /// Writes the notes of results that are newer than the last ones written; at first, all that are not on
  /// disk.
  ///
  /// - Throws: `LedgerError` or `DurableFileError`; it is tried again at the next call.
  func writeNew() throws {
    let last = written.event
    let (jobs, event) = try ledger.resultsChanged(after: last ?? Int64.max)
    let notes = try last == nil ? ledger.resultNotes() : ledger.resultNotes(ofJobs: jobs)
    let folders = ResultFolders(state: state)
    for var note in notes {
      guard let folder = note.folder, FileStatus(state.file(folder).path)?.isFolder == true,
        let number = Int64((folder as NSString).lastPathComponent)
      else { continue }
      let written = folders.note(number)
      // Of what the result was made, not of what is left of it.
      if let counts = written?.instanceCounts {
        note.instanceCounts = counts.merging(note.instanceCounts ?? [:]) { known, _ in known }
      }
      if written != note { try write(note, in: folder) }
    }
    written.event = event
  }

  private func write(_ note: ResultNote, in folder: String) throws {
    let coder = JSONEncoder()
    coder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let data = try coder.encode(note)
    try DurableFile.write(to: state.file("\(folder)/\(ResultNote.fileName)").path) { temporary in
      let file = try FileHandle(forWritingTo: URL(fileURLWithPath: temporary))
      try file.write(contentsOf: data)
      try file.close()
    }
  }
}

private final class LastEvent: Sendable {
  private let value = Mutex<Int64?>(nil)

  var event: Int64? {
    get { value.withLock { $0 } }
    set { value.withLock { $0 = newValue } }
  }
}
