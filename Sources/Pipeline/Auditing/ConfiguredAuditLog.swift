import AuditLog
import ConfigurationFile
import DICOMNetwork
import Foundation
import ServiceLifecycle

extension ConfiguredParts {
  /// The audit log of this process; nil where none is written.
  func auditLog() -> AuditLog? {
    let settings = configuration.audit
    guard settings.keepDays > 0 || settings.syslog != nil else { return nil }
    return AuditLog(
      application: AuditedApplication(
        aeTitle: aeTitle, host: ProcessInfo.processInfo.hostName, processID: getpid()),
      folder: state.auditLog.path, keepDays: settings.keepDays,
      age: { [ledger] in ledger.age(of: $0) },
      server: settings.syslog.map(SyslogServer.init), logger: logger)
  }
}

extension ConfiguredParts {
  /// What of the ledger is for the audit log.
  func ledgerAudit() -> LedgerAudit? {
    auditLog().map {
      LedgerAudit(
        $0, ledger: ledger, state: state, destinations: configuration.destinations,
        namesPatients: configuration.audit.patientIDs, logger: logger)
    }
  }
}

extension SyslogServer {
  fileprivate init(_ settings: SiteConfiguration.Audit.Syslog) {
    let transport: Transport
    switch settings.transport {
    case .udp: transport = .udp
    case .tcp: transport = .tcp
    case .tls:
      transport = .tls(
        trusted: settings.tls?.trusted, certificate: settings.tls?.certificate,
        key: settings.tls?.key, verifiesServer: settings.tls?.verifyPeer ?? true)
    }
    self.init(host: settings.host, port: settings.port, transport: transport)
  }
}

/// Sends what the audit log of a process has left when all before it have ended.
struct AuditLogEnd: Service {
  let audit: AuditLog

  func run() async throws {
    await cancelWhenGracefulShutdown {
      while (try? await Task.sleep(for: .seconds(3600))) != nil {}
    }
    await audit.close()
  }
}

extension AuditLog {
  /// Writes what was not admitted.
  ///
  /// Of connections without an association those alone whose certificate or TLS was not right: others come and
  /// go, as those of what watches the port.
  func record(_ event: AssociationEvent) {
    let isNotTrusted =
      event.kind == .noAssociation && event.message.hasPrefix("TLS handshake failed")
    guard event.kind == .rejected || isNotTrusted else { return }
    let association = event.association
    notAdmitted(
      AuditedPeer(
        name: association.callingAETitle.isEmpty ? "unknown" : association.callingAETitle,
        isAETitle: !association.callingAETitle.isEmpty, address: .ip(association.peerAddress)),
      reason: isNotTrusted ? event.message : "association rejected: \(event.message)")
  }

  /// Writes that an HTTP request was refused because of who sent it.
  func recordRefusedRequest(address: String, status: Int, reason: String) {
    notAdmitted(
      AuditedPeer(name: address, isAETitle: false, address: .ip(address)),
      reason: "HTTP request refused with \(status): \(reason)")
  }
}
