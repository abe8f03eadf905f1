/// Why a DICOMweb server could not be asked, or gave no answer that can be used.
public enum DICOMwebError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The server is away, its certificate is not trusted, or the connection broke.
  case unreachable(url: String, reason: String)
  /// It answered with a status other than success.
  case refused(url: String, status: Int)
  /// The answer goes beyond what is read.
  case tooLarge(url: String, reason: String)
  case malformed(url: String, reason: String)
  /// An object that came cannot be written.
  case notWritten(path: String, reason: String)
  /// An object that is to be sent cannot be read.
  case notRead(path: String, reason: String)
  /// A certificate or key for the server is not there or is none.
  case unusableCertificate(url: String, file: String)
  case cancelled

  public var description: String {
    switch self {
    case .unreachable(let url, let reason): "\(url): no answer: \(reason)"
    case .refused(let url, let status): "\(url): the server answered \(status)"
    case .tooLarge(let url, let reason): "\(url): \(reason)"
    case .malformed(let url, let reason): "\(url): the answer cannot be used: \(reason)"
    case .notWritten(let path, let reason): "\(path): cannot be written: \(reason)"
    case .notRead(let path, let reason): "\(path): cannot be read: \(reason)"
    case .unusableCertificate(let url, let file):
      "\(url): no certificate or key in PEM can be read from \(file)"
    case .cancelled: "the request was cancelled"
    }
  }

  /// Whether the server may well answer later.
  public var isPassing: Bool {
    switch self {
    case .unreachable: true
    case .refused(_, let status): status >= 500 || status == 408 || status == 429
    case .notRead, .unusableCertificate: true
    case .tooLarge, .malformed, .notWritten, .cancelled: false
    }
  }
}
