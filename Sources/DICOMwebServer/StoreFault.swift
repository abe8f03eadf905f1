import DICOMNetwork
import DICOMweb

/// Why a request is given up before its end.
enum StoreFault: Error, Equatable {
  case malformed(reason: String)
  case unsupported(reason: String)
  case tooLarge(reason: String)
  case tooSlow(reason: String)

  init(_ fault: StoreRequestType.Fault) {
    switch fault {
    case .malformed(let reason): self = .malformed(reason: reason)
    case .unsupported(let reason): self = .unsupported(reason: reason)
    }
  }

  var reason: String {
    switch self {
    case .malformed(let reason), .unsupported(let reason), .tooLarge(let reason),
      .tooSlow(let reason):
      reason
    }
  }

  /// Of the answer (PS3.18 10.5.3).
  var status: Int {
    switch self {
    case .malformed: 400
    case .tooSlow: 408
    case .tooLarge: 413
    case .unsupported: 415
    }
  }

  var end: AssociationEnd {
    switch self {
    case .tooSlow: .timedOut
    case .malformed, .unsupported, .tooLarge: .aborted
    }
  }
}

/// Failure Reason (0008,1197) of what never reaches the handler (PS3.18 I.2.2).
enum FailureReason {
  static let outOfResources: UInt16 = 0xA700
  static let doesNotMatch: UInt16 = 0xA900
  static let sopClassNotSupported: UInt16 = 0x0122
  static let transferSyntaxNotSupported: UInt16 = 0xC122
}
