import DICOM
import Foundation
import JobLedger
import SeriesReading

/// What a listener hands over is taken as if it had come here: its file and its row are on disk before it is
/// answered, and what comes again is known by its number.
extension Intake {
  /// An entry whose row is on its way to disk.
  public struct PendingHandover: Sendable {
    fileprivate let commit: PendingCommit<HandoverOutcome>
    fileprivate let record: InstanceRecord?
    /// Why an instance is not taken; nil where it is.
    public let refusal: String?
  }

  /// Begins to take an entry; those of a listener are to be given in order, and may be waited for afterwards.
  ///
  /// - Parameters:
  ///   - entry: the entry.
  ///   - file: of an instance, complete and closed, in the spool; it belongs to the intake now. Nil for another
  ///     entry, and for an instance whose file is lost or damaged at the listener.
  ///   - previous: the number before it.
  ///   - sender: the listener.
  /// - Throws: ``IntakeError`` where our own disk fails, or the file is not the one that the listener received:
  ///   nothing of it is here then.
  public func beginTaking(
    _ entry: HandoverEntry, file: String?, after previous: Int64, from sender: HandoverSender
  ) throws(IntakeError) -> PendingHandover {
    // What waits for the ledger came before.
    do { try receptions.flush() } catch {
      if let file { unlink(file) }
      throw .notRecorded(error)
    }
    guard let instance = entry.instance else {
      return begin(entry, previous, sender)
    }
    guard let file else {
      let reason = "its file is lost or damaged at listener \(sender.name)"
      return begin(entry, previous, sender, refusal: refused(instance.record, reason))
    }
    let name = "entry \(entry.number) of listener \(sender.name), \(sender.run)"
    let hash = instance.record.contentHash
    let suspicion: CrashSuspicion?
    do { suspicion = try ledger.crashSuspicion(ofFile: name, version: hash) } catch {
      unlink(file)
      throw .notRecorded(error)
    }
    guard suspicion != .refused else {
      unlink(file)
      let reason = "segmentd's receiving process crashed while it read this object"
      return begin(entry, previous, sender, refusal: refused(instance.record, reason))
    }
    let note = notes?.begin(.file(path: name, version: hash))
    defer { note?.end() }
    return try take(entry, instance, file, previous, sender)
  }

  private func take(
    _ entry: HandoverEntry, _ instance: HandoverEntry.Instance, _ file: String, _ previous: Int64,
    _ sender: HandoverSender
  ) throws(IntakeError) -> PendingHandover {
    do throws(IntakeError) {
      let url = URL(fileURLWithPath: file, isDirectory: false)
      // Which objects are kept besides images, the listener has decided.
      let image = try received(
        url, named: instance.record.sopInstanceUID, besides: [instance.record.sopClassUID])
      try image.check(against: instance.record)
      let record = image.record(
        at: try sealed(url, hash: image.hash), source: instance.record.source,
        callingAETitle: instance.record.callingAETitle)
      return begin(entry, previous, sender, as: record)
    } catch {
      unlink(file)
      // This segmentd does not take what the listener's did, as where their versions differ.
      guard case .refused(let refusal) = error, refusal.isOfContents else { throw error }
      return begin(entry, previous, sender, refusal: refused(instance.record, error.reason))
    }
  }

  /// Returns when the entry is on disk.
  ///
  /// - Throws: ``IntakeError/notRecorded(_:)``; nothing of it is here then.
  public func finish(_ pending: PendingHandover) throws(IntakeError) -> HandoverOutcome {
    func removeFile() {
      if let record = pending.record { unlink(spool.state.file(record.spoolPath).path) }
    }
    let outcome: HandoverOutcome
    do { outcome = try pending.commit.wait() } catch {
      removeFile()
      throw .notRecorded(error)
    }
    switch outcome {
    case .repeated: removeFile()
    case .taken(let change?):
      guard let record = pending.record else { break }
      do { try settle(change, record, over: nil) } catch { throw .notRecorded(error) }
    case .taken(nil): break
    }
    return outcome
  }

  private func begin(
    _ entry: HandoverEntry, _ previous: Int64, _ sender: HandoverSender,
    as record: InstanceRecord? = nil, refusal: RefusedInstance? = nil
  ) -> PendingHandover {
    PendingHandover(
      commit: ledger.beginTaking(
        entry, as: record, after: previous, from: sender, refusal: refusal),
      record: record, refusal: refusal?.reason)
  }

  /// - Returns: the path relative to the state directory.
  private func sealed(_ file: URL, hash: String) throws(IntakeError) -> String {
    do {
      try SpoolSeal(contentHash: hash).write(to: file)
      try StateDirectory.sync(file.path)
    } catch {
      throw .notStored(reason: "\(file.path): \(error)")
    }
    guard let path = spool.path(of: file) else {
      throw .notStored(reason: "\(file.path): it is not in the spool")
    }
    return path
  }

  private func refused(_ record: InstanceRecord, _ reason: String) -> RefusedInstance {
    var refusal = RefusedInstance(reason: reason, source: record.source)
    refusal.sopInstanceUID = record.sopInstanceUID
    refusal.sopClassUID = record.sopClassUID
    refusal.seriesInstanceUID = record.seriesInstanceUID
    refusal.studyInstanceUID = record.studyInstanceUID
    refusal.modality = record.modality
    refusal.transferSyntaxUID = record.transferSyntaxUID
    return refusal
  }
}

extension ImageRefusal {
  /// Whether the object itself is the reason, in place of this machine.
  fileprivate var isOfContents: Bool {
    switch self {
    case .notAnImage, .unreadable: true
    case .notReadable, .readerUnavailable: false
    }
  }
}

extension ReceivedImage {
  /// Whether it is what the listener received, byte for byte of the dataset.
  fileprivate func check(against record: InstanceRecord) throws(IntakeError) {
    guard hash == record.contentHash, identity.sopInstanceUID == record.sopInstanceUID else {
      throw .otherInstance(
        requested: "\(record.sopInstanceUID) with SHA-256 \(record.contentHash)",
        found: "\(identity.sopInstanceUID) with SHA-256 \(hash)")
    }
  }

  fileprivate func record(at path: String, source: InstanceSource, callingAETitle: String?)
    -> InstanceRecord
  {
    var record = self.record(at: path, source: source)
    record.callingAETitle = callingAETitle
    return record
  }
}
