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
    guard AddressRange(address) != nil, !address.contains("/") else {
      throw check.fault("\(name).address: \"\(address)\" is not an IPv4 or IPv6 address")
    }
    for title in callingAETitles { try check.aeTitle(title, "\(name).callingAETitles") }
    for peer in peers {
      if let title = peer.aeTitle { try check.aeTitle(title, "\(name).peers.aeTitle") }
      guard peer.aeTitle != nil || !peer.addresses.isEmpty else {
        throw check.fault("\(name).peers: an entry has neither aeTitle nor addresses")
      }
      for address in peer.addresses where AddressRange(address) == nil {
        throw check.fault(
          "\(name).peers.addresses: \"\(address)\" is neither an address nor a range such as "
            + "10.1.0.0/16 or fd00::/8, whose bits behind the prefix are zero")
      }
    }
    for uid in sopClasses.stored where !DICOMUID.isValid(uid) {
      throw check.fault("\(name).sopClasses.stored: \"\(uid)\" is not a UID")
    }
    try checkLimits(check, name: name)
    if let tls, tls.clientCertificates != .none, tls.trusted == nil {
      throw check.fault(
        "\(name).tls.trusted: missing, and clientCertificates: \(tls.clientCertificates.rawValue) "
          + "needs the certificates of those who sign them")
    }
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
    for (key, value) in counts {
      guard value > 0 else { throw check.fault("\(name).\(key): \(value) is not positive") }
      guard value <= 100_000 else { throw check.fault("\(name).\(key): \(value) is above 100000") }
    }
    guard limits.objectGB > 0, limits.objectGB <= 1e6 else {
      throw check.fault("\(name).limits.objectGB: \(limits.objectGB) is not between 0 and 1000000")
    }
    guard (0...1e6).contains(limits.diskReserveGB ?? 0) else {
      throw check.fault(
        "\(name).limits.diskReserveGB: \(limits.diskReserveGB ?? 0) is not between 0 and 1000000")
    }
  }

  /// What is wrong with certificate and key at a time: they cannot be read, do not belong together,
  /// or are not valid then. Nil where nothing is, and without TLS.
  public func certificateFault(at time: Date = Date()) -> String? {
    guard let tls else { return nil }
    do throws(DICOMNetworkError) {
      let validity = try tls.security.validity()
      guard !validity.contains(time) else { return nil }
      let isExpired = time >= validity.upperBound
      let date = (isExpired ? validity.upperBound : validity.lowerBound)
        .formatted(.iso8601.year().month().day())
      return "\(tls.certificate): the certificate "
        + (isExpired ? "expired on \(date)" : "is not valid before \(date)")
    } catch {
      return error.description
    }
  }
}
