import Foundation
import JobLedger
import Wording

extension StudyRecord.Event {
  /// Nil for what other entries tell in more detail.
  var entry: StudyExplanation.Entry? {
    let job = job.map { "job \($0)" } ?? "a job"
    let series = seriesInstanceUID.map { "series \($0)" } ?? "a series"
    let text: String
    switch kind {
    case "association", "refused", "assessed", "started", "commitment requested",
      "commitment reported":
      return nil
    case "created": text = "\(job) was made: \(message)"
    case "rules": text = "rules on \(series): \(message)"
    case "held": text = "\(job) was held: \(message)"
    case "taken up": text = "\(job) is known again: \(message)"
    case "completed": text = "\(job) was completed: \(message)"
    case "cancelled": text = "\(job) was cancelled: \(message)"
    case "retried": text = "\(job) was tried again \(message)"
    case "volume chosen": text = "\(job) was given \(message)"
    case "asked again": text = "\(job): \(message)"
    case "alternative": text = "\(series): \(message)"
    case "result released": text = "the suspect result of \(job) was released \(message)"
    case "release lapsed": text = "the release of \(job) does not count any more: \(message)"
    case "resumed": text = "\(job) was released \(message)"
    case "prioritized": text = "\(job) was given \(message)"
    case "incomplete series released": text = "\(series) was released \(message)"
    case "retryable": text = "\(job) failed and is tried again: \(message)"
    case "postponed": text = "\(job) was postponed: \(message)"
    case "released": text = "\(job) was given back: \(message)"
    case "preempted": text = "\(job) yielded: \(message)"
    case "checkpoint": text = "\(job) \(message)"
    case "node excluded": text = "after a fault of \(job): \(message)"
    case "rescued": text = "\(job) runs again: \(message)"
    case "superseded": text = "the result of \(job) was superseded \(message)"
    case "delivery waiting": text = "the result of \(job) is to be sent \(message)"
    case "sending": text = "transfer of the result of \(job) \(message) began"
    case "delivery superseded": text = "the result of \(job) is not sent \(message)"
    case "sent":
      text =
        "the result of \(job) was sent \(message); waiting for proof that it is kept there"
    case "not proved":
      text = "it was not proved that the result of \(job) is kept there; it was sent \(message)"
    case "commitment asked":
      text = "commitment to keep the result of \(job) was asked \(message)"
    case "commitment answered":
      text = "commitment to keep the result of \(job) was answered \(message)"
    case "commitment decided": text = "objects that a peer asked about were hashed, \(message)"
    case "commitment not reported": text = "a report on commitment did not arrive, \(message)"
    case "commitment given up": text = "a report on commitment was given up, \(message)"
    case "delivered": text = "the result of \(job) was delivered \(message)"
    case "not delivered": text = "the result of \(job) was not delivered \(message)"
    case "delivery retried":
      text = "the delivery of the result of \(job) was tried again \(message)"
    case "delivery held": text = "the delivery of the result of \(job) was held \(message)"
    case "compared": text = "the result of \(job) was compared \(message)"
    case "declined": text = "objects of the result of \(job) were not sent \(message)"
    case "handed over": text = "\(series): \(message)"
    case "listener": text = "on \(series): \(message)"
    case "completeness": text = "on \(series): \(message)"
    case "purged": text = self.job == nil ? "\(series): \(message)" : "\(job): \(message)"
    case "conflict", "restored", "received", "lost", "found", "returned":
      text = "\(series): \(message)"
    default: text = "\(kind): \(message)"
    }
    let told = [
      "delivered": "delivery", "not delivered": "delivery", "delivery held": "delivery",
      "delivery retried": "delivery", "sent": "delivery", "not proved": "delivery",
      "declined": "delivery", "delivery waiting": "delivery", "sending": "delivery",
      "delivery superseded": "delivery", "commitment asked": "delivery",
      "commitment answered": "delivery", "commitment decided": "commitment",
      "commitment not reported": "commitment", "commitment given up": "commitment",
    ]
    return StudyExplanation.Entry(
      at: at, kind: told[kind] ?? kind, seriesInstanceUID: seriesInstanceUID, job: self.job,
      text: text)
  }
}

extension StudyRecord.Commitment {
  private var peer: String { "\(callingAETitle) at \(peerAddress)" }

  var entries: [StudyExplanation.Entry] {
    var entries = [
      StudyExplanation.Entry(
        at: requestedAt, kind: "commitment",
        text:
          "\(peer) asked for storage commitment of \(counted(references, "instance")) of the study "
          + "(transaction \(transactionUID))")
    ]
    if let reportedAt {
      let held = failed == 0 ? "all are held" : "\(failed) of them are not held"
      entries.append(
        StudyExplanation.Entry(
          at: reportedAt, kind: "commitment",
          text: "the commitment was reported to \(peer): \(held)"))
    }
    return entries
  }

  var waits: [StudyExplanation.Wait] {
    guard ["requested", "ready"].contains(state) else { return [] }
    let error = lastError.map { ": \($0)" } ?? ""
    let text =
      state == "requested"
      ? "the instances that \(peer) asked about are to be hashed"
      : "the commitment is to be reported to \(peer) (attempt \(attempts + 1))\(error)"
    return [StudyExplanation.Wait(until: state == "ready" ? nextAt : nil, text: text)]
  }
}

func megabytes(_ bytes: Int) -> String { String(format: "%.1f MB", Double(bytes) / 1e6) }

func seconds(_ time: TimeInterval) -> String {
  time == time.rounded() ? "\(Int(time)) s" : "\(time) s"
}
