import Foundation
import JobLedger

/// What listener and head say to each other, in JSON by `POST /handover/…` of the head's web server. Both are
/// segmentd; the one of the head is never older.
enum HandoverMessages {
  /// Raised where an older head would not understand a listener.
  static let format = 1

  /// `state`: that the listener is there, and what waits at it. The answer says where to resume.
  struct Greeting: Codable {
    var format = HandoverMessages.format
    var run: String
    var backlog: HandoverBacklog
  }

  /// `entries`: 8 bytes with the length of this in JSON, the highest first, this, and then the files of its
  /// instances, one behind the other.
  struct Batch: Codable {
    var run: String
    /// The last number that the head has taken.
    var after: Int64
    var entries: [HandoverEntry]

    /// The body's beginning.
    func framed() throws -> Data {
      let text = try JSONEncoder().encode(self)
      return withUnsafeBytes(of: UInt64(text.count).bigEndian) { Data($0) } + text
    }
  }

  /// What the head has on disk.
  struct Answer: Codable {
    /// The last number.
    var taken: Int64
    /// The mark of that entry, in the answer to a greeting.
    var mark: String?
    /// Why it did not take instances, by number.
    var refused: [Int64: String] = [:]
  }

  /// `holds`: whether the head holds objects, as a peer asks at the listener.
  struct Question: Codable {
    struct Object: Codable {
      var sopClassUID: String
      var sopInstanceUID: String
    }
    var objects: [Object]
  }

  /// Failure Reason (0008,1197) of each object; nil where it is held.
  struct Holdings: Codable {
    var failureReasons: [Int?]
  }
}
