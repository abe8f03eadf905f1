import Foundation
import GRDB

/// Why the ledger could not do what was asked.
public enum LedgerError: Error, CustomStringConvertible, Equatable {
  /// The file cannot be opened, or it is another program's.
  case cannotOpen(path: String, reason: String)
  /// The tables are of an older version, and another program may be using them.
  case wouldUpgrade(path: String, from: Int, to: Int)
  /// The machine is at fault, and the ledger can be used again once that has passed: a full disk, a
  /// file system that became read-only, a lock that was never released, no memory. What may be damage, too: SQLite
  /// says the same of a file whose disk failed while it was read, and a job's end is not given up for it before
  /// ``Ledger/checkIfSuspect()`` has said which of both it is.
  case unavailable(path: String, reason: String)
  /// The file is damaged, and waiting does not help: what is to be done is in its description.
  case damaged(path: String, reason: String)
  /// A statement failed, as for a value that the tables forbid.
  case failed(path: String, reason: String)
  /// A job is not in the state that the change needs.
  case wrongState(job: Int64, state: String, needed: String)
  /// A request for storage commitment is not in the state that the change needs; nil where there is none.
  case wrongCommitmentState(request: Int64, state: String?, next: CommitmentState)
  /// A workitem is not in a state that can change to the next one; nil where there is none.
  case wrongWorkitemState(uid: String, state: String?, next: ClaimedWorkitem.State)
  /// A delivery of a job was ended by another thread or process in the meantime.
  case notSending(job: Int64, destination: String)
  /// An object has the SOP Instance UID of one in an earlier job's result and other content.
  case objectChanged(sopInstanceUID: String, job: Int64)
  /// A copy of the ledger could not be made.
  case cannotCopy(path: String, reason: String)
  case unknownJob(Int64)
  case unknownStudy(String)
  case unknownSeries(series: String, study: String?)

  public var description: String {
    switch self {
    case .cannotOpen(let path, let reason): "\(path): the ledger cannot be opened: \(reason)"
    case .wouldUpgrade(let path, let from, let to):
      "\(path): its tables have version \(from), which this program would bring to \(to), and a daemon "
        + "of an older segmentd is using them: stop that daemon, or restart it as this version, and try "
        + "again; nothing was changed"
    case .unavailable(let path, let reason): "\(path): the ledger cannot be used now: \(reason)"
    case .damaged(let path, let reason):
      "\(path): the ledger is damaged: \(reason). Nothing was removed. segmentd ledger check says how much is "
        + "damaged; with the daemon stopped, put a copy that segmentd ledger backup made in its place, or have it "
        + "rebuilt from spool and results: segmentd ledger repair --rebuild"
    case .failed(let path, let reason): "\(path): the ledger cannot be used: \(reason)"
    case .wrongState(let job, let state, let needed):
      "job \(job) is \(state), not \(needed)"
    case .wrongCommitmentState(let request, let state?, let next):
      "request \(request) for storage commitment is \(state) and cannot become \(next.rawValue)"
    case .wrongCommitmentState(let request, nil, _):
      "there is no request \(request) for storage commitment"
    case .wrongWorkitemState(let uid, let state?, let next):
      "workitem \(uid) is \(state) and cannot become \(next.rawValue)"
    case .wrongWorkitemState(let uid, nil, _): "there is no workitem \(uid)"
    case .notSending(let job, let destination):
      "the result of job \(job) is not on its way to \(destination)"
    case .objectChanged(let uid, let job):
      "the object \(uid) is not what job \(job) made of the same images with the same model and "
        + "settings; reprocess the study with --force to get a new series"
    case .cannotCopy(let path, let reason):
      "\(path): the copy of the ledger was not made: \(reason)"
    case .unknownJob(let job): "there is no job \(job)"
    case .unknownStudy(let study): "no series of study \(study) was ever received"
    case .unknownSeries(let series, let study):
      "no series \(series)" + (study.map { " of study \($0)" } ?? "") + " was ever received"
    }
  }
}

extension LedgerError {
  /// What SQLite reported of the ledger, in words for people.
  init(_ error: any Error, path: String) {
    if let error = error as? LedgerError {
      self = error
      return
    }
    let reason = Self.reason(error)
    guard let error = error as? DatabaseError, let fault = Self.fault(error.resultCode) else {
      self = .failed(path: path, reason: reason)
      return
    }
    self = .unavailable(path: path, reason: "\(fault): \(reason)")
  }

  /// What is wrong with the machine, by SQLite's result code (https://sqlite.org/rescode.html); nil
  /// where the fault is in the statement.
  private static func fault(_ code: ResultCode) -> String? {
    switch code {
    case .SQLITE_FULL: "no space left on device"
    case .SQLITE_READONLY: "its file system is read-only"
    case .SQLITE_IOERR: "its disk cannot be read or written"
    case .SQLITE_NOMEM: "not enough memory"
    case .SQLITE_CANTOPEN: "its files cannot be opened"
    case .SQLITE_CORRUPT, .SQLITE_NOTADB:
      "it was not read as it was written, as its disk failed or it is damaged (see segmentd ledger check)"
    case .SQLITE_PERM: "access is denied"
    case .SQLITE_BUSY, .SQLITE_LOCKED, .SQLITE_PROTOCOL: "another process has locked it"
    default: nil
    }
  }

  /// Whether SQLite says of the file that it is damaged, or no database.
  static func isOfDamage(_ error: any Error) -> Bool {
    guard let error = error as? DatabaseError else { return false }
    return [.SQLITE_CORRUPT, .SQLITE_NOTADB].contains(error.resultCode)
  }

  /// Whether it is no fault of the statement.
  static func isOfMachine(_ error: DatabaseError) -> Bool { fault(error.resultCode) != nil }

  /// What SQLite says and the statement it says it of, on one line; values are left out.
  static func reason(_ error: any Error) -> String {
    guard let error = error as? DatabaseError else { return "\(error)" }
    let message = error.message ?? "\(error.resultCode)"
    let statement = error.sql.map { sql in
      " (SQLite error \(error.extendedResultCode.rawValue) in \""
        + sql.split(whereSeparator: \.isWhitespace).joined(separator: " ").prefix(80) + "…\")"
    }
    return message + (statement ?? " (SQLite error \(error.extendedResultCode.rawValue))")
  }
}
