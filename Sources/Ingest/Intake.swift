import DICOM
import DICOMNetwork
import Foundation
import JobLedger
import Logging
import SeriesReading

/// Takes objects from the network and from folders into spool and ledger.
///
/// An object is acknowledged only after its file, its folder and its ledger row are on disk.
public struct Intake: StoreHandler {
  private let spool: Spool
  private let ledger: Ledger
  private let receptions: ReceptionLog
  private let logger: Logger

  public init(
    state: StateDirectory, ledger: Ledger, receptions: ReceptionLog, logger: Logger
  ) {
    self.spool = Spool(state: state)
    self.ledger = ledger
    self.receptions = receptions
    self.logger = logger
  }

  /// The status of a C-STORE (PS3.4 B.2.3) whose dataset is complete in a file of ours.
  public func store(_ object: ReceivedObject) -> StoreStatus {
    do throws(IntakeError) {
      // What waits for the ledger came before this instance.
      do { try receptions.flush() } catch { throw .notStored(reason: error.description) }
      try take(
        URL(fileURLWithPath: object.path), named: object.sopInstanceUID, source: .listener,
        requested: object)
      return .success
    } catch {
      let partial = PartialIdentity(ofDamaged: object.path)
      let refusal = RefusedInstance(object, partial, error)
      receptions.record(refusal, over: object.association, at: object.beganAt)
      log(refusal, of: object.association)
      // Nothing was acknowledged: the sender keeps its copy and is told so.
      try? FileManager.default.removeItem(atPath: object.path)
      return error.status
    }
  }

  /// Records an object that the listener refused by itself, or that was not received completely.
  public func refused(_ object: RefusedObject) {
    let refusal = RefusedInstance(object)
    receptions.record(refusal, over: object.association, at: object.beganAt)
    log(refusal, of: object.association)
  }

  /// Records how an association ended.
  func ended(_ association: Association, _ end: AssociationEnd, message: String) {
    receptions.record(end, of: association, message: message)
  }

  private func log(_ refusal: RefusedInstance, of association: Association) {
    logger.warning(
      "\(refusal.line)",
      metadata: [
        "peer": "\(association.callingAETitle)", "address": "\(association.peerAddress)",
        "series": "\(refusal.seriesInstanceUID ?? "unknown")",
      ])
  }

  /// Copies a file that is not ours into the spool; the file itself stays as it is.
  public func take(copyOf file: URL) throws(IntakeError) {
    do throws(IntakeError) {
      // Read in its place, so that nothing is copied that will not be kept.
      do { _ = try ImageIdentity.read(file.path, named: file.path) } catch { throw .refused(error) }
      let copy: URL
      do { copy = try spool.copy(file) } catch { throw .notStored(reason: error.description) }
      defer { try? FileManager.default.removeItem(at: copy) }
      try take(copy, named: file.path, source: .watch, original: file)
    } catch {
      let partial = PartialIdentity(ofDamaged: file.path)
      if let refusal = RefusedInstance(watched: file, partial, error) {
        receptions.record(refusal, over: nil, at: Date())
      }
      throw error
    }
  }

  /// Recovers from a process that was killed: what was not acknowledged is removed, what is in the
  /// spool and not in the ledger is recorded.
  public func recover() throws(IntakeError) {
    spool.removeUnacknowledged()
    for path in spool.files() {
      do throws(LedgerError) {
        guard try !ledger.knows(spoolPath: path) else { continue }
      } catch {
        throw .notStored(reason: error.description)
      }
      do throws(IntakeError) {
        let file = spool.state.file(path)
        try record(path, received(file, named: path), source: .command)
        logger.notice("recorded a file of the spool that the ledger did not know: \(path)")
      } catch {
        logger.error("a file of the spool is not in the ledger and cannot be recorded: \(error)")
      }
    }
  }

  /// Moves a complete and synced file from `incoming` into the spool and writes it in the ledger.
  private func take(
    _ temporary: URL, named name: String, source: InstanceSource,
    requested: ReceivedObject? = nil, original: URL? = nil
  ) throws(IntakeError) {
    let image = try received(temporary, named: name)
    if let requested {
      let found = image.identity.instance
      guard DICOMUID.trimmed(requested.sopInstanceUID) == found.sopInstanceUID,
        DICOMUID.trimmed(requested.sopClassUID) == found.sopClassUID
      else {
        throw .otherInstance(
          requested: "\(requested.sopClassUID), \(requested.sopInstanceUID)",
          found: "\(found.sopClassUID), \(found.sopInstanceUID)")
      }
    }
    let path: String
    do { path = try spool.keep(temporary) } catch {
      throw .notStored(reason: error.description)
    }
    do throws(IntakeError) {
      try record(path, image, source: source, over: requested, original: original)
    } catch {
      // Back to where it was, so that it can be identified as far as possible.
      try? FileManager.default.moveItem(at: spool.state.file(path), to: temporary)
      throw error
    }
  }

  /// What a file of ours says of itself, and the hash of its dataset.
  private typealias ReceivedImage = (identity: ImageIdentity, hash: String, byteCount: Int)

  private func received(_ file: URL, named name: String) throws(IntakeError) -> ReceivedImage {
    do { return try ImageIdentity.readWithHash(file.path, named: name) } catch {
      throw .refused(error)
    }
  }

  /// Writes a file of the spool in the ledger; one that is there already is not needed twice.
  private func record(
    _ path: String, _ image: ReceivedImage, source: InstanceSource,
    over request: ReceivedObject? = nil, original: URL? = nil
  ) throws(IntakeError) {
    let identity = image.identity.instance
    do {
      let record = InstanceRecord(
        studyInstanceUID: identity.studyInstanceUID,
        seriesInstanceUID: identity.seriesInstanceUID, sopInstanceUID: identity.sopInstanceUID,
        sopClassUID: identity.sopClassUID, modality: identity.modality,
        transferSyntaxUID: identity.transferSyntaxUID, spoolPath: path,
        byteCount: image.byteCount, contentHash: image.hash, source: source,
        callingAETitle: request?.association.callingAETitle)
      let outcome = try ledger.recordInstance(
        record, association: request.map { receptions.association($0.association) },
        beganAt: request?.beganAt, file: original?.path)
      switch outcome {
      case .added: break
      case .identical: try keepOneFile(of: record)
      case .restored:
        logger.info(
          "instance \(identity.sopInstanceUID) came again as it was before it was replaced")
        try keepOneFile(of: record)
      case .conflicting:
        logger.warning("instance \(identity.sopInstanceUID) came again with other content")
      }
    } catch {
      throw .notStored(reason: "\(error)")
    }
  }

  /// Of two files with the same content the older stays, unless it is damaged or lost.
  private func keepOneFile(of record: InstanceRecord) throws {
    if let older = try ledger.spoolPath(of: record), older != record.spoolPath,
      (try? datasetHash(of: spool.state.file(older)).hash) == record.contentHash
    {
      try FileManager.default.removeItem(at: spool.state.file(record.spoolPath))
    } else {
      try ledger.replaceFile(with: record)
    }
  }
}
