import DICOM
import DICOMNetwork
import Foundation

extension SiteConfiguration.Listener {
  /// Checks what the types alone cannot. Certificates are checked where they are used, and by
  /// ``certificateFault(at:)``.
  ///
  /// - Parameters:
  ///   - check: makes the errors.
  ///   - name: of the listener in messages: `listener`, or `listener[1]` in a list.
  func check(_ check: ValueCheck, name: String) throws(ConfigurationError) {
    try check.port(port, "\(name).port")
    try check.aeTitle(aeTitle, "\(name).aeTitle")
    try check.address(address, "\(name).address")
    for title in callingAETitles { try check.aeTitle(title, "\(name).callingAETitles") }
    for peer in peers {
      if let title = peer.aeTitle { try check.aeTitle(title, "\(name).peers.aeTitle") }
      guard peer.aeTitle != nil || !peer.addresses.isEmpty else {
        throw check.fault("\(name).peers: an entry has neither aeTitle nor addresses")
      }
      try check.addressRanges(peer.addresses, "\(name).peers.addresses")
    }
    for uid in sopClasses.stored where !DICOMUID.isValid(uid) {
      throw check.fault("\(name).sopClasses.stored: \"\(uid)\" is not a UID")
    }
    try checkLimits(check, name: name)
    try check.tls(tls, "\(name).tls")
  }

  private func checkLimits(_ check: ValueCheck, name: String) throws(ConfigurationError) {
    let counts = [
      ("maximumAssociations", maximumAssociations),
      ("limits.associationsPerAddress", limits.associationsPerAddress ?? 1),
      ("limits.waitingConnections", limits.waitingConnections),
      ("limits.waitingConnectionsPerAddress", limits.waitingConnectionsPerAddress),
      ("limits.requestSeconds", limits.requestSeconds),
      ("limits.idleSeconds", limits.idleSeconds), ("limits.pduSeconds", limits.pduSeconds),
      ("limits.objectSeconds", limits.objectSeconds),
    ]
    for (key, value) in counts { try check.count(value, "\(name).\(key)") }
    try check.gigabytes(
      object: limits.objectGB, reserve: limits.diskReserveGB, "\(name).limits")
  }

  /// What is wrong with its certificate, if it has one.
  public func certificateFault(at time: Date = Date()) -> String? {
    tls?.certificateFault(at: time)
  }
}

extension SiteConfiguration.TLS {
  /// What is wrong with certificate and key at a time: they cannot be read, do not belong together,
  /// or are not valid then. Nil where nothing is.
  public func certificateFault(at time: Date = Date()) -> String? {
    do throws(DICOMNetworkError) {
      return CertificateFault(certificate, validity: try security.validity(), at: time)?.description
    } catch {
      return error.description
    }
  }
}
