import CDCMTK
import DICOM

/// Reports on storage commitment over associations of our own (PS3.4 J.3.3).
public struct CommitmentReporter: Sendable {
  private let callingAETitle: String
  private let timeout: Int

  /// - Parameters:
  ///   - callingAETitle: by which we call.
  ///   - timeout: seconds for the connection, the association and the answer.
  public init(callingAETitle: String, timeout: Int = 30) {
    self.callingAETitle = callingAETitle
    self.timeout = timeout
  }

  /// Sends a report to who asked for it.
  ///
  /// - Returns: the status of the peer's answer.
  /// - Throws: ``DICOMNetworkError/noAssociation(peer:callingAETitle:reason:)`` where none came, also
  ///   where the task is cancelled.
  public func send(_ report: CommitmentReport, to peer: Peer) async throws(DICOMNetworkError)
    -> UInt16
  {
    let cancellation = Cancellation()
    let result = await blockingCall(cancellation) {
      Result { () throws(DICOMNetworkError) in try sendNow(report, to: peer, cancellation) }
    }
    guard let result else {
      throw .noAssociation(peer: peer, callingAETitle: callingAETitle, reason: "cancelled")
    }
    return try result.get()
  }

  private func sendNow(_ report: CommitmentReport, to peer: Peer, _ cancellation: Cancellation)
    throws(DICOMNetworkError) -> UInt16
  {
    do { try DCMTK.prepare() } catch { throw .toolkit(error) }
    var (status, error) = (UInt16(0), cdcmtk_error())
    let code = withExtendedLifetime(cancellation) {
      peer.withC(callingAETitle: callingAETitle, timeout: timeout) { address in
        report.withC {
          cdcmtk_report_commitment(address, $0, cancellation.pointer, &status, &error)
        }
      }
    }
    guard code == CDCMTK_OK.rawValue else {
      throw .noAssociation(peer: peer, callingAETitle: callingAETitle, reason: error.text)
    }
    return status
  }
}
