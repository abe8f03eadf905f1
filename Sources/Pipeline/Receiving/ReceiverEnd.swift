import Cryptography
import DICOM
import Ingest
import JobLedger
import Logging
import Wording

/// A receiving process that ended by itself, and what it was doing.
struct ReceiverEnd: Sendable {
  var session: ReceivingSession
  var end: ReceiverProcess.End
  var reading: [ReadingNotes.Subject]

  /// Of at most so many peers the log says that they were interrupted.
  private static let named = 10

  func log(_ logger: Logger) {
    guard end.isCrash else {
      logger.notice("the receiving process \(end), and is started again")
      return
    }
    logger.error("the receiving process \(end), and is started again; jobs go on")
    for subject in reading {
      switch subject {
      case .association: break
      case .object(_, let instance, _, let association):
        logger.error(
          "it was reading instance \(instance), which was not acknowledged",
          metadata: Self.metadata(association).merging(
            ["study": "unknown", "instance": "\(instance)"]) { $1 })
      case .file(let path, _):
        // Nothing of it is read again by this process: that crashed the other one.
        logger.error(
          "it was reading \(hashedFileName(path))",
          metadata: ["study": "unknown"])
      }
    }
    let associations = associations
    for association in associations.prefix(Self.named) {
      logger.error("association interrupted", metadata: Self.metadata(association))
    }
    if associations.count > Self.named {
      logger.error(
        "\(counted(associations.count - Self.named, "more association")) interrupted")
    }
  }

  private static func metadata(_ association: ReceivingAssociation) -> Logger.Metadata {
    ["peer": "\(association.callingAETitle)", "address": "\(association.peerAddress)"]
  }

  private var associations: [ReceivingAssociation] {
    reading.compactMap { if case .association(let association) = $0 { association } else { nil } }
  }

  /// Whether a file of a watch folder was all that there was to read.
  private var isOnlyReading: Bool { reading.count == 1 }

  /// Takes note of what was being read: objects count as refused, and so do files that are to blame.
  func recordSubjects(in ledger: Ledger, _ logger: Logger) throws {
    guard end.isCrash else { return }
    for subject in reading {
      switch subject {
      case .association: break
      case .object(let sopClass, let instance, let time, let association):
        guard end.isFaultOfProgram else { break }
        var refusal = RefusedInstance(
          reason: "segmentd's receiving process \(end) while it read this object",
          source: .listener)
        if DICOMUID.isValid(sopClass) { refusal.sopClassUID = sopClass }
        if DICOMUID.isValid(instance) { refusal.sopInstanceUID = instance }
        try ledger.recordRefusal(refusal, association: association, at: time)
      case .file(let path, let version):
        let suspicion = try ledger.recordCrash(
          ofFile: path, version: version, isCertain: isOnlyReading && end.isFaultOfProgram,
          reason: "segmentd's receiving process \(end) while it read this file; it is read again "
            + "when it changes")
        if suspicion == .refused {
          logger.error(
            "\(hashedFileName(path)) is not read again until it changes",
            metadata: ["study": "unknown"])
        }
      }
    }
  }
}

/// Puts right what a receiving process left that ended by itself, as the start of a daemon does.
struct ReceiverAftermath: Sendable {
  let intake: Intake
  let ledger: Ledger
  let logger: Logger

  private func recovery(_ ended: ReceiverEnd) -> Recovery {
    Recovery(intake, after: ended.session)
  }

  /// Accounts in the ledger for what it did not finish. Nothing may be assembled before.
  ///
  /// - Throws: `CancellationError`, or `LedgerError`; faults of the machine are waited for.
  func account(for ended: ReceiverEnd) async throws {
    let recovery = recovery(ended)
    try await step {
      recovery.removeUnacknowledged()
      for line in try recovery.withdrawUnfinished() { logger.warning("\(line)") }
    }
    try await step { try ended.recordSubjects(in: ledger, logger) }
    try await step {
      try ledger.endReception(
        ofSession: ended.session.key, message: "the receiving process \(ended.end)")
    }
  }

  /// Removes its files that were never complete, and records those that were.
  ///
  /// - Throws: `CancellationError`, or `LedgerError`; faults of the machine are waited for.
  func tidyUp(after ended: ReceiverEnd) async throws {
    try await step {
      try recovery(ended).rescan { line, isError in
        logger.log(level: isError ? .error : .notice, "\(line)")
      }
    }
  }

  private func step(_ work: @escaping @Sendable () throws -> Void) async throws {
    try await retryingLedgerWrite(logger) { try await onThread(work) }
  }
}
