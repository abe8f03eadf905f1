import AuditLog
import ConfigurationFile
import DICOM
import Dispatch
import Foundation
import Ingest
import JobLedger
import Logging
import Results
import ServiceLifecycle

/// Writes what the ledger holds into the audit log: who sent and got instances, and what persons did. An entry is
/// written again where the process ends before that is noted; none is lost.
final class LedgerAudit: Service {
  private let audit: AuditLog
  private let ledger: Ledger
  private let state: StateDirectory
  private let destinations: [String: SiteConfiguration.Destination]
  private let namesPatients: Bool
  private let logger: Logger
  /// Where the beginnings of deliveries are written.
  private let queue = DispatchQueue(label: "segmentd.audit")

  init(
    _ audit: AuditLog, ledger: Ledger, state: StateDirectory,
    destinations: [SiteConfiguration.Destination], namesPatients: Bool, logger: Logger
  ) {
    self.audit = audit
    self.ledger = ledger
    self.state = state
    self.destinations = Dictionary(destinations.map { ($0.name, $0) }) { first, _ in first }
    self.namesPatients = namesPatients
    self.logger = logger
  }

  func run() async throws {
    let account = NSUserName()
    audit.record(.activity(of: audit.application, starts: true, by: account))
    await repeatUntilShutdown(every: .seconds(2), logger: logger) { try self.writeNew() }
    do { while try writeNew() {} } catch { logger.error("the audit log is not complete: \(error)") }
    await withCheckedContinuation { continuation in queue.async { continuation.resume() } }
    audit.record(.activity(of: audit.application, starts: false, by: account))
    await audit.close()
  }

  /// - Returns: whether there was anything.
  func writeNew() throws -> Bool {
    let records = try ledger.audited()
    guard records.hasMoved else { return false }
    // What cannot be written now is written later, and what was before it once more.
    for transfer in records.transfers {
      guard write(transfer) else { return false }
    }
    for action in records.actions {
      let isWritten = audit.record(
        .action(
          action.kind, action.message, of: action.job.map { "job \($0)" } ?? "segmentd",
          study: action.study, by: action.person, with: audit.application, at: action.at))
      guard isWritten else { return false }
    }
    try ledger.markAudited(records.position)
    return true
  }

  /// Says that a result is being sent. The delivery does not wait for it, and what cannot be read is not written.
  func writeBegin(_ delivery: ClaimedDelivery) {
    queue.async { [self] in
      guard
        let transfer = (try? ledger.transfer(ofJob: delivery.job, to: delivery.destination)) ?? nil
      else { return }
      write(transfer)
    }
  }

  /// A message is about one patient (PS3.15 A.5.3.3): one for each study.
  ///
  /// - Returns: whether all were written.
  @discardableResult
  private func write(_ transfer: AuditedRecords.Transfer) -> Bool {
    var (isBegin, fault) = (true, String?.none)
    if case .ended(let text) = transfer.stage { (isBegin, fault) = (false, text) }
    let isReceived = transfer.destination == nil
    for study in transfer.studies {
      var objects = [
        AuditMessage.Object.study(
          study.studyInstanceUID,
          instances: isReceived
            ? study.instances
            : study.instances.reduce(into: [:]) { counts, kind in
              counts[Self.sopClass(ofKind: kind.key), default: 0] += kind.value
            })
      ]
      if namesPatients, let patient = patient(study.file) { objects.append(.patient(patient)) }
      let isWritten = audit.record(
        .transfer(
          objects, application: audit.application, peer: peer(of: transfer),
          isReceived: isReceived, isBegin: isBegin, fault: fault, at: transfer.at))
      guard isWritten else { return false }
    }
    return true
  }

  private func peer(of transfer: AuditedRecords.Transfer) -> AuditedPeer {
    guard let name = transfer.destination else {
      return AuditedPeer(
        name: transfer.callingAETitle ?? "", isAETitle: true,
        address: transfer.peerAddress.map { .ip($0) })
    }
    switch destinations[name]?.service {
    case .dimse(let dimse)?:
      return AuditedPeer(name: dimse.aeTitle, isAETitle: true, address: Self.address(dimse.host))
    case .stow(let web)?:
      return AuditedPeer(
        name: web.url, isAETitle: false,
        address: URL(string: web.url)?.host.map(Self.address))
    case nil: return AuditedPeer(name: name, isAETitle: false, address: nil)
    }
  }

  private static func address(_ host: String) -> AuditMessage.Participant.Address {
    host.contains(":") || host.allSatisfy { $0.isNumber || $0 == "." } ? .ip(host) : .name(host)
  }

  private func patient(_ file: String?) -> String? {
    guard let file, let dataset = try? DICOMFile(path: state.file(file).path).dataset else {
      return nil
    }
    return dataset.text(.patientID).flatMap { $0.isEmpty ? nil : $0 }
  }

  private static func sopClass(ofKind kind: String) -> String {
    switch kind {
    case "seg", "fractional": SegmentationStorage.sopClassUID
    case "labelmap": SegmentationStorage.labelMapSOPClassUID
    case "sr": "1.2.840.10008.5.1.4.1.1.88.34"
    case "rtstruct": "1.2.840.10008.5.1.4.1.1.481.3"
    case "capture": "1.2.840.10008.5.1.4.1.1.7.4"
    default: "1.2.840.10008.5.1.4.1.1.7"
    }
  }
}
