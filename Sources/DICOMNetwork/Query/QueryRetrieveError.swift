import DICOM

/// A service of query/retrieve (PS3.4 C.4).
public enum QueryService: Int32, Sendable, CustomStringConvertible {
  case find = 0
  case get
  case move

  public var description: String {
    switch self {
    case .find: "C-FIND"
    case .get: "C-GET"
    case .move: "C-MOVE"
    }
  }
}

/// Why a peer could not be asked, or gave no answer that can be used.
public enum QueryRetrieveError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The peer is away, or refused the association.
  case noAssociation(peer: Peer, callingAETitle: String, reason: String)
  /// The peer accepts neither the study root nor the patient root of the service.
  case notSupported(peer: Peer, service: QueryService)
  /// The association ended before the final response came.
  case interrupted(peer: Peer, service: QueryService, reason: String)
  /// The peer said no: a status of PS3.4 C.4 and what it means.
  case refused(peer: Peer, service: QueryService, status: UInt16, meaning: String)
  /// The peer's answer goes beyond what is read.
  case tooMuch(peer: Peer, service: QueryService, reason: String)
  /// A match cannot be read, or lacks what was asked for.
  case malformed(peer: Peer, reason: String)
  case cancelled
  case toolkit(DICOMError)

  public var description: String {
    switch self {
    case .noAssociation(let peer, let callingAETitle, let reason):
      "no association with \(peer) as \(callingAETitle): \(reason)"
    case .notSupported(let peer, let service): "\(peer) does not support \(service)"
    case .interrupted(let peer, let service, let reason):
      "\(service) to \(peer) did not end: \(reason)"
    case .refused(let peer, let service, let status, let meaning):
      "\(peer) answered \(service) with \(hexadecimal(status)): \(meaning)"
    case .tooMuch(let peer, let service, let reason):
      "\(peer) answered \(service) with \(reason)"
    case .malformed(let peer, let reason): "an answer of \(peer) cannot be used: \(reason)"
    case .cancelled: "the query was cancelled"
    case .toolkit(let error): error.description
    }
  }

  /// Whether the peer may well answer later.
  public var isPassing: Bool {
    switch self {
    case .noAssociation, .interrupted: true
    // Out of resources (PS3.4 C.4).
    case .refused(_, _, let status, _): status & 0xFF00 == 0xA700
    case .notSupported, .tooMuch, .malformed, .cancelled, .toolkit: false
    }
  }
}

/// A DIMSE status as PS3.7 writes it.
func hexadecimal(_ status: UInt16) -> String {
  let digits = String(status, radix: 16, uppercase: true)
  return "0x" + String(repeating: "0", count: 4 - digits.count) + digits
}
