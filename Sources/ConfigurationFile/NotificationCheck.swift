import Foundation

extension SiteConfiguration.Notifications {
  /// The name of a receiver of traces in the ledger, which no recipient may have.
  public static let reservedName = "segmentd traces"

  func check(_ check: ValueCheck) throws(ConfigurationError) {
    for (key, value) in [
      ("groupMinutes", groupMinutes), ("destinationMinutes", destinationMinutes),
    ] where !(0...1440).contains(value) {
      throw check.fault("notifications.\(key): \(value) is not between 0 and 1440")
    }
    try check.count(perHour, "notifications.perHour")
    if let diskFreeGB, !(diskFreeGB > 0 && diskFreeGB <= 1e6) {
      throw check.fault("notifications.diskFreeGB: \(diskFreeGB) is not between 0 and 1000000")
    }
    var names = Set<String>()
    for recipient in recipients {
      guard !recipient.name.isEmpty, names.insert(recipient.name).inserted else {
        throw check.fault(
          "notifications.recipients: the name \"\(recipient.name)\" is empty or used twice")
      }
      guard recipient.name != Self.reservedName else {
        throw check.fault(
          "notifications.recipients: \"\(recipient.name)\" is the name of the receiver of traces")
      }
      try recipient.check(check, "notifications.recipients.\(recipient.name)")
    }
  }
}

extension SiteConfiguration.Notifications.Recipient {
  fileprivate func check(_ check: ValueCheck, _ name: String) throws(ConfigurationError) {
    switch service {
    case .webhook(let web):
      try check.web(
        web.url, user: nil, passwordFile: nil, tokenFile: web.tokenFile, isPrivate: true, name)
      try check.tls(tls, "\(name).tls", url: web.url)
    case .email(let email): try self.check(email, check, name)
    }
    guard !events.isEmpty else {
      throw check.fault("\(name).events: is empty, so that it would be told nothing")
    }
    try check.count(timeoutSeconds, "\(name).timeoutSeconds")
  }

  private func check(_ email: Email, _ check: ValueCheck, _ name: String)
    throws(ConfigurationError)
  {
    guard !email.host.isEmpty, !email.host.contains(where: { $0.isWhitespace || "/@".contains($0) })
    else { throw check.fault("\(name).host: \"\(email.host)\" is no host") }
    try check.port(email.port, name)
    guard !email.to.isEmpty else { throw check.fault("\(name).to: is empty") }
    for address in [email.from] + email.to where !Self.isAddress(address) {
      throw check.fault("\(name): \"\(address)\" is no e-mail address such as it@hospital.example")
    }
    guard (email.user == nil) == (email.passwordFile == nil) else {
      throw check.fault("\(name): user and passwordFile belong together")
    }
    if let file = email.passwordFile {
      guard
        email.security != .none || ["127.0.0.1", "localhost", "::1"].contains(email.host)
      else {
        throw check.fault("\(name).security: with none the password would be sent in the clear")
      }
      guard FileManager.default.isReadableFile(atPath: file) else {
        throw check.fault("\(name): \(file) cannot be read")
      }
      if let reason = SecretFile.fault(file) { throw check.fault("\(name): \(reason)") }
    }
    guard let tls else { return }
    guard email.security != .none else {
      throw check.fault("\(name).tls: means nothing with security: none")
    }
    guard (tls.certificate == nil) == (tls.key == nil) else {
      throw check.fault("\(name).tls: certificate and key belong together")
    }
    guard tls.peerName == nil else {
      throw check.fault("\(name).tls.peerName: means nothing here, where host is the name")
    }
  }

  /// A part of ASCII without separators, an @ and a domain: what every mail server takes.
  private static func isAddress(_ text: String) -> Bool {
    let parts = text.split(separator: "@", omittingEmptySubsequences: false)
    let isPlain = text.unicodeScalars.allSatisfy {
      (0x21...0x7E).contains($0.value) && !"<>()[],;:\\\"".unicodeScalars.contains($0)
    }
    return isPlain && parts.count == 2 && parts.allSatisfy { !$0.isEmpty }
  }
}
