import Cryptography
import Foundation
import JobLedger

/// A span of a trace, as OpenTelemetry describes it: a named piece of work with its times. All spans of a study have
/// one trace; it and the spans are named by hashes, so that the same work is the same span whenever it is sent.
///
/// Nothing in it is of a patient but UIDs.
public struct Span: Sendable, Equatable {
  /// What is called so; the stages of an attempt have their own names.
  public enum Name: String, Sendable, CaseIterable {
    case receive, assemble, wait, attempt, deliver, confirm
  }

  /// What is said of a span.
  public enum Attribute: String, Sendable, CaseIterable {
    /// Study Instance UID.
    case study = "segmentd.study"
    /// Series Instance UID.
    case series = "segmentd.series"
    case job = "segmentd.job"
    case model = "segmentd.model"
    case reprocessing = "segmentd.reprocessing"
    case instances = "segmentd.instances"
    case bytes = "segmentd.bytes"
    case number = "segmentd.attempt"
    case outcome = "segmentd.outcome"
    case destination = "segmentd.destination"
  }

  public enum Value: Sendable, Equatable {
    case text(String)
    case number(Int64)
  }

  /// Whether something else is asked to do the work.
  public enum Kind: Int, Sendable {
    case intern = 1
    case client = 3
  }

  public var name: String
  public var kind = Kind.intern
  /// 32 and 16 hexadecimal digits.
  public var trace: String
  public var id: String
  public var parent: String?
  public var began: Date
  public var ended: Date
  public var attributes: [Attribute: Value]
  public var isFault = false
}

extension Span {
  /// The trace of a study: the first 16 bytes of the SHA-256 of "trace", its Study Instance UID and, of what is
  /// segmented again later, the number of that reprocessing, separated by line feeds.
  public static func trace(ofStudy study: String, reprocessing: Int64? = nil) -> String {
    hash(["trace", study] + (reprocessing.map { ["\($0)"] } ?? []), bytes: 16)
  }

  static func hash(_ parts: [String], bytes: Int) -> String {
    SHA256.hash(data: Data(parts.joined(separator: "\n").utf8)).prefix(bytes)
      .map { String(format: "%02x", $0) }.joined()
  }
}
