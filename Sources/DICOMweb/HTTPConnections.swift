import AsyncHTTPClient
import FileSystem
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOPosix
import NIOSSL

/// The head of an answer.
struct HTTPAnswer: Sendable, Equatable {
  var status: Int
  var contentType: String
  /// Seconds that the server asks to wait (RFC 9110 10.2.3).
  var retryAfter: Double?
  /// Where a redirection points.
  var location: String?
  /// Where what was made can be found (RFC 9110 8.7).
  var contentLocation: String?
}

/// Connections to one server, which are kept for the next requests. Redirections are not followed: they
/// would carry our credentials elsewhere.
final class HTTPConnections: Sendable {
  /// Why there are none, as where a certificate cannot be read.
  private let client: Result<HTTPClient, DICOMwebError>

  /// - Parameters:
  ///   - url: of the service, for messages.
  ///   - security: TLS; nil for what the system trusts.
  ///   - timeout: seconds for the connection, and without any byte.
  init(url: URL, security: DICOMwebClient.Security?, timeout: Double) {
    client = Result { () throws(DICOMwebError) in
      var configuration = HTTPClient.Configuration()
      configuration.redirectConfiguration = .disallow
      configuration.httpVersion = .http1Only
      configuration.connectionPool.retryConnectionEstablishment = false
      let time = TimeAmount.milliseconds(Int64(timeout * 1000))
      configuration.timeout = .init(connect: time, read: time, write: time)
      configuration.tlsConfiguration = try Self.tls(security, url)
      return HTTPClient(
        eventLoopGroup: MultiThreadedEventLoopGroup.singleton, configuration: configuration)
    }
  }

  deinit {
    // The client keeps itself alive until that is done.
    if case .success(let client) = client { client.shutdown { _ in } }
  }

  static func tls(_ security: DICOMwebClient.Security?, _ url: URL) throws(DICOMwebError)
    -> TLSConfiguration
  {
    var tls = TLSConfiguration.makeClientConfiguration()
    tls.minimumTLSVersion = .tlsv12
    guard let security else { return tls }
    var file = ""
    do {
      if let trusted = security.trusted {
        file = trusted
        tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(trusted))
      }
      if let certificate = security.certificate, let key = security.key {
        file = certificate
        tls.certificateChain = try NIOSSLCertificate.fromPEMFile(certificate).map {
          .certificate($0)
        }
        file = key
        tls.privateKey = .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
      }
    } catch {
      throw .unusableCertificate(url: url.absoluteString, file: file)
    }
    if !security.verifiesServer { tls.certificateVerification = .none }
    return tls
  }

  /// - Parameters:
  ///   - request: what is asked.
  ///   - duration: seconds for everything.
  ///   - receive: takes the head of the answer, with nil, then each piece of the body; what it throws ends
  ///     the request.
  func run(
    _ request: HTTPClientRequest, duration: Double,
    receive: (HTTPAnswer, Data?) throws(DICOMwebError) -> Void
  ) async throws(DICOMwebError) -> HTTPAnswer {
    let client = try client.get()
    let end = ContinuousClock.now + .seconds(duration)
    do {
      let response = try await Self.response(
        of: client, to: request, deadline: .now() + .milliseconds(Int64(duration * 1000)))
      let answer = HTTPAnswer(response)
      try receive(answer, nil)
      for try await piece in response.body {
        guard ContinuousClock.now < end else { throw HTTPClientError.deadlineExceeded }
        try receive(answer, Data(buffer: piece))
      }
      return answer
    } catch let error as DICOMwebError {
      throw error
    } catch {
      if Task.isCancelled || error is CancellationError { throw .cancelled }
      throw .unreachable(url: request.url, reason: Self.words(error))
    }
  }

  /// An answer, whatever its status, with its body.
  ///
  /// - Parameters:
  ///   - request: what is asked.
  ///   - duration: seconds for everything.
  ///   - maximum: bytes that the body may have.
  func answer(
    to request: HTTPClientRequest, duration: Double, maximum: Int
  ) async throws(DICOMwebError) -> (head: HTTPAnswer, body: Data) {
    var body = Data()
    let head = try await run(request, duration: duration) { _, data throws(DICOMwebError) in
      guard let data else { return }
      body.append(data)
      guard body.count <= maximum else {
        throw .tooLarge(
          url: request.url, reason: "the answer is larger than \(maximum) bytes")
      }
    }
    return (head, body)
  }

  /// A server may close a connection that was kept at the very moment when it is used again: what only reads is
  /// asked once more then (RFC 9110 9.2.2).
  private static func response(
    of client: HTTPClient, to request: HTTPClientRequest, deadline: NIODeadline
  ) async throws -> HTTPClientResponse {
    do {
      return try await client.execute(request, deadline: deadline)
    } catch {
      guard request.method == .GET, isLostConnection(error) else { throw error }
      return try await client.execute(request, deadline: deadline)
    }
  }

  private static func isLostConnection(_ error: any Error) -> Bool {
    switch error {
    case let error as HTTPClientError: error == .remoteConnectionClosed
    case let error as ChannelError: error == .ioOnClosedChannel
    case let error as IOError: error.errnoCode == ECONNRESET || error.errnoCode == EPIPE
    default: false
    }
  }

  private static func words(_ error: any Error) -> String {
    if isLostConnection(error) { return "the connection was lost" }
    switch error {
    case let error as HTTPClientError:
      switch error {
      case .readTimeout, .writeTimeout, .deadlineExceeded, .tlsHandshakeTimeout:
        return "it took too long"
      case .connectTimeout, .getConnectionFromPoolTimeout: return "no connection came in time"
      default: return error.shortDescription
      }
    case let error as IOError: return words(error)
    case let error as NIOConnectionError:
      if let failure = error.connectionErrors.first { return words(failure.error) }
      return "the host is not known"
    case is NIOSSLExtraError: return "its certificate is for another host"
    default:
      let text = "\(error)"
      if text.contains("CERTIFICATE_VERIFY_FAILED") {
        return "its certificate is not trusted, or is not valid now"
      }
      if text.contains("WRONG_VERSION_NUMBER") { return "it does not speak TLS" }
      return text
    }
  }

  private static func words(_ error: IOError) -> String {
    error.errnoCode == ECONNREFUSED
      ? "the connection was refused" : SystemError(error.errnoCode).description
  }
}

extension HTTPAnswer {
  fileprivate init(_ response: HTTPClientResponse) {
    status = Int(response.status.code)
    contentType = response.headers.first(name: "Content-Type") ?? ""
    location = response.headers.first(name: "Location")
    contentLocation = response.headers.first(name: "Content-Location")
    retryAfter = response.headers.first(name: "Retry-After").flatMap { Self.seconds($0) }
  }

  /// Seconds of a field `Retry-After`: a number of them, or a date.
  static func seconds(_ text: String, now: Date = Date()) -> Double? {
    if let seconds = Int(text.trimmingCharacters(in: .whitespaces)) {
      return Double(max(0, seconds))
    }
    let format = DateFormatter()
    format.locale = Locale(identifier: "en_US_POSIX")
    format.timeZone = TimeZone(identifier: "GMT")
    format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
    return format.date(from: text).map { max(0, $0.timeIntervalSince(now)) }
  }
}
