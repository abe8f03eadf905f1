import Foundation
import JobLedger

/// A way to tell somebody something.
public protocol NotificationChannel: Sendable {
  /// - Throws: ``NotificationError``, or `CancellationError`
  func send(_ message: NotificationMessage) async throws

  /// Connects, and logs in where that can be done without sending anything.
  ///
  /// - Returns: what works, for people.
  /// - Throws: ``NotificationError``, or `CancellationError`
  func check() async throws -> String
}

/// Someone who is told of events.
public struct NotificationRecipient: Sendable {
  public var name: String
  public var channel: any NotificationChannel
  public var kinds: Set<Notice.Kind>

  public init(name: String, channel: any NotificationChannel, kinds: Set<Notice.Kind>) {
    self.name = name
    self.channel = channel
    self.kinds = kinds
  }
}

/// TLS to a web or mail server; files are in PEM.
public struct NotificationTLS: Sendable, Equatable {
  /// Nil for those that the system trusts.
  public var trusted: String?
  public var certificate: String?
  public var key: String?
  public var verifiesServer: Bool

  public init(
    trusted: String? = nil, certificate: String? = nil, key: String? = nil,
    verifiesServer: Bool = true
  ) {
    self.trusted = trusted
    self.certificate = certificate
    self.key = key
    self.verifiesServer = verifiesServer
  }
}

/// Why a message was not taken.
public enum NotificationError: Error, Sendable, Equatable, CustomStringConvertible {
  case unreachable(place: String, reason: String)
  /// By the status of HTTP or the reply code of SMTP.
  case refused(place: String, code: Int, reason: String)
  case unusableFile(String, reason: String)

  public var description: String {
    switch self {
    case .unreachable(let place, let reason): "\(place) is not reached: \(reason)"
    case .refused(let place, let code, let reason):
      "\(place) answers \(code)" + (reason.isEmpty ? "" : ": \(reason)")
    case .unusableFile(let file, let reason): "\(file) cannot be used: \(reason)"
    }
  }
}

/// The first line of a file with a password or token.
///
/// - Throws: ``NotificationError/unusableFile(_:reason:)``
func secret(_ file: String) throws -> String {
  guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
    throw NotificationError.unusableFile(file, reason: "it cannot be read as text")
  }
  let line = text.components(separatedBy: .newlines).first ?? ""
  guard !line.isEmpty else {
    throw NotificationError.unusableFile(file, reason: "its first line is empty")
  }
  return line
}
