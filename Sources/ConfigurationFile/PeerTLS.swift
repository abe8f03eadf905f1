import DICOMNetwork
import Foundation
import StrictYAML

extension SiteConfiguration {
  /// TLS to a service that we call; files are in PEM.
  public struct PeerTLS: Decodable, Sendable, Equatable {
    /// Certificates of those who sign the peer's. Of a web service nil for those that the system trusts.
    public var trusted: String?
    /// Ours, for a peer that asks for one.
    public var certificate: String?
    public var key: String?
    /// The name or address that the peer's certificate has to be for, where that is not its host.
    public var peerName: String?
    /// Whether the peer's certificate is checked.
    public var verifyPeer = true

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case trusted, certificate, key, peerName, verifyPeer
    }

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      trusted = try values.decodeIfPresent(String.self, forKey: .trusted)
      certificate = try values.decodeIfPresent(String.self, forKey: .certificate)
      key = try values.decodeIfPresent(String.self, forKey: .key)
      peerName = try values.decodeIfPresent(String.self, forKey: .peerName)
      verifyPeer = try values.decodeIfPresent(Bool.self, forKey: .verifyPeer) ?? verifyPeer
    }

    /// Makes paths absolute.
    mutating func resolve(_ path: (String) -> String) {
      trusted = trusted.map(path)
      certificate = certificate.map(path)
      key = key.map(path)
    }

    public var security: PeerSecurity {
      PeerSecurity(
        trusted: trusted, certificate: certificate, key: key, peerName: peerName,
        verifiesPeer: verifyPeer)
    }

    /// What is wrong with the files at a time: they cannot be read, do not belong together, or our own
    /// certificate is not valid then. Nil where nothing is.
    public func fault(at time: Date = Date()) -> String? {
      do throws(DICOMNetworkError) {
        return try security.validity().flatMap {
          CertificateFault(certificate ?? "", validity: $0, at: time)?.description
        }
      } catch {
        return error.description
      }
    }
  }
}

/// A certificate that is not valid at a time.
struct CertificateFault: CustomStringConvertible {
  var description: String

  /// Nil where it is valid.
  init?(_ certificate: String, validity: Range<Date>, at time: Date) {
    guard !validity.contains(time) else { return nil }
    let isExpired = time >= validity.upperBound
    let date = (isExpired ? validity.upperBound : validity.lowerBound)
      .formatted(.iso8601.year().month().day())
    let words =
      isExpired
      ? (validity.upperBound > Date() ? "expires on" : "expired on") : "is not valid before"
    description = "\(certificate): the certificate \(words) \(date)"
  }
}

extension ValueCheck {
  /// TLS to a peer, or to the web service of a `url`, where the system's authorities are trusted if none are
  /// named. Certificates themselves are checked where they are used.
  func tls(_ tls: SiteConfiguration.PeerTLS?, _ name: String, url: String? = nil)
    throws(ConfigurationError)
  {
    guard let tls else { return }
    let isWeb = url != nil
    guard url.map({ URL(string: $0)?.scheme?.lowercased() == "https" }) ?? true else {
      throw fault("\(name): means nothing with a url of http; use https")
    }
    guard (tls.certificate == nil) == (tls.key == nil) else {
      throw fault("\(name): certificate and key belong together")
    }
    guard isWeb || tls.trusted != nil || !tls.verifyPeer else {
      throw fault("\(name).trusted: missing: the certificates of those who sign the peer's")
    }
    guard !isWeb || tls.peerName == nil else {
      throw fault("\(name).peerName: means nothing with url, whose host is the name")
    }
  }

  /// A DICOMweb service and how it knows us, by a secret whose file others must not be able to read where
  /// it `isPrivate`.
  func web(
    _ url: String, user: String?, passwordFile: String?, tokenFile: String?, isPrivate: Bool,
    _ name: String
  ) throws(ConfigurationError) {
    let parsed = URL(string: url)
    guard let host = parsed?.host, !host.isEmpty, ["http", "https"].contains(parsed?.scheme ?? "")
    else { throw fault("\(name).url: \"\(url)\" is no http or https URL") }
    guard parsed?.user == nil, parsed?.password == nil, parsed?.query == nil else {
      throw fault("\(name).url: user, password and query have no place in it")
    }
    guard (user == nil) == (passwordFile == nil) else {
      throw fault("\(name): user and passwordFile belong together")
    }
    guard user == nil || tokenFile == nil else {
      throw fault("\(name): user and tokenFile exclude each other")
    }
    let isSecret = user != nil || tokenFile != nil
    guard
      !isSecret || parsed?.scheme == "https" || ["127.0.0.1", "localhost", "::1"].contains(host)
    else { throw fault("\(name).url: without https a password would be sent in the clear") }
    for file in [passwordFile, tokenFile].compactMap(\.self) {
      guard FileManager.default.isReadableFile(atPath: file) else {
        throw fault("\(name): \(file) cannot be read")
      }
      if isPrivate, let reason = SecretFile.fault(file) { throw fault("\(name): \(reason)") }
    }
  }
}

/// A file whose first line is a password or token.
public enum SecretFile {
  /// Why others may know or change the secret; nil where they cannot.
  public static func fault(_ file: String) -> String? {
    let attributes = try? FileManager.default.attributesOfItem(
      atPath: URL(fileURLWithPath: file).resolvingSymlinksInPath().path)
    let mode = (attributes?[.posixPermissions] as? NSNumber)?.intValue ?? 0
    guard mode & 0o027 != 0 else { return nil }
    let text = String(mode, radix: 8)
    return "\(file): others can read or change it (mode \(text)); chmod 600 or 640"
  }
}
