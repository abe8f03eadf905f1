import Credentials
import DICOMNetwork

extension SiteConfiguration.Web {
  /// Checks what the types alone cannot.
  ///
  /// - Parameters:
  ///   - check: makes the errors.
  ///   - hasListeners: whether there are listeners that hand over, each with a token.
  func check(_ check: ValueCheck, hasListeners: Bool) throws(ConfigurationError) {
    try check.port(port, "web.port")
    try check.address(address, "web.address")
    guard stow || monitoring || dashboard != nil || hasListeners else {
      throw check.fault(
        "web: nothing is served; set stow, monitoring or dashboard to true, or leave the section out"
      )
    }
    let taken: Set = [
      "login", "logout", "static", "events", "studies", "jobs", "queue", "held", "refused",
      "destinations", "models", "rules", "system", "processing", "api", "metrics", "healthz",
      "readyz", "handover",
    ]
    let first = prefix.dropFirst().split(separator: "/").first.map(String.init) ?? ""
    guard !stow || !taken.contains(first) else {
      throw check.fault("web.prefix: \"\(prefix)\" is a path of the dashboard or of monitoring")
    }
    let steps = prefix.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
    guard prefix.hasPrefix("/"), !steps.contains(where: { !Self.isPathStep($0) }) else {
      throw check.fault(
        "web.prefix: \"\(prefix)\" is not a path such as /dicom-web (letters, digits, - and _)")
    }
    try check.addressRanges(addresses, "web.addresses")
    try checkClients(check)
    try checkLimits(check)
    try check.tls(tls, "web.tls")
    try checkExposure(check, hasListeners)
    try checkDashboard(check)
  }

  private func checkDashboard(_ check: ValueCheck) throws(ConfigurationError) {
    guard let dashboard else { return }
    let key = "web.dashboard"
    try check.count(dashboard.sessionMinutes, "\(key).sessionMinutes")
    for host in dashboard.hosts where host.isEmpty || host.contains("/") || host.contains(" ") {
      throw check.fault("\(key).hosts: \"\(host)\" is not a host such as segmentd.hospital:8042")
    }
    // Any name that leads here could be that of somebody else's page (DNS rebinding).
    guard isLoopback || !dashboard.hosts.isEmpty else {
      throw check.fault(
        "\(key).hosts: missing; beyond this machine (address \(address)) say by which names browsers "
          + "reach it, such as [segmentd.hospital]")
    }
    guard let proxy = dashboard.proxy else {
      guard isLoopback || users.contains(where: { $0.role != "sender" }) else {
        throw check.fault(
          "\(key): beyond this machine (address \(address)) people have to log in: give one of "
            + "web.users the role viewer or operator")
      }
      return
    }
    guard !proxy.addresses.isEmpty else {
      throw check.fault("\(key).proxy.addresses: empty; say where the proxy is")
    }
    try check.addressRanges(proxy.addresses, "\(key).proxy.addresses")
    guard Self.isPathStep(proxy.userHeader[...]) else {
      throw check.fault("\(key).proxy.userHeader: \"\(proxy.userHeader)\" is not a field's name")
    }
    for (user, role) in proxy.roles where !["viewer", "operator"].contains(role) {
      throw check.fault("\(key).proxy.roles.\(user): \"\(role)\" is not viewer or operator")
    }
  }

  private func checkRole(
    _ role: String, _ key: String, _ check: ValueCheck
  ) throws(ConfigurationError) {
    guard ["sender", "viewer", "operator"].contains(role) else {
      throw check.fault("\(key): \"\(role)\" is not sender, viewer or operator")
    }
  }

  /// Whoever can reach the port from another machine has to prove who it is, and nobody may listen.
  private func checkExposure(_ check: ValueCheck, _ hasListeners: Bool) throws(ConfigurationError) {
    guard !isLoopback else { return }
    guard let tls else {
      throw check.fault(
        "web.tls: missing; beyond this machine (address \(address)) requests come over TLS only")
    }
    let hasSecrets = !users.isEmpty || !tokens.isEmpty || hasListeners
    guard tls.clientCertificates == .require || hasSecrets else {
      throw check.fault(
        "web: beyond this machine (address \(address)) clients have to prove who they are: set "
          + "tls.clientCertificates: require, users or tokens")
    }
  }

  /// Whether only this machine reaches the port.
  package var isLoopback: Bool {
    ["127.0.0.0/8", "::1"].compactMap(AddressRange.init).contains { $0.contains(address) }
  }

  private static func isPathStep(_ step: Substring) -> Bool {
    !step.isEmpty
      && step.utf8.allSatisfy {
        (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
          || $0 == 0x2D || $0 == 0x5F
      }
  }

  private func checkClients(_ check: ValueCheck) throws(ConfigurationError) {
    var names = Set<String>()
    for (key, name, role) in users.map({ ("users", $0.name, $0.role) })
      + tokens.map({ ("tokens", $0.name, $0.role) })
    {
      try checkRole(role, "web.\(key).\(name).role", check)
    }
    for (key, name, hash, addresses) in users.map({
      ("users", $0.name, $0.passwordHash, $0.addresses)
    }) + tokens.map({ ("tokens", $0.name, $0.tokenHash, $0.addresses) }) {
      // The ledger records it as a calling AE title, and HTTP as a user name.
      let isPlain = name.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != 0x3A && $0 != 0x5C }
      guard (1...16).contains(name.utf8.count), isPlain else {
        throw check.fault(
          "web.\(key): \"\(name)\" is not a name of 1 to 16 characters without spaces, : and \\")
      }
      guard names.insert(name).inserted else {
        throw check.fault("web.\(key): the name \"\(name)\" is used twice")
      }
      guard SecretHash(hash) != nil else {
        throw check.fault(
          "web.\(key).\(name): not a hash as \"segmentd config hash-password\" prints it")
      }
      try check.addressRanges(addresses, "web.\(key).\(name).addresses")
    }
  }

  private func checkLimits(_ check: ValueCheck) throws(ConfigurationError) {
    let counts = [
      ("connections", limits.connections), ("connectionsPerAddress", limits.connectionsPerAddress),
      ("requests", limits.requests), ("headerSeconds", limits.headerSeconds),
      ("idleSeconds", limits.idleSeconds), ("bodySeconds", limits.bodySeconds),
      ("objectSeconds", limits.objectSeconds),
    ]
    for (key, value) in counts { try check.count(value, "web.limits.\(key)") }
    try check.gigabytes(object: limits.objectGB, reserve: limits.diskReserveGB, "web.limits")
  }
}
