import CDCMTK
import DICOM
import Foundation

/// What a peer says of objects that we asked it to keep (PS3.4 J.3.3).
public struct ReportedCommitment: Sendable, Equatable {
  public struct Failure: Sendable, Equatable {
    public var reference: CommitmentReference
    /// Failure Reason (0008,1197); see ``CommitmentFailure/meaning(of:)``.
    public var reason: UInt16
  }

  /// Of our request.
  public var transactionUID: String
  public var kept: [CommitmentReference]
  public var failures: [Failure]

  /// Reads the Event Information of an N-EVENT-REPORT.
  ///
  /// - Throws: the status with which it is answered.
  init(information: Data, transferSyntaxUID: String) throws(ReportFault) {
    guard
      let dataset = try? Dataset(
        message: information, transferSyntaxUID: transferSyntaxUID, name: "Event Information")
    else { throw ReportFault(status: .invalidArgumentValue) }
    guard let transaction = dataset.text(.transactionUID), !transaction.isEmpty else {
      throw ReportFault(status: .missingAttribute)
    }
    transactionUID = transaction
    kept = dataset.items(.referencedSOPSequence).map(CommitmentReference.init)
    failures = dataset.items(.failedSOPSequence).map { item in
      Failure(
        reference: CommitmentReference(item),
        reason: item.integer(.failureReason).map { UInt16(clamping: $0) }
          ?? CommitmentFailure.processingFailure.rawValue)
    }
    let references = kept + failures.map(\.reference)
    guard DICOMUID.isValid(transaction),
      references.allSatisfy({ DICOMUID.isValid($0.sopInstanceUID) })
    else { throw ReportFault(status: .invalidArgumentValue) }
  }
}

struct ReportFault: Error {
  var status: ActionStatus
}

extension CommitmentReference {
  init(_ item: Dataset) {
    self.init(
      sopClassUID: item.text(.referencedSOPClassUID) ?? "",
      sopInstanceUID: item.text(.referencedSOPInstanceUID) ?? "")
  }
}

extension CommitmentFailure {
  /// A Failure Reason in words (PS3.3 C.14.1.1).
  public static func meaning(of reason: UInt16) -> String {
    let words =
      switch reason {
      case 0x0110: "processing failure"
      case 0x0112: "no such object instance"
      case 0x0119: "the object is there with another SOP class"
      case 0x0122: "the SOP class is not supported"
      case 0x0131: "duplicate transaction UID"
      case 0x0213: "resource limitation"
      default: "unknown reason"
      }
    return "\(hexadecimal(reason)): \(words)"
  }
}

/// Asks peers to keep objects: the push model of storage commitment as SCU (PS3.4 J.3).
///
/// ```swift
/// let scu = CommitmentSCU(callingAETitle: "SEGMENTD")
/// let status = try await scu.request("2.25.1", objects, of: pacs) { report in
///   print(report.kept.count, report.failures.count)
///   return .success
/// }
/// ```
public struct CommitmentSCU: Sendable {
  private let callingAETitle: String
  private let timeout: Int
  private let patience: Int

  /// - Parameters:
  ///   - callingAETitle: by which we call.
  ///   - timeout: seconds for the connection, the association and the answer.
  ///   - patience: seconds to wait for the report over the same association. It may come later, over one
  ///     of the peer's to a listener of ours.
  public init(callingAETitle: String, timeout: Int = 30, patience: Int = 5) {
    self.callingAETitle = callingAETitle
    self.timeout = timeout
    self.patience = patience
  }

  /// Sends an N-ACTION.
  ///
  /// - Parameters:
  ///   - transactionUID: of our choice, never used before.
  ///   - references: the objects, one at least.
  ///   - peer: who is to keep them.
  ///   - report: takes a report that comes over the same association, and decides how it is answered; on
  ///     a thread of its own, so that it may block.
  /// - Returns: the status of the answer (PS3.7 10.1.4.1.10); 0 where the peer will report.
  /// - Throws: ``DICOMNetworkError/rejected(peer:callingAETitle:reason:)`` where it offers no storage
  ///   commitment, ``DICOMNetworkError/noAssociation(peer:callingAETitle:reason:)`` where no answer came.
  public func request(
    _ transactionUID: String, _ references: [CommitmentReference], of peer: Peer,
    report: @escaping @Sendable (ReportedCommitment) -> ActionStatus
  ) async throws(DICOMNetworkError) -> UInt16 {
    let cancellation = Cancellation()
    let taker = ReportTaker(report)
    let result = await blockingCall(cancellation) {
      Result { () throws(DICOMNetworkError) in
        try requestNow(transactionUID, references, of: peer, taker, cancellation)
      }
    }
    guard let result else { throw .cancelled(peer: peer) }
    return try result.get()
  }

  private func requestNow(
    _ transactionUID: String, _ references: [CommitmentReference], of peer: Peer,
    _ taker: ReportTaker, _ cancellation: Cancellation
  ) throws(DICOMNetworkError) -> UInt16 {
    do { try DCMTK.prepare() } catch { throw .toolkit(error) }
    var (status, error) = (UInt16(0), cdcmtk_error())
    let texts = references.flatMap { [$0.sopClassUID, $0.sopInstanceUID] }
    let code = withExtendedLifetime((taker, cancellation)) {
      withCStrings([transactionUID] + texts) { strings in
        let list = references.indices.map {
          cdcmtk_commitment_reference(
            sop_class_uid: strings[2 * $0 + 1], sop_instance_uid: strings[2 * $0 + 2],
            failure_reason: 0)
        }
        return list.withUnsafeBufferPointer { list in
          var request = cdcmtk_commitment_request()
          request.transaction_uid = strings[0]
          request.references = list.baseAddress
          request.reference_count = list.count
          request.patience = UInt32(clamping: patience)
          request.report = { ReportTaker.take($0, $1, $2, $3).rawValue }
          request.context = Unmanaged.passUnretained(taker).toOpaque()
          return peer.withC(callingAETitle: callingAETitle, timeout: timeout) {
            cdcmtk_request_commitment($0, &request, cancellation.pointer, &status, &error)
          }
        }
      }
    }
    switch code {
    case Int32(CDCMTK_OK.rawValue): return status
    case Int32(CDCMTK_REJECTED.rawValue), Int32(CDCMTK_NO_CONTEXT.rawValue):
      throw .rejected(peer: peer, callingAETitle: callingAETitle, reason: error.text)
    default: throw .noAssociation(peer: peer, callingAETitle: callingAETitle, reason: error.text)
    }
  }
}

/// What DCMTK's thread calls with a report.
private final class ReportTaker: Sendable {
  private let report: @Sendable (ReportedCommitment) -> ActionStatus

  init(_ report: @escaping @Sendable (ReportedCommitment) -> ActionStatus) {
    self.report = report
  }

  static func take(
    _ context: UnsafeMutableRawPointer?, _ bytes: UnsafePointer<UInt8>?, _ count: Int,
    _ syntax: UnsafePointer<CChar>?
  ) -> ActionStatus {
    guard let context, let bytes, let syntax else { return .processingFailure }
    let taker = Unmanaged<ReportTaker>.fromOpaque(context).takeUnretainedValue()
    do throws(ReportFault) {
      return taker.report(
        try ReportedCommitment(
          information: Data(bytes: bytes, count: count), transferSyntaxUID: String(cString: syntax))
      )
    } catch {
      return error.status
    }
  }
}
