import DICOMweb
import Foundation
import JobLedger
import Wording

extension Diagnosis {
  /// Of a listener what waits for the head and why, and of a head which listeners are away.
  func handoverFindings() async -> [Finding] {
    guard configuration.role != .all, FileManager.default.fileExists(atPath: state.ledger.path)
    else { return [] }
    do {
      let ledger = try Ledger(reading: state.ledger.path)
      return configuration.role == .listener
        ? try listenerFindings(ledger) : try headFindings(ledger)
    } catch {
      return [
        .fault(
          "handover", "\(error)", "see the operator's guide, Several listeners before one head")
      ]
    }
  }

  private func listenerFindings(_ ledger: Ledger) throws -> [Finding] {
    guard let handover = try ledger.handoverState() else {
      return [
        .warning(
          "handover", "the ledger is not a listener's yet", "start segmentd serve --role listener")
      ]
    }
    let waiting =
      handover.backlog.waiting == 0
      ? "nothing waits"
      : "\(handover.backlog.waiting) entries of \(handover.backlog.series.count) series wait"
        + (handover.backlog.oldestAt.map { ", the first since \($0.formatted(.iso8601))" } ?? "")
    var findings: [Finding] = []
    if let since = handover.failingSince {
      findings.append(
        .fault(
          "handover",
          "the head has not answered since \(since.formatted(.iso8601)): "
            + "\(handover.lastError ?? ""); \(waiting), and what comes is kept here",
          "look at the head, its address and certificate, and the token of this listener there"))
    } else {
      let answered = handover.answeredAt.map { "the head answered at \($0.formatted(.iso8601))" }
      findings.append(.good("handover", "\(answered ?? "the head was not asked yet"); \(waiting)"))
    }
    if handover.refused > 0 {
      findings.append(
        .fault(
          "handover", "the head did not accept \(counted(handover.refused, "instance")), kept here",
          "the log says why; send them again once the cause is fixed"))
    }
    return findings
  }

  private func headFindings(_ ledger: Ledger) throws -> [Finding] {
    let known = try ledger.listeners()
    return configuration.handover.from.map { sender in
      let subject = "listener \(sender.name)"
      guard let listener = known.first(where: { $0.name == sender.name }) else {
        return .warning(
          subject, "it has not handed over anything yet",
          "start it, and run segmentd doctor there")
      }
      let seen =
        "heard at \(listener.lastSeenAt.formatted(.iso8601)), \(counted(listener.waiting, "entry waits", "entries wait"))"
      guard let since = listener.awaySince else { return .good(subject, seen) }
      return .fault(
        subject,
        "away since \(since.formatted(.iso8601)); \(counted(listener.waiting, "entry waits", "entries wait")) there",
        "check that machine; what it has received from peers is safe on its disk")
    }
  }
}
