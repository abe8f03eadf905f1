import ConfigurationFile
import DICOMNetwork
import Foundation
import WebServer

extension Diagnosis {
  /// Whether a daemon answers at the ports, or the ports are free for it.
  func portFindings() async -> [Finding] {
    var findings: [Finding] = []
    for listener in configuration.listeners { findings.append(await finding(listener)) }
    if let web = configuration.web {
      findings.append(finding("HTTP server", web.address, web.port, answers: false))
    }
    if findings.isEmpty, configuration.watch.isEmpty {
      findings.append(
        .warning(
          "listener", "neither a listener nor a watch folder: nothing is received",
          "add one to the configuration"))
    }
    for watch in configuration.watch {
      let subject = "watch folder \(watch.folder)"
      findings.append(
        access(watch.folder, R_OK | X_OK) == 0
          ? .good(subject, "can be read")
          : .fault(
            subject, String(cString: strerror(errno)),
            "create it, or make it readable for the daemon's user"))
    }
    return findings
  }

  /// Of a listener with TLS nothing is asked: it may demand a certificate of the hospital's.
  private func finding(_ listener: SiteConfiguration.Listener) async -> Finding {
    let subject = "listener \(listener.aeTitle)"
    let host = ["0.0.0.0", "::"].contains(listener.address) ? "127.0.0.1" : listener.address
    var answers = false
    if listener.tls == nil {
      let peer = Peer(aeTitle: listener.aeTitle, host: host, port: listener.port)
      do {
        try await StorageSCU(callingAETitle: configuration.installation, timeout: 5).echo(peer)
        answers = true
      } catch .rejected(_, _, let reason) {
        return .good(
          subject, "port \(listener.port) works, but does not accept this machine: \(reason)")
      } catch {
        // Not there, or something else: the port says which.
      }
    }
    return finding(subject, listener.address, listener.port, answers: answers)
  }

  private func finding(_ subject: String, _ address: String, _ port: Int, answers: Bool) -> Finding
  {
    if answers { return .good(subject, "port \(port) answers C-ECHO: the daemon is running") }
    do {
      _ = try PortReservation(address, port)
      return .good(subject, "port \(port) is free: no daemon is running")
    } catch {
      let isDaemon = (try? state.receiverLock()) == nil
      return isDaemon
        ? .good(subject, "port \(port) is open, and the daemon is running")
        : .fault(
          subject, "port \(port) of \(address): \(error)",
          "use ss -tlnp to find out which program is using it, or configure another port or address"
        )
    }
  }
}
