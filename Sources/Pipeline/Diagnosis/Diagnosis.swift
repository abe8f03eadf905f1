import ConfigurationFile
import FileSystem
import Foundation
import Ingest
import JobLedger
import SeriesProcessing
import Wording

/// Looks at everything that a daemon needs on this machine and of its peers. It sends nothing but C-ECHO and
/// queries, and leaves nothing behind.
///
/// ```swift
/// for await finding in Diagnosis(configuration).findings() { print(finding.text) }
/// ```
public struct Diagnosis: Sendable {
  let configuration: SiteConfiguration
  let state: StateDirectory

  public init(_ configuration: SiteConfiguration) {
    self.configuration = configuration
    state = StateDirectory(existing: configuration.stateDirectory)
  }

  /// In the order in which they come: first the machine, then the state directory, the models and their golden checks, the ports
  /// and the peers.
  public func findings() -> AsyncStream<Finding> {
    AsyncStream { continuation in
      let task = Task {
        let parts: [@Sendable () async -> [Finding]] = [
          { machineFindings() }, { stateFindings() }, { ledgerFindings() },
          { await modelFindings() }, { checkFindings() }, { await slurmFindings() },
          { secretFindings() }, { await portFindings() }, { await peerFindings() },
          { await handoverFindings() }, { await notificationFindings() }, { await traceFindings() },
        ]
        for part in parts where !Task.isCancelled {
          for finding in await part() { continuation.yield(finding) }
        }
        continuation.finish()
      }
      continuation.onTermination = { _ in task.cancel() }
    }
  }

  private func ledgerFindings() -> [Finding] {
    let subject = "ledger"
    guard FileManager.default.fileExists(atPath: state.ledger.path) else {
      return [.good(subject, "none yet: the daemon creates it when it is first started")]
    }
    do {
      let ledger = try Ledger(reading: state.ledger.path)
      let report = try StateCheck(state: state, ledger: ledger, comparesHashes: false).run()
      let held = try ledger.jobCounts()["held"] ?? 0
      guard report.findings.isEmpty else {
        return [
          .fault(
            subject,
            "\(counted(report.findings.count, "finding")); the first: "
              + (report.findings.first.map { "\($0.kind.rawValue): \($0.text)" } ?? ""),
            "segmentd ledger check tells all of them, and segmentd ledger repair what can be mended"
          )
        ]
      }
      let sound = Finding.good(
        subject,
        "agrees with spool and results in \(counted(report.instances, "instance")), by their size")
      guard held > 0 else { return [sound] }
      return [
        sound,
        .warning(
          "held jobs", counted(held, "job needs a person", "jobs need a person"),
          "segmentd jobs --state held says why"),
      ]
    } catch {
      return [
        .fault(
          subject, SystemError.text(of: error), "see the operator's guide, Check, copy and mend")
      ]
    }
  }

  private func modelFindings() async -> [Finding] {
    let library = configuration.modelLibrary
    var findings: [Finding] = []
    for name in Set(configuration.modelRules.map(\.model)).sorted() {
      let subject = "model \(name)"
      do {
        let bundle = try library.bundle(name)
        _ = try await library.segmenter(name)
        findings.append(
          .good(
            subject,
            "version \(bundle.version), SHA-256 \(bundle.sha256.prefix(12))… is correct"))
      } catch {
        findings.append(
          .fault(
            subject, SystemError.text(of: error),
            "copy the bundle again, or leave the model out of the rules"))
      }
    }
    if findings.isEmpty, configuration.role != .listener {
      findings.append(
        .warning(
          "models", "no rule names a model: nothing is segmented", "add a rule to the configuration"
        ))
    }
    return findings
  }

  /// Certificates, now and in a month, and files with passwords.
  private func secretFindings() -> [Finding] {
    let month = Date(timeIntervalSinceNow: 30 * 86400)
    let servers =
      configuration.listeners.map { ("listener \($0.aeTitle)", $0.tls) }
      + [("HTTP server", configuration.web?.tls)]
    var faults: [(String, now: String?, later: String?)] = servers.compactMap { name, tls in
      tls.map { (name, $0.certificateFault(), $0.certificateFault(at: month)) }
    }
    let peers =
      configuration.destinations.map { ("destination \($0.name)", $0.tls) }
      + [
        ("query source", configuration.querySource?.tls),
        ("worklist", configuration.worklist?.tls), ("head", configuration.handover.to?.tls),
      ]
      + configuration.storageCommitment.peers.map { ("storage commitment \($0.aeTitle)", $0.tls) }
    let others =
      configuration.notifications.recipients.map { ("recipient \($0.name)", $0.tls) }
      + [
        ("syslog server", configuration.audit.syslog?.tls),
        ("receiver of traces", configuration.tracing?.tls),
      ]
    faults += others.compactMap { name, tls in
      tls.map { (name, $0.fault(), $0.fault(at: month)) }
    }
    faults += peers.compactMap { name, tls in tls.map { (name, $0.fault(), $0.fault(at: month)) } }
    return faults.map { name, now, later in
      if let now {
        return .fault("TLS of \(name)", now, "renew or correct the files that it names")
      }
      if let later { return .warning("TLS of \(name)", "within 30 days: \(later)", "renew it") }
      return .good("TLS of \(name)", "valid for at least 30 days")
    }
  }
}
