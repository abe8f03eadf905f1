import Foundation
import JobLedger
import Wording

extension StudyRecord.Series {
  private func entry(_ kind: String, at: Date, _ text: String) -> StudyExplanation.Entry {
    StudyExplanation.Entry(at: at, kind: kind, seriesInstanceUID: seriesInstanceUID, text: text)
  }

  private var name: String { "series \(seriesInstanceUID)" }

  /// How it came, and what the geometry gate made of it.
  var entries: [StudyExplanation.Entry] {
    arrivalEntries + associations.flatMap(entries) + verdicts.map(entry)
  }

  /// What came over associations is told with these.
  private var arrivalEntries: [StudyExplanation.Entry] {
    arrivals.compactMap { arrival in
      if arrival.source == .listener, !associations.isEmpty { return nil }
      let from =
        switch arrival.source {
        case .listener: arrival.callingAETitle.map { "from \($0)" } ?? "by C-STORE"
        case .watch: "from a watch folder"
        case .command: "found in the spool or given by a command"
        }
      let end =
        arrival.lastAt == arrival.firstAt
        ? "" : ", the last at \(arrival.lastAt.formatted(.iso8601))"
      return entry(
        "arrival", at: arrival.firstAt,
        "\(counted(arrival.instances, "instance")) of \(name) came \(from)\(end) "
          + "(\(megabytes(arrival.byteCount)))")
    }
  }

  private func entries(_ association: AssociationRecord) -> [StudyExplanation.Entry] {
    let peer = association.peerName
    let stored =
      "\(counted(association.stored, "instance")) of \(name) stored, \(association.refused) refused"
    let begun = entry(
      "association", at: association.startedAt,
      "\(peer) opened an association to \(association.calledAETitle), over which \(name) came")
    guard let endedAt = association.endedAt, let outcome = association.outcome else {
      return [begun]
    }
    let reason = association.message.map { " (\($0))" } ?? ""
    let open = association.isUnresolved ? "; nothing has made up for that since" : ""
    return [
      begun,
      entry(
        "association", at: endedAt,
        "the association of \(peer) \(outcome.sentence)\(reason): \(stored)\(open)"),
    ]
  }

  private func entry(_ verdict: RecordedVerdict) -> StudyExplanation.Entry {
    let by = verdict.job.map { "with its pixels, in job \($0)" } ?? "by its headers"
    let volumes = verdict.verdict.volumes
    let sizes = volumes.map { $0.dims.map(String.init).joined(separator: "x") }
      .joined(separator: ", ")
    let split = volumes.isEmpty ? "" : "; \(counted(volumes.count, "volume")): \(sizes)"
    return StudyExplanation.Entry(
      at: verdict.at, kind: "verdict", seriesInstanceUID: seriesInstanceUID, job: verdict.job,
      text: "the geometry gate assessed \(name) \(by): \(verdict.verdict.line)\(split)")
  }

  /// Its present state.
  ///
  /// - Parameter hasJobs: whether any job was made of it.
  func state(hasJobs: Bool) -> String {
    let what =
      "\(name)\(modality.isEmpty ? "" : " (\(modality))"), \(counted(instances, "instance")): "
    if associations.contains(where: { $0.endedAt == nil }) { return what + "is arriving" }
    if !isAssembled { return what + "waits to be assembled" }
    if isHeldAsIncomplete { return what + "is held because instances may be missing" }
    return what + (hasJobs ? "is assembled" : "is stored, and nothing is done with it")
      + purged
  }

  private var purged: String {
    if let purgedAt { return "; its originals were purged at \(purgedAt.formatted(.iso8601))" }
    return purgedInstances == 0
      ? "" : "; the originals of \(counted(purgedInstances, "instance")) were purged"
  }

  /// What keeps it from going on.
  ///
  /// - Parameters:
  ///   - times: of the configuration.
  ///   - lacksInstances: whether instances were refused that have not come since.
  func waits(_ times: WaitingTimes, lacksInstances: Bool) -> [StudyExplanation.Wait] {
    func wait(_ text: String, until: Date? = nil) -> StudyExplanation.Wait {
      StudyExplanation.Wait(seriesInstanceUID: seriesInstanceUID, until: until, text: text)
    }
    let open = associations.filter { $0.endedAt == nil }
    if !open.isEmpty {
      return open.map { wait("\(name) waits for \($0.peerName) to end its association") }
    }
    if let handover { return [wait("\(name) waits for \(handover)")] }
    if isHeldAsIncomplete {
      return [
        wait("\(name) waits for what is missing: have it sent again"),
        completeness.flatMap { question($0, wait) },
      ].compactMap(\.self)
    }
    guard !isAssembled else { return [] }
    let isIncomplete = lacksInstances || associations.contains(where: \.isUnresolved)
    let period = isIncomplete ? times.missingPeriod : times.quietPeriod
    let what = isIncomplete ? "what is missing" : "more"
    var waits = [
      wait(
        "\(name) waits for \(what), until nothing has come for \(seconds(period))",
        until: lastReceivedAt.addingTimeInterval(period))
    ]
    if let completeness, completeness.state == "waiting" {
      waits += [question(completeness, wait)].compactMap(\.self)
      if let patience = times.patience {
        waits.append(
          wait(
            "\(name) waits no longer for the query source than \(seconds(patience))",
            until: completeness.firstAt.addingTimeInterval(patience)))
      }
    }
    return waits
  }

  private func question(
    _ completeness: StudyRecord.Completeness,
    _ wait: (String, Date?) -> StudyExplanation.Wait
  ) -> StudyExplanation.Wait? {
    guard ["waiting", "incomplete", "unconfirmed"].contains(completeness.state) else { return nil }
    let asked = "asked \(counted(completeness.attempts, "time")) so far"
    let reason = completeness.reason.map { ": \($0)" } ?? ""
    return wait(
      "the query source is asked again about \(name) (\(asked))\(reason)", completeness.nextAt)
  }
}

extension AssociationRecord {
  var peerName: String {
    callingAETitle.isEmpty ? peerAddress : "\(callingAETitle) at \(peerAddress)"
  }
}

extension AssociationOutcome {
  /// After "the association of MODALITY at 10.0.0.5".
  fileprivate var sentence: String {
    switch self {
    case .released: "was released by the peer"
    case .abortedByPeer: "was aborted by the peer"
    case .connectionLost: "ended with a lost connection"
    case .timedOut: "was aborted because the peer was silent"
    case .aborted: "was aborted for a violation of the protocol"
    case .shutDown: "was aborted because segmentd was stopping"
    case .interrupted: "was interrupted when segmentd ended"
    }
  }
}

extension RefusalRecord {
  var entry: StudyExplanation.Entry {
    let sender =
      callingAETitle.map { title in "from \(title)" + (peerAddress.map { " at \($0)" } ?? "") }
      ?? (instance.source == .watch ? "of a file in a watch folder" : "of a file")
    let again =
      count > 1 ? ", \(counted(count, "time")), the last at \(lastAt.formatted(.iso8601))" : ""
    let end =
      switch resolution {
      case .received: "it arrived whole at \(resolvedAt?.formatted(.iso8601) ?? "some time")"
      case .released: "a person released the series without it"
      case nil: "it has not arrived since"
      }
    return StudyExplanation.Entry(
      at: firstAt, kind: "refusal", seriesInstanceUID: instance.seriesInstanceUID,
      text: "instance \(instance.line), \(sender)\(again); \(end)")
  }
}
