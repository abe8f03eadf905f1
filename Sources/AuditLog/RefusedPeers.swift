import Foundation

/// Somebody who was not admitted, with the same reason each time.
public struct RefusedPeer: Sendable, Equatable {
  /// An AE title or, where none was known, an address.
  public var name: String
  public var address: String?
  public var reason: String
  public var lastAt: Date
  /// How often, of what was written: beyond a number within a minute alerts are only counted.
  public var count: Int
}

extension AuditLog {
  /// So much of the files is read: nobody makes a page slow by calling again and again.
  private static let mostBytes = 2 << 20

  /// Who was not admitted of late, the last first, as the files of an audit log say.
  ///
  /// - Parameters:
  ///   - folder: of the files.
  ///   - days: how far back.
  ///   - now: the time.
  public static func refusedPeers(
    in folder: String, days: Int = 7, now: Date = Date()
  ) -> [RefusedPeer] {
    var left = mostBytes
    var found: [RefusedPeer] = []
    for day in 0..<days where left > 0 {
      let name = AuditFiles.day(now.addingTimeInterval(-86_400 * Double(day)))
      for line in lastLines(of: "\(folder)/\(name).log", most: &left).reversed() {
        guard let peer = RefusedPeer(entry: line) else { continue }
        let known = found.firstIndex {
          $0.name == peer.name && $0.address == peer.address && $0.reason == peer.reason
        }
        if let known { found[known].count += 1 } else { found.append(peer) }
      }
    }
    return found
  }

  /// The whole lines at the end of a file; none of one that is not there.
  private static func lastLines(of path: String, most left: inout Int) -> [Substring] {
    guard let file = FileHandle(forReadingAtPath: path) else { return [] }
    defer { try? file.close() }
    guard let size = try? file.seekToEnd() else { return [] }
    let start = size > UInt64(left) ? size - UInt64(left) : 0
    guard (try? file.seek(toOffset: start)) != nil, let bytes = try? file.readToEnd() else {
      return []
    }
    left -= bytes.count
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    return start > 0 ? Array(lines.dropFirst()) : lines
  }
}

extension RefusedPeer {
  /// - Parameter entry: a line of the audit log.
  /// - Returns: nil of one that says something else.
  init?(entry: Substring) {
    // Node Authentication (PS3.15 A.5.3.11); values are escaped, so that no quote is within one.
    guard entry.contains("<EventTypeCode csd-code=\"110126\""),
      let moment = Self.text(of: entry, from: "EventDateTime=\"", to: "\""),
      let at = try? Date(
        moment, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)),
      let reason = Self.text(of: entry, from: "<EventOutcomeDescription>", to: "</"),
      let peer = entry.components(separatedBy: "<ActiveParticipant ").dropFirst()
        .first(where: { $0.contains("UserIsRequestor=\"true\"") }),
      let name = Self.text(of: peer[...], from: "UserID=\"", to: "\"")
    else { return nil }
    self.init(
      name: name,
      address: Self.text(of: peer[...], from: "NetworkAccessPointID=\"", to: "\"")
        .flatMap { $0 == name ? nil : $0 },
      reason: reason, lastAt: at, count: 1)
  }

  private static func text(of entry: Substring, from start: String, to end: String) -> String? {
    guard let begin = entry.range(of: start),
      let close = entry.range(of: end, range: begin.upperBound..<entry.endIndex)
    else { return nil }
    return unescaped(String(entry[begin.upperBound..<close.lowerBound]))
  }

  private static func unescaped(_ text: String) -> String {
    let references = [
      ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#9;", "\t"), ("&#10;", "\n"),
      ("&#13;", "\r"), ("&amp;", "&"),
    ]
    return references.reduce(text) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
  }
}
