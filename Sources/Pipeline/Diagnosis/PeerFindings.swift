import ConfigurationFile
import DICOM
import DICOMNetwork
import DICOMweb
import Foundation
import Results

extension Diagnosis {
  /// Names, C-ECHO and what is taken, of every destination and the query source.
  func peerFindings() async -> [Finding] {
    var findings: [Finding] = []
    for destination in configuration.destinations {
      let subject = "destination \(destination.name)"
      switch destination.service {
      case .dimse(let dimse):
        findings.append(
          await finding(
            subject, Peer(dimse, destination.tls), takes: [SegmentationStorage.sopClassUID],
            timeout: destination.timeoutSeconds))
      case .stow(let web):
        findings.append(
          await finding(subject, url: web.url, destination.tls) { () throws(ConfigurationError) in
            try web.authorization
          })
      }
    }
    switch configuration.querySource?.service {
    case .dimse(let source)?:
      let peer = Peer(
        aeTitle: source.aeTitle, host: source.host, port: source.port,
        security: configuration.querySource?.tls?.security)
      findings.append(await finding("query source", peer, takes: [], timeout: 30))
    case .dicomweb(let source)?:
      findings.append(
        await finding("query source", url: source.url, configuration.querySource?.tls) {
          () throws(ConfigurationError) in try source.authorization
        })
    case nil: break
    }
    for peer in configuration.storageCommitment.peers {
      let peer = Peer(
        aeTitle: peer.aeTitle, host: peer.host, port: peer.port, security: peer.tls?.security)
      findings.append(
        await finding("storage commitment \(peer.aeTitle)", peer, takes: [], timeout: 30))
    }
    if configuration.destinations.isEmpty {
      findings.append(
        .warning("destinations", "none: results stay here", "add one to the configuration"))
    }
    return findings
  }

  private func finding(_ subject: String, _ peer: Peer, takes classes: [String], timeout: Int) async
    -> Finding
  {
    if let fault = Self.nameFault(peer.host) { return .fault(subject, fault, Self.nameAdvice) }
    do throws(DICOMNetworkError) {
      let accepted = try await StorageSCU(
        callingAETitle: configuration.installation, timeout: timeout
      ).accepted(classes, by: peer)
      let missing = classes.filter { !accepted.contains($0) }
      guard missing.isEmpty else {
        return .fault(
          subject, "\(peer) answers C-ECHO, and does not take \(missing.joined(separator: ", "))",
          "have it accept Segmentation Storage from \(configuration.installation)")
      }
      let taken = classes.isEmpty ? "" : " and takes Segmentation Storage"
      return .good(subject, "\(peer) answers C-ECHO\(taken)")
    } catch {
      guard case .rejected = error else {
        return .fault(
          subject, error.description, "see whether it works, and whether a firewall is between")
      }
      return .fault(
        subject, error.description,
        "make the AE title \(configuration.installation) with this machine's address known to it, and "
          + "compare its own AE title")
    }
  }

  /// Asks for the instances of a series that nobody has.
  private func finding(
    _ subject: String, url text: String, _ tls: SiteConfiguration.PeerTLS?,
    _ authorization: () throws(ConfigurationError) -> DICOMwebClient.Authorization
  ) async -> Finding {
    guard let url = URL(string: text), let host = url.host else {
      return .fault(subject, "\(text) is no URL", "mend it in the configuration")
    }
    if let fault = Self.nameFault(host) { return .fault(subject, fault, Self.nameAdvice) }
    do {
      let client = DICOMwebClient(
        url: url, authorization: try authorization(),
        security: tls.map(DICOMwebClient.Security.init))
      _ = try await client.instances(
        ofSeries: DICOMUID.named(UUID().uuidString), study: DICOMUID.named(UUID().uuidString))
      return .good(subject, "\(text) answers QIDO-RS")
    } catch DICOMwebError.refused(_, 404) {
      return .warning(
        subject, "\(text) answers 404 to QIDO-RS",
        "see whether the URL is that of its DICOMweb service; without QIDO-RS verify: query is of no use"
      )
    } catch DICOMwebError.refused(_, let status) where [401, 403].contains(status) {
      return .fault(
        subject, "\(text) answers \(status)",
        "mend user, passwordFile or tokenFile, or the rights there")
    } catch {
      return .fault(
        subject, "\(error)", "see whether it works, and whether a firewall is between")
    }
  }

  private static let nameAdvice = "mend the host in the configuration, or DNS (/etc/resolv.conf)"

  private static func nameFault(_ host: String) -> String? {
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, nil, nil, &list)
    defer { if let list { freeaddrinfo(list) } }
    return code == 0 ? nil : "the name \(host) is not known: \(String(cString: gai_strerror(code)))"
  }
}
