import DICOMNetwork
import Foundation

/// Checks of single values, which name the file and the key in their errors.
struct ValueCheck {
  let file: String

  func fault(_ message: String) -> ConfigurationError {
    .invalid(file: file, line: nil, message: message)
  }

  func port(_ port: Int, _ name: String) throws(ConfigurationError) {
    guard (1...65535).contains(port) else {
      throw fault("\(name): port \(port) is not between 1 and 65535")
    }
  }

  func aeTitle(_ title: String, _ name: String) throws(ConfigurationError) {
    // PS3.5 6.2: at most 16 characters, no backslash, no control characters.
    let allowed = title.unicodeScalars.allSatisfy {
      (0x20...0x7e).contains($0.value) && $0 != "\\"
    }
    let trimmed = title.trimmingCharacters(in: .whitespaces)
    guard !trimmed.isEmpty, trimmed == title, title.utf8.count <= 16, allowed else {
      throw fault(
        "\(name): \"\(title)\" is not an AE title (1 to 16 characters, no backslash, no space at "
          + "either end)")
    }
  }

  /// Of a socket that listens.
  func address(_ address: String, _ name: String) throws(ConfigurationError) {
    guard AddressRange(address) != nil, !address.contains("/") else {
      throw fault("\(name): \"\(address)\" is not an IPv4 or IPv6 address")
    }
  }

  func addressRanges(_ ranges: [String], _ name: String) throws(ConfigurationError) {
    for range in ranges where AddressRange(range) == nil {
      throw fault(
        "\(name): \"\(range)\" is neither an address nor a range such as 10.1.0.0/16 or fd00::/8, "
          + "whose bits behind the prefix are zero")
    }
  }

  /// A limit of number or time.
  func count(_ value: Int, _ name: String) throws(ConfigurationError) {
    guard value > 0 else { throw fault("\(name): \(value) is not positive") }
    guard value <= 100_000 else { throw fault("\(name): \(value) is above 100000") }
  }

  /// A limit of size and a reserve.
  func gigabytes(object: Double, reserve: Double?, _ name: String) throws(ConfigurationError) {
    guard object > 0, object <= 1e6 else {
      throw fault("\(name).objectGB: \(object) is not between 0 and 1000000")
    }
    guard (0...1e6).contains(reserve ?? 0) else {
      throw fault("\(name).diskReserveGB: \(reserve ?? 0) is not between 0 and 1000000")
    }
  }

  func tls(_ tls: SiteConfiguration.TLS?, _ name: String) throws(ConfigurationError) {
    if let tls, tls.clientCertificates != .none, tls.trusted == nil {
      throw fault(
        "\(name).trusted: missing, and clientCertificates: \(tls.clientCertificates.rawValue) "
          + "needs the certificates of those who sign them")
    }
  }
}
