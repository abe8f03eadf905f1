import Cryptography
import Foundation
import JobLedger

/// A table of refused instances, for an administrator at a terminal: of a file of a watch folder it has the path and
/// the hash by which logs and events name it.
func refusalTable(_ refusals: [RefusalRecord]) -> String {
  guard !refusals.isEmpty else { return "no refused instances" }
  let head = ["LAST", "TIMES", "FROM", "STATUS", "SERIES", "INSTANCE", "REASON"]
  return formatTable(
    [head]
      + refusals.map { refusal in
        let instance = refusal.instance
        return [
          refusal.lastAt.formatted(.iso8601), "\(refusal.count)", refusal.sender,
          instance.status.map { "0x" + String(format: "%04X", $0) } ?? "-",
          instance.seriesInstanceUID ?? "unknown",
          name(of: instance), instance.reason,
        ]
      })
}

private func name(of instance: RefusedInstance) -> String {
  let file = instance.file.map { "\($0) (\(hashedFileName($0)))" }
  let names = [instance.sopInstanceUID, file].compactMap(\.self)
  return names.isEmpty ? "unknown" : names.joined(separator: ", ")
}

extension RefusalRecord {
  /// Who sent the instance, or how it came.
  fileprivate var sender: String {
    guard let callingAETitle else { return instance.source == .watch ? "watch folder" : "-" }
    return callingAETitle + (peerAddress.map { "@\($0)" } ?? "")
  }

  /// For people, with what became of it.
  var text: String {
    let times = count > 1 ? ", \(count) times" : ""
    let end =
      switch resolution {
      case .received: "arrived since"
      case .released: "released"
      case nil: "has not arrived since"
      }
    return "\(lastAt.formatted(.iso8601)) instance \(instance.line), from \(sender)\(times): \(end)"
  }
}

extension AssociationRecord {
  /// For people: from when to when, how it ended, and what came over it.
  var text: String {
    let end = endedAt.map { " to \($0.formatted(.iso8601))" } ?? ""
    let outcome = outcome?.rawValue ?? "open"
    let reason = message.map { " (\($0))" } ?? ""
    let open = isUnresolved ? "; the series was not sent again since" : ""
    return "association of \(callingAETitle) at \(peerAddress): "
      + "\(startedAt.formatted(.iso8601))\(end), \(outcome)\(reason), \(stored) stored, "
      + "\(refused) refused\(open)"
  }
}
