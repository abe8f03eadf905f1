import Clocks
import DICOM
import DICOMNetwork
import Foundation

extension Intake {
  /// For the objects of a C-GET: they are taken, refused and recorded as those that a listener
  /// receives.
  public var retrievalHandlers: DIMSEHandlers {
    DIMSEHandlers(store: self) { record($0) }
  }

  /// A name for a file that is about to be retrieved without DIMSE, on the file system of the spool.
  public func newIncomingFile() -> URL { spool.newIncomingFile() }

  /// Takes a file that was retrieved without DIMSE, as if it had come by C-STORE over an association.
  ///
  /// - Parameters:
  ///   - file: complete and synced, on the file system of the spool; it belongs to the intake now.
  ///   - uid: the SOP Instance UID that was asked for.
  ///   - association: of `Association.withoutDIMSE`.
  ///   - time: when the request was sent.
  public func take(
    retrieved file: URL, asked uid: String, over association: Association, beganAt time: SteadyTime
  ) -> StoreStatus {
    let partial = PartialIdentity(ofDamaged: file.path)
    return store(
      ReceivedObject(
        association: association, path: file.path, sopClassUID: partial.sopClassUID ?? "",
        sopInstanceUID: uid, transferSyntaxUID: partial.transferSyntaxUID ?? "", beganAt: time))
  }

  /// Records that a retrieval without DIMSE ended.
  public func retrievalEnded(_ association: Association, isComplete: Bool, message: String) {
    ended(association, isComplete ? .released : .connectionLost, message: message)
  }
}
