import Foundation
import JobLedger
import Wording

extension StudyRecord.Job {
  private func entry(_ kind: String, at: Date, _ text: String) -> StudyExplanation.Entry {
    StudyExplanation.Entry(
      at: at, kind: kind, seriesInstanceUID: job.seriesInstanceUID, job: job.id, text: text)
  }

  /// Of a record of why no model runs there is no job to speak of.
  private var isRecordOnly: Bool { job.model.isEmpty }

  /// What its attempts did, and what came of it.
  var entries: [StudyExplanation.Entry] {
    attempts.flatMap(entries) + resultEntries
  }

  private func entries(_ attempt: JobAttempt) -> [StudyExplanation.Entry] {
    let begun = entry(
      "attempt", at: attempt.startedAt, "attempt \(attempt.number) at job \(job.id) began")
    guard let finishedAt = attempt.finishedAt, let outcome = attempt.outcome else { return [begun] }
    let reason = attempt.message.map { ": \($0)" } ?? ""
    let details = [attempt.timesText, attempt.memoryText, attempt.placeText].compactMap(\.self)
    return [
      begun,
      entry(
        "attempt", at: finishedAt,
        "attempt \(attempt.number) at job \(job.id) ended, \(outcome)\(reason)"
          + (details.isEmpty ? "" : "; " + details.joined(separator: "; "))),
    ]
  }

  private var resultEntries: [StudyExplanation.Entry] {
    guard job.state == "completed", let end = attempts.last?.finishedAt ?? job.finishedAt
    else { return [] }
    var entries = [modelEntry(end)]
    if let same = job.sameResultAs {
      entries.append(
        entry(
          "result", at: end,
          "images, model and settings were those of job \(same): its result is that of job \(job.id)"
        ))
      return entries
    }
    let sent = job.objects.filter { $0.kind != .picture }
    if !sent.isEmpty {
      entries.append(
        entry(
          "result", at: end,
          "the result of job \(job.id) was read back from disk and proved equal to the labels and to "
            + "the source images: \(listed(sent))"))
    }
    return entries
  }

  /// The objects by their kinds, with their UIDs.
  private func listed(_ objects: [StoredObject]) -> String {
    let kinds: [StoredObject.Kind] = [
      .segmentation, .report, .capture, .capturePage, .captureFrame, .labelmap, .fractional,
      .rtstruct,
    ]
    return kinds.compactMap { kind in
      let found = objects.filter { $0.kind == kind }
      guard !found.isEmpty else { return nil }
      // One for each image are too many to be read.
      let uids =
        kind == .captureFrame
        ? "the first one \(found[0].sopInstanceUID ?? "")"
        : found.compactMap(\.sopInstanceUID).joined(separator: ", ")
      let series = kind == .segmentation ? job.resultSeriesInstanceUID : nil
      return "\(counted(found.count, kind.name)) (\(uids))"
        + (series.map { " in series \($0)" } ?? "")
    }.joined(separator: " and ")
  }

  private func modelEntry(_ at: Date) -> StudyExplanation.Entry {
    let version = job.modelVersion.map { " \($0)" } ?? ""
    let hash = job.modelSHA256.map { " (SHA-256 \($0))" } ?? ""
    return entry("model", at: at, "job \(job.id) used model \(job.model)\(version)\(hash)")
  }

  /// Its present state.
  var state: String {
    let name = isRecordOnly ? "job \(job.id) (no model)" : "job \(job.id), model \(job.model)"
    var words = [job.state]
    if let volume = job.volume { words.append(volume.text) }
    if let reason = job.reason { words.append(reason) }
    if let same = job.sameResultAs { words.append("with the result of job \(same)") }
    if let newer = job.supersededBy { words.append("superseded by job \(newer)") }
    if let purged = job.purgedAt {
      words.append("the files of its result were purged at \(purged.formatted(.iso8601))")
    }
    for delivery in job.deliveries {
      let declined = delivery.objects.count { $0.declinedAt != nil }
      words.append(
        "\(delivery.destination): \(delivery.state)"
          + (declined == 0 ? "" : " without \(counted(declined, "object")) that it does not take"))
    }
    return "\(name): " + words.joined(separator: "; ")
  }

  /// - Parameter processing: whether jobs are begun at all.
  func waits(_ processing: ProcessingState) -> [StudyExplanation.Wait] {
    [turn(processing)].compactMap(\.self) + waitingDeliveries.map(wait)
  }

  /// Its turn, or the end of its attempt.
  private func turn(_ processing: ProcessingState) -> StudyExplanation.Wait? {
    let pause = processing.pauseText.map { ", and \($0)" } ?? ""
    let ahead = counted(jobsAhead, "job") + (job.priority == 0 ? "" : " (priority \(job.priority))")
    func wait(_ text: String, until: Date? = nil) -> StudyExplanation.Wait {
      StudyExplanation.Wait(
        seriesInstanceUID: job.seriesInstanceUID, job: job.id, until: until, text: text)
    }
    switch job.state {
    case "available":
      return wait("job \(job.id) waits for its turn, behind \(ahead)\(pause)")
    case "retryable":
      let reason = job.reason.map { ": \($0)" } ?? ""
      return wait(
        "job \(job.id) is tried again, behind \(ahead)\(reason)\(pause)", until: dueAt)
    case "running":
      let since = attempts.last.map { " since \($0.startedAt.formatted(.iso8601))" } ?? ""
      let place = job.place.map { ": \($0.text)" } ?? ""
      return wait("job \(job.id) is running\(since)\(place)")
    case "held":
      return wait(
        "job \(job.id) is held, and waits for a person or for other images"
          + (job.advice.map { ". What to do: \($0)" } ?? ""))
    default: return nil
    }
  }

  private func wait(_ delivery: StudyRecord.WaitingDelivery) -> StudyExplanation.Wait {
    if delivery.state == "held" {
      return StudyExplanation.Wait(
        seriesInstanceUID: job.seriesInstanceUID, job: job.id, until: nil,
        text:
          "the result of job \(job.id) is held for \(delivery.destination), and waits for a person: "
          + (delivery.lastError ?? "") + ". What to do: "
          + HeldReason.advice(on: delivery.lastError ?? "", of: job, ofDelivery: true))
    }
    if delivery.state == "sent" {
      let error = delivery.lastError.map { ": \($0)" } ?? ""
      return StudyExplanation.Wait(
        seriesInstanceUID: job.seriesInstanceUID, job: job.id, until: delivery.nextAt,
        text:
          "the result of job \(job.id) was sent to \(delivery.destination), which has not proved yet "
          + "that it keeps it (asked \(counted(delivery.questions, "time"))), and is asked again\(error)"
      )
    }
    let isSending = delivery.state == "sending"
    let attempt = "attempt \(delivery.attempts + (isSending ? 0 : 1))"
    let error = delivery.lastError.map { ": \($0)" } ?? ""
    return StudyExplanation.Wait(
      seriesInstanceUID: job.seriesInstanceUID, job: job.id,
      until: isSending ? nil : delivery.nextAt,
      text: isSending
        ? "the result of job \(job.id) is being sent to \(delivery.destination) (\(attempt))"
        : "the result of job \(job.id) waits to be sent to \(delivery.destination) (\(attempt))\(error)"
    )
  }
}

extension JobAttempt {
  /// "52.3 s: network 40.1, …", the longest first.
  fileprivate var timesText: String? {
    guard let seconds, !seconds.isEmpty else { return nil }
    let stages = seconds.filter { $0.key != "total" }
      .sorted { ($1.value, $0.key) < ($0.value, $1.key) }
      .map { "\($0.key) " + String(format: "%.1f", $0.value) }.joined(separator: ", ")
    let total = seconds["total"].map { String(format: "%.1f s", $0) } ?? "times"
    return stages.isEmpty ? total : "\(total): \(stages)"
  }

  fileprivate var placeText: String? {
    place.map { place in
      let partition = place.partition.map { ", partition \($0)" } ?? ""
      return "by \(place.cluster)"
        + (place.node.map { " on \($0)" } ?? "") + "\(partition) (\(place.name))"
    }
  }

  fileprivate var memoryText: String? {
    let parts = [
      peakMemory.map { "\(megabytes($0)) of memory at the peak of the process" },
      predictedMemory.map { "\(megabytes($0)) predicted" },
    ].compactMap(\.self)
    return parts.isEmpty ? nil : parts.joined(separator: ", ")
  }
}
