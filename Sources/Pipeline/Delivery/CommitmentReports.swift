import DICOMNetwork
import FileSystem
import Ingest
import JobLedger
import Logging
import Results
import Wording

/// Takes reports on storage commitment that we asked for, in whichever process they arrive: the ledger is
/// all that has to know.
struct CommitmentReports: Sendable {
  let state: StateDirectory
  let ledger: Ledger
  let logger: Logger

  /// Failure Reasons after which sending again is of no use: another SOP class under this UID, and a
  /// SOP class that is not kept.
  private static let permanent: Set<UInt16> = [0x0119, 0x0122]
  /// Duplicate transaction UID: it says nothing of the objects.
  private static let duplicateTransaction: UInt16 = 0x0131

  /// - Returns: how the report is answered: one that cannot be written now, so that it is sent again.
  func take(_ report: ReportedCommitment) -> ActionStatus {
    do {
      let ours = try ourUIDs(report.transactionUID)
      let own = { (reference: CommitmentReference) in
        ours[reference.sopInstanceUID] ?? reference.sopInstanceUID
      }
      let missing = report.failures.filter { $0.reason != Self.duplicateTransaction }.map {
        MissingObject(
          sopInstanceUID: own($0.reference),
          reason: "it does not commit itself to keep \($0.reference.sopInstanceUID), "
            + CommitmentFailure.meaning(of: $0.reason),
          isPermanent: Self.permanent.contains($0.reason))
      }
      let isOurs = try ledger.recordReport(
        report.transactionUID, kept: report.kept.map(own), missing: missing)
      let metadata: Logger.Metadata = ["transaction": "\(report.transactionUID)"]
      guard isOurs else {
        logger.warning(
          "a report on storage commitment that was not asked for is refused", metadata: metadata)
        return .invalidArgumentValue
      }
      logger.info(
        "storage commitment: \(counted(report.kept.count, "object")) kept, \(report.failures.count) not",
        metadata: metadata)
      return .success
    } catch {
      logger.error("\(error); a report on storage commitment is refused for now")
      return .resourceLimitation
    }
  }

  /// Objects by the UIDs that they have where a destination gets de-identified copies.
  private func ourUIDs(_ transactionUID: String) throws -> [String: String] {
    guard FileStatus(state.deidentificationKey.path) != nil else { return [:] }
    let key = try DeidentificationKey(file: state.deidentificationKey)
    return Dictionary(
      try ledger.sopInstanceUIDs(transaction: transactionUID).map { (key.uid($0), $0) },
      uniquingKeysWith: { first, _ in first })
  }
}
