import Foundation
import JobLedger
import Wording

/// A listener that hands over to this head, as the page System shows it.
struct ListenerView {
  var name: String
  /// In a word, also for the style sheet: heard, away or unheard.
  var state: String
  var lastSeen: ShownTime?
  var awaySince: ShownTime?
  var waiting: String
  var oldest: ShownTime?
  var taken: String

  /// Those of the configuration and others that the ledger knows, by name.
  static func all(_ configured: [String], _ known: [KnownListener]) -> [ListenerView] {
    let names = configured + known.map(\.name).filter { !configured.contains($0) }
    return names.map { name in
      ListenerView(name, known.first { $0.name == name })
    }
  }

  /// - Parameter known: of the ledger; nil for one that has handed nothing over yet.
  private init(_ name: String, _ known: KnownListener?) {
    self.name = name
    state = known.map { $0.awaySince == nil ? "heard" : "away" } ?? "unheard"
    lastSeen = known.map { ShownTime($0.lastSeenAt) }
    awaySince = known?.awaySince.map { ShownTime($0) }
    waiting = known.map { "\($0.waiting)" } ?? ""
    oldest = known?.oldestAt.map { ShownTime($0) }
    taken = known.map { "\($0.taken)" } ?? ""
  }
}

extension HandoverState {
  /// Of a listener: how handing over to the head goes.
  var facts: [Fact] {
    var facts = [
      Fact(
        name: "Waits for the head",
        value: "\(counted(backlog.waiting, "entry", "entries")) of \(backlog.series.count) series"
          + (backlog.oldestAt.map { ", the first since \(ShownTime($0).text)" } ?? "")),
      Fact(
        name: "The head answered last", value: answeredAt.map { ShownTime($0).text } ?? "never"),
      Fact(name: "Instances that the head did not take", value: "\(refused)"),
    ]
    if let failingSince {
      facts.append(
        Fact(
          name: "The head does not answer since",
          value: ShownTime(failingSince).text + (lastError.map { ": \($0)" } ?? "")))
    }
    return facts
  }
}
