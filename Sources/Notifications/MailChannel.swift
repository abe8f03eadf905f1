import CCurl
import Foundation
import WebClient

/// Sends e-mails by SMTP (RFC 5321), with STARTTLS (RFC 3207) or TLS (RFC 8314) and a login.
public struct MailChannel: NotificationChannel {
  public enum Security: Sendable { case starttls, tls, none }

  public var host: String
  public var port: Int
  public var security: Security
  public var user: String?
  public var passwordFile: String?
  public var from: String
  public var to: [String]
  public var tls: ServiceTLS?
  /// Of this machine, by which it greets.
  public var name: String
  public var timeoutSeconds: Int

  public init(
    host: String, port: Int, security: Security, user: String? = nil, passwordFile: String? = nil,
    from: String, to: [String], tls: ServiceTLS? = nil, name: String, timeoutSeconds: Int
  ) {
    self.host = host
    self.port = port
    self.security = security
    self.user = user
    self.passwordFile = passwordFile
    self.from = from
    self.to = to
    self.tls = tls
    self.name = name
    self.timeoutSeconds = timeoutSeconds
  }

  private var place: String { "\(host):\(port)" }

  public func send(_ message: NotificationMessage) async throws {
    let headers = headers(message)
    try await onMailThread {
      try perform(Mail(from: from, to: to, headers: headers, text: message.text))
    }
  }

  public func check() async throws -> String {
    try await onMailThread { try perform(nil) }
    return "\(place) answers"
      + (security == .none ? "" : " with TLS") + (user.map { " and admits \($0)" } ?? "")
  }

  /// RFC 5322; what is sent by a program says so (RFC 3834), and nobody's absence is answered to it.
  func headers(_ message: NotificationMessage) -> [String] {
    let format = DateFormatter()
    format.locale = Locale(identifier: "en_US_POSIX")
    format.timeZone = TimeZone(identifier: "GMT")
    format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss Z"
    let domain = from.split(separator: "@").last.map(String.init) ?? name
    return [
      "Date: \(format.string(from: message.at))",
      "From: segmentd <\(from)>",
      "To: \(to.joined(separator: ", "))",
      "Subject: \(message.subject)",
      "Message-ID: <\(Self.plain(message.id))@\(domain)>",
      "Auto-Submitted: auto-generated",
      "X-Auto-Response-Suppress: All",
    ]
  }

  private static func plain(_ text: String) -> String {
    String(text.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") ? $0 : "-" })
  }

  private struct Mail {
    var from: String
    var to: [String]
    var headers: [String]
    var text: String
  }

  private func perform(_ mail: Mail?) throws {
    let password = try passwordFile.map { try secret($0) }
    for file in [tls?.trusted, tls?.certificate, tls?.key].compactMap(\.self)
    where !FileManager.default.isReadableFile(atPath: file) {
      throw ServiceError.unusableFile(file, reason: "it cannot be read")
    }
    let texts = CTexts()
    // libcurl reads them until it returns.
    defer { withExtendedLifetime(texts) {} }
    let own = name.addingPercentEncoding(withAllowedCharacters: .urlHostAllowed) ?? ""
    let address = host.contains(":") ? "[\(host)]" : host
    let scheme = security == .tls ? "smtps" : "smtp"
    var server = ccurl_server()
    server.url = texts.add("\(scheme)://\(address):\(port)/\(own)")
    server.needsTLS = security != .none
    server.user = user.map { texts.add($0) } ?? nil
    server.password = password.map { texts.add($0) } ?? nil
    server.trusted = tls?.trusted.map { texts.add($0) } ?? nil
    server.certificate = tls?.certificate.map { texts.add($0) } ?? nil
    server.key = tls?.key.map { texts.add($0) } ?? nil
    server.verifiesPeer = tls?.verifiesServer ?? true
    server.timeoutSeconds = timeoutSeconds
    var error = [CChar](repeating: 0, count: 512)
    var reply = 0
    let code: Int32
    if let mail {
      let to = mail.to.map { texts.add($0) }
      let headers = mail.headers.map { texts.add($0) }
      code = to.withUnsafeBufferPointer { to in
        headers.withUnsafeBufferPointer { headers in
          var letter = ccurl_mail()
          letter.from = texts.add(mail.from)
          letter.to = to.baseAddress
          letter.toCount = to.count
          letter.headers = headers.baseAddress
          letter.headerCount = headers.count
          letter.text = texts.add(mail.text)
          return ccurl_send(&server, &letter, &error, &reply)
        }
      }
    } else {
      code = ccurl_send(&server, nil, &error, &reply)
    }
    guard code != 0 else { return }
    let bytes = error.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    var reason = String(decoding: bytes, as: UTF8.self)
    if reason.contains("wrong version number") { reason = "it does not speak TLS at this port" }
    guard reply >= 400 else { throw ServiceError.unreachable(place: place, reason: reason) }
    throw ServiceError.refused(place: place, code: reply, reason: reason)
  }
}

/// Texts of C that live as long as this.
private final class CTexts {
  private var pointers: [UnsafeMutablePointer<CChar>?] = []

  deinit { for pointer in pointers { free(pointer) } }

  func add(_ text: String) -> UnsafePointer<CChar>? {
    let copy = strdup(text)
    pointers.append(copy)
    return UnsafePointer(copy)
  }
}

/// Runs what blocks on a thread of its own. A task that is cancelled does not wait for it.
private func onMailThread(_ work: @escaping @Sendable () throws -> Void) async throws {
  let (stream, continuation) = AsyncThrowingStream.makeStream(of: Void.self)
  Thread.detachNewThread {
    do {
      try work()
      continuation.finish()
    } catch {
      continuation.finish(throwing: error)
    }
  }
  for try await _ in stream {}
  try Task.checkCancellation()
}
