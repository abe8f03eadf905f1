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
            subject, Peer(dimse, destination.tls),
            takes: destination.sopClasses(of: configuration.results),
            needs: destination.takes == nil
              ? [SegmentationStorage.sopClassUID]
              : destination.sopClasses(of: configuration.results),
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
    if let worklist = configuration.worklist {
      findings.append(
        await finding("worklist", url: worklist.url, worklist.tls, service: "UPS-RS") {
          () throws(ConfigurationError) in
          try .init(
            user: worklist.user, passwordFile: worklist.passwordFile,
            tokenFile: worklist.tokenFile, isPrivate: true)
        } ask: { client in
          _ = try await client.scheduledWorkitems(station: worklist.station, refusingUnknown: true)
        })
    }
    for peer in configuration.storageCommitment.peers {
      let peer = Peer(
        aeTitle: peer.aeTitle, host: peer.host, port: peer.port, security: peer.tls?.security)
      findings.append(
        await finding("storage commitment \(peer.aeTitle)", peer, takes: [], timeout: 30))
    }
    if configuration.destinations.isEmpty {
      findings.append(
        .warning("destinations", "none: results are only kept here", "add one to the configuration")
      )
    }
    return findings
  }

  /// - Parameters:
  ///   - subject: what the finding is about.
  ///   - peer: is asked by C-ECHO and an association.
  ///   - classes: SOP classes that it is to take.
  ///   - needed: those without which it is of no use; what it does not take of the others is left out there.
  ///   - timeout: in seconds.
  private func finding(
    _ subject: String, _ peer: Peer, takes classes: [String], needs needed: [String] = [],
    timeout: Int
  ) async -> Finding {
    if let fault = Self.nameFault(peer.host) { return .fault(subject, fault, Self.nameAdvice) }
    do throws(DICOMNetworkError) {
      let accepted = try await StorageSCU(
        callingAETitle: configuration.installation, timeout: timeout
      ).accepted(classes, by: peer)
      let missing = classes.filter { !accepted.contains($0) }
      let names = missing.map(DICOMUID.described).joined(separator: ", ")
      let text = "\(peer) answers C-ECHO, but does not accept \(names)"
      guard !missing.contains(where: needed.contains) else {
        return .fault(
          subject, text, "make it accept these SOP classes from \(configuration.installation)")
      }
      guard missing.isEmpty else {
        return .warning(
          subject, text + ": such objects are not sent there",
          "make it accept them, or restrict what it gets with takes: in the configuration")
      }
      let taken = classes.map(DICOMUID.described).joined(separator: ", ")
      return .good(
        subject, "\(peer) answers C-ECHO" + (taken.isEmpty ? "" : " and accepts \(taken)"))
    } catch {
      guard case .rejected = error else {
        return .fault(
          subject, error.description,
          "check whether it is running, and whether a firewall is in between")
      }
      return .fault(
        subject, error.description,
        "register the AE title \(configuration.installation) with this machine's address there, and "
          + "check its own AE title")
    }
  }

  /// By default asks whether anything answers queries.
  private func finding(
    _ subject: String, url text: String, _ tls: SiteConfiguration.PeerTLS?,
    service: String = "QIDO-RS",
    _ authorization: () throws(ConfigurationError) -> DICOMwebClient.Authorization,
    ask: (DICOMwebClient) async throws -> Void = { client in
      // Most servers answer 404 for a series that they do not have.
      guard try await !client.answersQueries() else { return }
      throw DICOMwebError.refused(url: "studies", status: 404)
    }
  ) async -> Finding {
    guard let url = URL(string: text), let host = url.host else {
      return .fault(subject, "\(text) is not a URL", "correct it in the configuration")
    }
    if let fault = Self.nameFault(host) { return .fault(subject, fault, Self.nameAdvice) }
    do {
      let client = DICOMwebClient(
        url: url, authorization: try authorization(),
        security: tls.map(DICOMwebClient.Security.init))
      try await ask(client)
      return .good(subject, "\(text) answers \(service)")
    } catch DICOMwebError.refused(_, 404) {
      let without =
        service == "QIDO-RS"
        ? "without QIDO-RS verify: query and querySource are of no use"
        : "no workitem is performed unless it is"
      return .warning(
        subject, "\(text) answers 404 to \(service)",
        "check that the URL is that of its DICOMweb service, without /studies or /workitems; "
          + without)
    } catch DICOMwebError.refused(_, let status) where [401, 403].contains(status) {
      return .fault(
        subject, "\(text) answers \(status)",
        "correct user, passwordFile or tokenFile, or the access rights there")
    } catch {
      return .fault(
        subject, "\(error)", "check whether it is running, and whether a firewall is in between")
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

extension SiteConfiguration.Destination {
  /// SOP classes of the objects that it gets, each once.
  ///
  /// - Parameter results: says which objects are made, for a destination that gets all.
  func sopClasses(of results: SiteConfiguration.Results) -> [String] {
    let kinds = takes ?? results.kinds
    return kinds.reduce(into: []) { classes, kind in
      let uid =
        switch kind {
        case .segmentation, .fractional: SegmentationStorage.sopClassUID
        case .labelmap: SegmentationStorage.labelMapSOPClassUID
        // Comprehensive 3D SR, RT Structure Set, and Secondary Capture in true colour, of one frame or many.
        case .report: "1.2.840.10008.5.1.4.1.1.88.34"
        case .rtstruct: "1.2.840.10008.5.1.4.1.1.481.3"
        case .capture:
          singleFrames ? "1.2.840.10008.5.1.4.1.1.7" : "1.2.840.10008.5.1.4.1.1.7.4"
        }
      if !classes.contains(uid) { classes.append(uid) }
    }
  }
}

extension SiteConfiguration.Results {
  /// Kinds of objects that are made, but those that a destination gets only where it says so.
  fileprivate var kinds: [SiteConfiguration.Destination.ObjectKind] {
    [.segmentation] + (report == .none ? [] : [.report]) + (captures == .none ? [] : [.capture])
      + (labelmap ? [.labelmap] : []) + (rtstruct ? [.rtstruct] : [])
  }
}
