import Clocks
import Cryptography
import DICOM
import DICOMNetwork
import FileSystem
import Foundation
import JobLedger
import Logging
import SeriesReading

/// Takes objects from the network and from folders into spool and ledger.
///
/// An object is acknowledged only after its file, the file's entry in its folder and its ledger row are on
/// disk. The entry was synced when the empty file was made (``Spool``). File and row are synced at the
/// same time, by two threads, and the row in one transaction with those of other associations; the
/// answer waits for both. After a loss of power in between there is either a file without a row, which
/// its seal tells complete or not (``SpoolSeal``), or a row without its file, which is withdrawn at the
/// next start: its association is open in the ledger. In neither case was the object
/// acknowledged, and in both its series is held as incomplete until it comes again.
public struct Intake: StoreHandler {
  let spool: Spool
  let ledger: Ledger
  let receptions: ReceptionLog
  let peerLog: PeerLog
  /// Objects that are kept and never segmented, as results of ours that come back.
  private let storedClasses: Set<String>
  let notes: ReadingNotes?

  /// - Parameters:
  ///   - state: where files are kept.
  ///   - ledger: where they are recorded.
  ///   - receptions: where refusals and associations are recorded.
  ///   - storedClasses: SOP classes of objects that are kept besides images.
  ///   - notes: where it is noted what is being read, for the case of a crash.
  ///   - logger: for what is refused.
  ///   - linesPerMinute: of one kind from one address that are logged; a ``Listener`` logs how many more
  ///     there were.
  public init(
    state: StateDirectory, ledger: Ledger, receptions: ReceptionLog,
    storedClasses: Set<String> = [], notes: ReadingNotes? = nil, logger: Logger,
    linesPerMinute: Int = .max
  ) {
    self.spool = Spool(state: state, session: receptions.session)
    self.ledger = ledger
    self.receptions = receptions
    self.storedClasses = storedClasses
    self.notes = notes
    peerLog = PeerLog(logger, lines: linesPerMinute)
  }

  public func newFile() throws(SystemError) -> ReceptionFile? {
    let (descriptor, path) = try spool.newFile()
    return ReceptionFile(descriptor: descriptor, path: spool.wholePath(path))
  }

  /// The status of a C-STORE (PS3.4 B.2.3) whose dataset is complete in a file of ours.
  public func store(_ object: ReceivedObject) -> StoreStatus {
    let note = notes?.begin(
      .object(
        sopClassUID: object.sopClassUID, sopInstanceUID: object.sopInstanceUID,
        beganAt: object.beganAt, over: receptions.association(object.association)))
    defer { note?.end() }
    do throws(IntakeError) {
      // What waits for the ledger came before this instance.
      do { try receptions.flush() } catch { throw .notRecorded(error) }
      try take(
        URL(fileURLWithPath: object.path, isDirectory: false), named: object.sopInstanceUID,
        source: .listener, requested: object)
      return .success
    } catch {
      let partial =
        object.contents.map {
          PartialIdentity(ofDamaged: $0, transferSyntaxUID: object.transferSyntaxUID)
        } ?? PartialIdentity(ofDamaged: object.path)
      let refusal = RefusedInstance(object, partial, error)
      record(
        refusal, over: object.association, at: object.beganAt, waits: !error.isOfLedger)
      log(refusal, of: object.association)
      // Nothing was acknowledged: the sender keeps its copy and is told so.
      try? FileManager.default.removeItem(atPath: object.path)
      return error.status
    }
  }

  /// Records an object that the listener refused by itself, or that was not received completely.
  public func refused(_ object: RefusedObject) {
    let refusal = RefusedInstance(object)
    record(refusal, over: object.association, at: object.beganAt)
    log(refusal, of: object.association)
  }

  /// A series of images lacks nothing where an object of another kind was refused.
  private func record(
    _ refusal: RefusedInstance, over association: Association?, at time: SteadyTime,
    waits: Bool = true
  ) {
    if let sopClass = refusal.sopClassUID, storedClasses.contains(sopClass) { return }
    receptions.record(refusal, over: association, at: time, waits: waits)
  }

  /// Takes note of the beginning of an association, or of what counts as one, and records its end.
  public func record(_ event: AssociationEvent) {
    switch event.kind {
    case .accepted: notes?.began(receptions.association(event.association))
    case .ended(.released) where event.stored == 0 && event.refused == 0:
      // The ledger knows nothing of it, and the peer does not wait for one that is locked.
      notes?.ended(receptions.association(event.association))
    case .ended(let end): ended(event.association, end, message: event.message)
    case .rejected, .noAssociation: break
    }
  }

  /// Records how an association ended.
  func ended(_ association: Association, _ end: AssociationEnd, message: String) {
    receptions.record(end, of: association, message: message)
    notes?.ended(receptions.association(association))
  }

  private func log(_ refusal: RefusedInstance, of association: Association) {
    peerLog.log(
      .refused, .warning, refusal.line, of: association,
      metadata: [
        "study": "\(refusal.studyInstanceUID ?? "unknown")",
        "series": "\(refusal.seriesInstanceUID ?? "unknown")",
      ])
  }

  /// Copies a file that is not ours into the spool; the file itself stays as it is. Its path may name a patient:
  /// errors and the ledger's events have the hash of it (`hashedFileName`).
  public func take(copyOf file: URL) throws(IntakeError) {
    let version = FileStatus(file.path)?.version ?? ""
    let suspicion: CrashSuspicion?
    do { suspicion = try ledger.crashSuspicion(ofFile: file.path, version: version) } catch {
      throw .notRecorded(error)
    }
    guard suspicion != .refused else { throw .crashed(name: hashedFileName(file.path)) }
    try read(copyOf: file, version: version)
    // It is tried again at worst.
    if suspicion != nil { try? ledger.clearCrashes(ofFile: file.path) }
  }

  private func read(copyOf file: URL, version: String) throws(IntakeError) {
    let note = notes?.begin(.file(path: file.path, version: version))
    defer { note?.end() }
    do throws(IntakeError) {
      // Read in its place, so that nothing is copied that will not be kept.
      do {
        _ = try ImageIdentity.read(
          file.path, named: hashedFileName(file.path), besides: storedClasses)
      } catch { throw .refused(error) }
      let copy: URL
      do { copy = try spool.copy(file) } catch { throw .notStored(reason: error.description) }
      defer { try? FileManager.default.removeItem(at: copy) }
      try take(copy, named: hashedFileName(file.path), source: .watch, original: file)
    } catch {
      let partial = PartialIdentity(ofDamaged: file.path)
      if let refusal = RefusedInstance(watched: file, partial, error) {
        record(refusal, over: nil, at: .now, waits: !error.isOfLedger)
      }
      throw error
    }
  }

  /// Records a file of the spool that the ledger does not know.
  ///
  /// - Parameters:
  ///   - path: relative to the state directory.
  ///   - seal: of the file; nil where it can have none.
  func record(fileOfSpool path: String, sealed seal: SpoolSeal?) throws(IntakeError) {
    let image = try received(spool.state.file(path), named: path)
    guard seal == nil || seal == SpoolSeal(contentHash: image.hash) else {
      throw .notStored(reason: "it is not what was received (SHA-256 differs)")
    }
    try write(image.record(at: path, source: .command), unsynced: nil)
  }

  /// Writes a complete file to disk and in the ledger; one of `incoming` is moved into the spool first.
  private func take(
    _ file: URL, named name: String, source: InstanceSource,
    requested: ReceivedObject? = nil, original: URL? = nil
  ) throws(IntakeError) {
    let image = try received(file, named: name, from: requested)
    if let requested { try image.check(against: requested) }
    try seal(file, image.hash, requested)
    let place = spool.path(of: file)
    let isSyncedLater = place != nil && requested != nil
    let path = try synced(file, at: place, unless: isSyncedLater)
    do throws(IntakeError) {
      try write(
        image.record(at: path, source: source, over: requested),
        unsynced: isSyncedLater ? file : nil, over: requested, original: original)
    } catch {
      // Back to where it was, so that it can be identified as far as possible.
      if place == nil { rename(spool.state.file(path).path, file.path) }
      throw error
    }
  }

  /// Says in a file that it is complete, and writes it first where it is in memory: what cannot be read, or ends
  /// the process that reads it, never has a seal.
  private func seal(_ file: URL, _ hash: String, _ requested: ReceivedObject?) throws(IntakeError) {
    let seal = SpoolSeal(contentHash: hash)
    do throws(SystemError) {
      switch (requested?.descriptor, requested?.contents) {
      case (let descriptor?, let contents?): try seal.write(contents, to: descriptor)
      case (let descriptor?, nil): try seal.write(to: descriptor)
      case (nil, nil): try seal.write(to: file)
      case (nil, _?): throw SystemError(EBADF)
      }
    } catch {
      throw .notStored(reason: "\(file.path): \(error)")
    }
  }

  /// Has a file in the spool and on disk before it is recorded: of a file that came over no association
  /// nothing would say at the next start that it may be missing.
  ///
  /// - Parameters:
  ///   - file: the file.
  ///   - place: where it is in the spool; nil for one of `incoming`.
  ///   - isSyncedLater: whether it needs not be on disk yet.
  /// - Returns: the path relative to the state directory.
  private func synced(_ file: URL, at place: String?, unless isSyncedLater: Bool)
    throws(IntakeError) -> String
  {
    do throws(StateDirectoryError) {
      if !isSyncedLater { try StateDirectory.sync(file.path) }
      if let place { return place }
      return try spool.keep(file)
    } catch {
      throw .notStored(reason: error.description)
    }
  }

  func received(
    _ file: URL, named name: String, from requested: ReceivedObject? = nil,
    besides others: Set<String> = []
  ) throws(IntakeError) -> ReceivedImage {
    do {
      let (identity, hash, byteCount) = try ImageIdentity.readWithHash(
        file.path, named: name, besides: storedClasses.union(others),
        received: requested?.hash.map { (offset: $0.offset, hash: $0.sha256) },
        held: requested?.contents)
      if identity.isOurs {
        peerLog.log(
          .received, .info, "a result of segmentd came back; it is kept and not processed",
          of: requested?.association,
          metadata: [
            "study": "\(identity.instance.studyInstanceUID)",
            "instance": "\(identity.instance.sopInstanceUID)",
          ])
      }
      return ReceivedImage(identity: identity.instance, hash: hash, byteCount: byteCount)
    } catch {
      throw .refused(error)
    }
  }

  /// Writes a file of the spool in the ledger, and to disk at the same time where it is not there yet.
  private func write(
    _ record: InstanceRecord, unsynced file: URL?, over request: ReceivedObject? = nil,
    original: URL? = nil
  ) throws(IntakeError) {
    let commit = ledger.beginRecording(
      record, association: request.map { receptions.association($0.association) },
      beganAt: request?.beganAt, file: original?.path)
    var failure: StateDirectoryError?
    if let file {
      do throws(StateDirectoryError) {
        if let descriptor = request?.descriptor {
          try StateDirectory.sync(descriptor, of: file.path)
        } else {
          try StateDirectory.sync(file.path)
        }
      } catch { failure = error }
    }
    do {
      let outcome = try commit.wait()
      if failure == nil { try settle(outcome, record, over: request?.association) }
    } catch {
      throw .notRecorded(error)
    }
    if let failure {
      receptions.withdraw(record)
      throw .notStored(reason: failure.description)
    }
  }

  /// A file whose content is there already is not needed twice.
  func settle(
    _ outcome: InstanceOutcome, _ record: InstanceRecord, over association: Association?
  ) throws(LedgerError) {
    switch outcome {
    case .added: break
    case .identical: _ = try keepOneFile(of: record)
    case .restored:
      peerLog.log(
        .received, .info,
        "instance \(record.sopInstanceUID) came again as it was before it was replaced",
        of: association, metadata: record.logMetadata)
      if let kept = try keepOneFile(of: record) { touch(kept) }
    case .conflicting:
      peerLog.log(
        .received, .warning, "instance \(record.sopInstanceUID) came again with other content",
        of: association, metadata: record.logMetadata)
    }
  }

  /// Of two files with the same content the older stays, unless it is damaged, lost or purged.
  ///
  /// - Returns: the older one; nil where it is replaced.
  private func keepOneFile(of record: InstanceRecord) throws(LedgerError) -> String? {
    if let older = try ledger.spoolPath(of: record), older != record.spoolPath,
      (try? datasetHash(of: spool.state.file(older)).hash) == record.contentHash
    {
      unlink(spool.state.file(record.spoolPath).path)
      return older
    }
    try ledger.replaceFile(with: record)
    return nil
  }

  /// A version that came again is the last one received: where the ledger is lost, the times of the files
  /// tell in which order they came.
  private func touch(_ path: String) {
    let file = spool.state.file(path).path
    guard utimensat(AT_FDCWD, file, nil, 0) == 0 else { return }
    try? StateDirectory.sync(file)
  }
}

extension InstanceRecord {
  /// Which study it is of.
  fileprivate var logMetadata: Logger.Metadata {
    ["study": "\(studyInstanceUID)", "series": "\(seriesInstanceUID)"]
  }
}

/// What a file of ours says of itself, and the hash of its dataset.
struct ReceivedImage {
  var identity: InstanceIdentity
  var hash: String
  var byteCount: Int

  func check(against requested: ReceivedObject) throws(IntakeError) {
    guard DICOMUID.trimmed(requested.sopInstanceUID) == identity.sopInstanceUID,
      DICOMUID.trimmed(requested.sopClassUID) == identity.sopClassUID
    else {
      throw .otherInstance(
        requested: "\(requested.sopClassUID), \(requested.sopInstanceUID)",
        found: "\(identity.sopClassUID), \(identity.sopInstanceUID)")
    }
  }

  func record(at path: String, source: InstanceSource, over request: ReceivedObject? = nil)
    -> InstanceRecord
  {
    InstanceRecord(
      studyInstanceUID: identity.studyInstanceUID, seriesInstanceUID: identity.seriesInstanceUID,
      sopInstanceUID: identity.sopInstanceUID, sopClassUID: identity.sopClassUID,
      modality: identity.modality, transferSyntaxUID: identity.transferSyntaxUID, spoolPath: path,
      byteCount: byteCount, contentHash: hash, source: source,
      callingAETitle: request?.association.callingAETitle)
  }
}
