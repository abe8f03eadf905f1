import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Posts each message as JSON to a web service. Redirections are not followed: they would carry the token
/// elsewhere.
public struct WebhookChannel: NotificationChannel {
  public var url: String
  public var tokenFile: String?
  public var tls: NotificationTLS?
  public var timeoutSeconds: Int

  public init(
    url: String, tokenFile: String? = nil, tls: NotificationTLS? = nil, timeoutSeconds: Int
  ) {
    self.url = url
    self.tokenFile = tokenFile
    self.tls = tls
    self.timeoutSeconds = timeoutSeconds
  }

  /// Without path and query, which may be a secret.
  var place: String {
    guard let parts = URLComponents(string: url), let scheme = parts.scheme, let host = parts.host
    else { return "the webhook" }
    return "\(scheme)://\(host)" + (parts.port.map { ":\($0)" } ?? "")
  }

  public func send(_ message: NotificationMessage) async throws {
    let status = try await request(.POST, body: try message.json)
    guard (200..<300).contains(status) else {
      throw NotificationError.refused(place: place, code: status, reason: "")
    }
  }

  /// By HEAD, which posts nothing; a service that knows POST alone answers that it does not know HEAD.
  public func check() async throws -> String {
    let status = try await request(.HEAD, body: nil)
    guard ![401, 403].contains(status), status < 500 else {
      throw NotificationError.refused(place: place, code: status, reason: "")
    }
    return "\(place) answers"
  }

  private func request(_ method: HTTPMethod, body: Data?) async throws -> Int {
    var request = HTTPClientRequest(url: url)
    request.method = method
    request.headers.add(name: "User-Agent", value: "segmentd")
    if let tokenFile {
      request.headers.add(name: "Authorization", value: "Bearer \(try secret(tokenFile))")
    }
    if let body {
      request.headers.add(name: "Content-Type", value: "application/json")
      request.body = .bytes(ByteBuffer(bytes: body))
    }
    // Messages are rare: no connection is kept.
    let client = HTTPClient(
      eventLoopGroup: MultiThreadedEventLoopGroup.singleton, configuration: try configuration())
    let answer: Result<Int, any Error>
    do {
      let response = try await client.execute(request, timeout: .seconds(Int64(timeoutSeconds)))
      answer = .success(Int(response.status.code))
    } catch {
      answer = .failure(error)
    }
    try? await client.shutdown()
    do { return try answer.get() } catch {
      if Task.isCancelled { throw CancellationError() }
      throw NotificationError.unreachable(place: place, reason: Self.words(error))
    }
  }

  private func configuration() throws -> HTTPClient.Configuration {
    var configuration = HTTPClient.Configuration()
    configuration.redirectConfiguration = .disallow
    configuration.httpVersion = .http1Only
    configuration.connectionPool.retryConnectionEstablishment = false
    configuration.timeout.connect = .seconds(Int64(timeoutSeconds))
    configuration.tlsConfiguration = try TLSConfiguration(client: tls)
    return configuration
  }

  private static func words(_ error: any Error) -> String {
    switch error {
    case let error as HTTPClientError: return error.shortDescription
    case let error as IOError: return String(cString: strerror(error.errnoCode))
    case let error as NIOConnectionError:
      return error.connectionErrors.first.map { words($0.error) } ?? "the host is not known"
    default:
      let text = "\(error)"
      if text.contains("CERTIFICATE_VERIFY_FAILED") {
        return "its certificate is not trusted, or is not valid now"
      }
      return text.contains("WRONG_VERSION_NUMBER") ? "it does not speak TLS" : text
    }
  }
}

extension TLSConfiguration {
  /// - Throws: ``NotificationError/unusableFile(_:reason:)``
  fileprivate init(client tls: NotificationTLS?) throws {
    self = .makeClientConfiguration()
    minimumTLSVersion = .tlsv12
    guard let tls else { return }
    var file = ""
    do {
      if let trusted = tls.trusted {
        file = trusted
        trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(trusted))
      }
      if let certificate = tls.certificate, let key = tls.key {
        file = certificate
        certificateChain = try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) }
        file = key
        privateKey = .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
      }
    } catch {
      throw NotificationError.unusableFile(file, reason: "it is no certificate or key in PEM")
    }
    if !tls.verifiesServer { certificateVerification = .none }
  }
}
