import Foundation

/// Why a web or mail server did not take what was sent.
public enum ServiceError: Error, Sendable, Equatable, CustomStringConvertible {
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
/// - Throws: ``ServiceError/unusableFile(_:reason:)``
public func secret(_ file: String) throws -> String {
  guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
    throw ServiceError.unusableFile(file, reason: "it cannot be read as text")
  }
  let line = text.components(separatedBy: .newlines).first ?? ""
  guard !line.isEmpty else {
    throw ServiceError.unusableFile(file, reason: "its first line is empty")
  }
  return line
}
