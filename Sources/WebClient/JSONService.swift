import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// A web service that takes JSON by POST. Redirections are not followed: they would carry the token elsewhere.
///
/// ```swift
/// let service = JSONService(url: "https://chat.example/hook", timeoutSeconds: 30)
/// let status = try await service.post(body)
/// ```
public struct JSONService: Sendable {
  public var url: String
  /// A file whose first line is a bearer token.
  public var tokenFile: String?
  public var tls: ServiceTLS?
  /// For the connection, and for a request.
  public var timeoutSeconds: Int

  public init(
    url: String, tokenFile: String? = nil, tls: ServiceTLS? = nil, timeoutSeconds: Int
  ) {
    self.url = url
    self.tokenFile = tokenFile
    self.tls = tls
    self.timeoutSeconds = timeoutSeconds
  }

  /// Without path and query, which may be a secret.
  public var place: String {
    guard let parts = URLComponents(string: url), let scheme = parts.scheme, let host = parts.host
    else { return "the web service" }
    return "\(scheme)://\(host)" + (parts.port.map { ":\($0)" } ?? "")
  }

  /// What a service answers.
  public struct Answer: Sendable {
    public var status: Int
    /// Empty where it is longer than 64 KiB.
    public var body: Data
  }

  /// - Returns: the status of the answer.
  /// - Throws: ``ServiceError``, or `CancellationError`
  public func post(_ json: Data) async throws -> Int { try await request(.POST, json).status }

  /// - Returns: the answer with what it says.
  /// - Throws: ``ServiceError``, or `CancellationError`
  public func exchange(_ json: Data) async throws -> Answer {
    try await request(.POST, json, readsBody: true)
  }

  /// Asks for nothing but an answer.
  ///
  /// - Returns: the status of the answer.
  /// - Throws: ``ServiceError``, or `CancellationError`
  public func head() async throws -> Int { try await request(.HEAD, nil).status }

  /// Over a connection of its own: requests are rare.
  private func request(
    _ method: HTTPMethod, _ json: Data?, readsBody: Bool = false
  ) async throws -> Answer {
    var request = HTTPClientRequest(url: url)
    request.method = method
    request.headers.add(name: "User-Agent", value: "segmentd")
    if let tokenFile {
      request.headers.add(name: "Authorization", value: "Bearer \(try secret(tokenFile))")
    }
    if let json {
      request.headers.add(name: "Content-Type", value: "application/json")
      request.body = .bytes(ByteBuffer(bytes: json))
    }
    let client = HTTPClient(
      eventLoopGroup: MultiThreadedEventLoopGroup.singleton, configuration: try configuration())
    let answer: Result<Answer, any Error>
    do {
      let response = try await client.execute(request, timeout: .seconds(Int64(timeoutSeconds)))
      let body = try await readsBody ? Self.body(of: response) : Data()
      answer = .success(Answer(status: Int(response.status.code), body: body))
    } catch {
      answer = .failure(error)
    }
    try? await client.shutdown()
    do { return try answer.get() } catch {
      if Task.isCancelled { throw CancellationError() }
      throw ServiceError.unreachable(place: place, reason: Self.words(error))
    }
  }

  private static func body(of response: HTTPClientResponse) async throws -> Data {
    do {
      return Data(try await response.body.collect(upTo: 65_536).readableBytesView)
    } catch is NIOTooManyBytesError {
      return Data()
    }
  }

  private func configuration() throws -> HTTPClient.Configuration {
    var configuration = HTTPClient.Configuration()
    configuration.redirectConfiguration = .disallow
    configuration.httpVersion = .http1Only
    configuration.connectionPool.retryConnectionEstablishment = false
    configuration.timeout.connect = .seconds(Int64(timeoutSeconds))
    configuration.timeout.read = .seconds(Int64(timeoutSeconds))
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
