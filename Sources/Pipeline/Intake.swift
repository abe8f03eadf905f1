import Crypto
import DICOM
import DICOMNetwork
import Foundation
import JobLedger
import Logging

/// An object that was offered and not taken.
public enum IntakeError: Error, CustomStringConvertible {
  /// Not a DICOM file, or one that cannot be read.
  case unreadable(file: String, reason: String)
  /// A DICOM object of a kind that is not segmented.
  case notAnImage(file: String, sopClassUID: String)
  /// An attribute that says which series the object belongs to is empty.
  case attributeMissing(file: String, tag: String)
  /// Our own disk or ledger failed.
  case notStored(reason: String)

  public var description: String {
    switch self {
    case .unreadable(let file, let reason): "\(file): not taken: \(reason)"
    case .notAnImage(let file, let sopClassUID):
      "\(file): not taken: SOP class \(sopClassUID) is not a CT or MR image"
    case .attributeMissing(let file, let tag): "\(file): not taken: \(tag) is empty"
    case .notStored(let reason): "the object could not be stored: \(reason)"
    }
  }
}

/// Takes objects from the network and from folders into spool and ledger.
///
/// An object is acknowledged only after its file, its folder and its ledger row are on disk.
public struct Intake: StoreHandler {
  private let spool: Spool
  private let ledger: JobLedger
  private let logger: Logger

  public init(state: StateDirectory, ledger: JobLedger, logger: Logger) {
    self.spool = Spool(state: state)
    self.ledger = ledger
    self.logger = logger
  }

  /// The status of a C-STORE (PS3.4 B.2.3) whose dataset lies complete in a file of ours.
  public func store(_ object: ReceivedObject) -> StoreStatus {
    do {
      try take(
        URL(fileURLWithPath: object.temporaryPath), named: object.sopInstanceUID,
        source: .listener, callingAETitle: object.callingAETitle)
      return .success
    } catch IntakeError.notStored(let reason) {
      logger.error("instance not stored: \(reason)", metadata: ["sop": "\(object.sopInstanceUID)"])
      return .outOfResources
    } catch {
      logger.warning("instance refused: \(error)", metadata: ["sop": "\(object.sopInstanceUID)"])
      return .cannotUnderstand
    }
  }

  /// Copies a file that is not ours into the spool; the file itself stays as it is.
  public func take(copyOf file: URL, source: InstanceSource) throws(IntakeError) {
    // Judged where it lies, so that nothing is copied that will not be kept.
    _ = try identity(of: file, named: file.path)
    let copy: URL
    do { copy = try spool.copy(file) } catch { throw .notStored(reason: error.description) }
    try take(copy, named: file.path, source: source, callingAETitle: nil)
  }

  /// Moves a complete and synced file from `incoming` into the spool and writes it in the ledger.
  private func take(
    _ temporary: URL, named name: String, source: InstanceSource, callingAETitle: String?
  ) throws(IntakeError) {
    var kept: URL?
    do {
      let identity = try identity(of: temporary, named: name)
      let hash = try Self.hash(of: temporary)
      let path = try spool.keep(temporary)
      kept = spool.state.file(path)
      let outcome = try ledger.recordInstance(
        InstanceRecord(
          identity, spoolPath: path, hash: hash, source: source, callingAETitle: callingAETitle))
      if case .identical = outcome {
        try? FileManager.default.removeItem(at: spool.state.file(path))
      }
    } catch {
      // Nothing was acknowledged: the sender keeps its copy and is told so.
      try? FileManager.default.removeItem(at: kept ?? temporary)
      if let error = error as? IntakeError { throw error }
      throw .notStored(reason: "\(error)")
    }
  }
}
