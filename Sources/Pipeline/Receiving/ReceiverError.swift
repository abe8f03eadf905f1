import Ingest

/// Why the receiving process did not begin.
public enum ReceiverError: Error, CustomStringConvertible {
  /// For the reason that it gave, such as a port that is taken.
  case failed(reason: String)
  case ended(String)
  case notStartedByDaemon

  public var description: String {
    switch self {
    case .failed(let reason): reason
    case .ended(let how): "the receiving process \(how) before it could receive"
    case .notStartedByDaemon:
      "segmentd receive is a part of segmentd serve, which starts it by itself: run segmentd serve"
    }
  }
}
