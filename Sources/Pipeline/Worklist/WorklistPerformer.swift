import DICOM
import DICOMweb
import Foundation
import Ingest
import JobLedger
import Logging
import ServiceLifecycle
import Synchronization

/// Performs workitems of a worklist server by UPS-RS (PS3.18 11, IHE AIW-I): claims what is scheduled, has its
/// inputs here, and tells the server what came of the jobs that the rules make of them.
///
/// Everything that it has promised is in the ledger before the server is told, so that a restart resumes: the
/// transaction UID before the claim, the end before it is sent.
public struct WorklistPerformer: Service {
  /// Who is asked, how, and how often.
  public struct Settings: Sendable {
    /// Code Value of Scheduled Station Name Code Sequence (0040,4025) that is ours; nil to take every
    /// workitem.
    public var station: String?
    /// By which we are named in what was performed.
    public var name: String
    /// Seconds between two looks.
    public var interval: Double
    /// Seconds that a workitem waits for its inputs, before it is cancelled.
    public var patience: Double
    /// Workitems that are ours at the same time.
    public var atOnce: Int

    public init(
      station: String?, name: String, interval: Double = 30, patience: Double = 900,
      atOnce: Int = 16
    ) {
      self.station = station
      self.name = name
      self.interval = interval
      self.patience = patience
      self.atOnce = atOnce
    }
  }

  private let client: DICOMwebClient
  private let ledger: Ledger
  private let state: StateDirectory
  private let source: (any QuerySource)?
  private let settings: Settings
  private let logger: Logger
  private let told = ToldProgress()
  private let events: WorklistEvents

  /// - Parameters:
  ///   - client: of the worklist server.
  ///   - ledger: the ledger.
  ///   - state: the state directory, for the files of results.
  ///   - source: gives inputs that are not here; nil where all are sent to us.
  ///   - settings: which workitems are performed, and how often the server is asked.
  ///   - logger: is told of each change.
  public init(
    client: DICOMwebClient, ledger: Ledger, state: StateDirectory, source: (any QuerySource)?,
    settings: Settings, logger: Logger
  ) {
    self.client = client
    self.ledger = ledger
    self.state = state
    self.source = source
    self.settings = settings
    self.logger = logger
    events = WorklistEvents(client: client, title: settings.name, logger: logger)
  }

  public func run() async throws {
    await withDiscardingTaskGroup { group in
      group.addTask {
        await events.follow(pause: settings.interval) { event in
          if event.isCancelRequest { cancel(event.uid) }
        }
      }
      await repeatUntilShutdown(every: .seconds(settings.interval), logger: logger) {
        try await step()
        return false
      }
      group.cancelAll()
    }
  }

  /// Its requester asks for the end of a workitem of ours: the next look tells the server. The jobs go on, as of every
  /// series.
  private func cancel(_ uid: String) {
    do throws(LedgerError) {
      guard let item = try ledger.workitem(uid), item.state == .performing else { return }
      try ledger.endWorkitem(uid, cancelled: "its requester asked for it")
      logger.info("workitem to be cancelled, as its requester asks", metadata: metadata(item))
    } catch {
      // The requester may ask again.
      logger.error("a request to cancel is lost: \(error)", metadata: ["workitem": "\(uid)"])
    }
  }

  /// Takes each workitem of ours as far as it comes, and claims what is scheduled.
  ///
  /// - Throws: `LedgerError`, or `DICOMwebError` where the server does not answer.
  func step() async throws {
    var fault: DICOMwebError?
    for item in try ledger.openWorkitems() {
      // What the server says of one does not keep it from others.
      do { try await advance(item) } catch let error as DICOMwebError { fault = fault ?? error }
    }
    if let fault { throw fault }
    guard try ledger.openWorkitems().count < settings.atOnce else { return }
    for found in try await client.scheduledWorkitems(station: settings.station)
    where try ledger.workitem(found.uid) == nil {
      guard try ledger.openWorkitems().count < settings.atOnce else { return }
      // A list need not have the inputs.
      guard let whole = found.inputs.isEmpty ? try await client.workitem(found.uid) : found,
        whole.state == nil || whole.state == .scheduled
      else { continue }
      guard !whole.inputs.isEmpty else {
        logger.debug(
          "a workitem without inputs is not for us", metadata: ["workitem": "\(found.uid)"])
        continue
      }
      _ = try ledger.beginWorkitem(
        found.uid, transactionUID: DICOMUID.named("workitem \(UUID().uuidString)"),
        inputs: whole.inputs.map {
          .init(studyInstanceUID: $0.studyInstanceUID, seriesInstanceUID: $0.seriesInstanceUID)
        })
      if let item = try ledger.workitem(found.uid) { try await advance(item) }
    }
  }

  private func advance(_ item: ClaimedWorkitem) async throws {
    switch item.state {
    case .claiming: try await claim(item)
    case .performing:
      guard try await isOurs(item) else { return }
      await events.subscribe(to: item.uid)
      try await perform(item)
    case .ending: try await finish(item)
    case .completed, .cancelled, .lost: break
    }
  }

  private func claim(_ item: ClaimedWorkitem) async throws {
    let answer = try await client.changeState(
      of: item.uid, to: .inProgress, transaction: item.transactionUID)
    if case .refused(let status) = answer {
      // It may be ours already, where the answer to an earlier request was lost.
      guard try await client.workitem(item.uid)?.state == .inProgress,
        try await client.update(item.uid, percent: 0, transaction: item.transactionUID) == .done
      else {
        return try lose(item, "the server did not give it (\(status))")
      }
    }
    try ledger.performWorkitem(item.uid)
    logger.info("workitem claimed", metadata: metadata(item))
    await events.subscribe(to: item.uid)
    if let item = try ledger.workitem(item.uid) { try await perform(item) }
  }

  private func lose(_ item: ClaimedWorkitem, _ reason: String) throws {
    try ledger.loseWorkitem(item.uid, reason: reason)
    logger.warning("workitem lost: \(reason)", metadata: metadata(item))
  }

  /// Looks whether the workitem still is what was claimed: its requester may have had it cancelled, and events may have
  /// been missed.
  private func isOurs(_ item: ClaimedWorkitem) async throws -> Bool {
    guard let found = try await client.workitem(item.uid) else {
      try lose(item, "the server does not know it any more")
      return false
    }
    guard let state = found.state, state != .inProgress else { return true }
    try lose(item, "the server has it as \(state.rawValue)")
    return false
  }

  // MARK: What is to be done

  private func perform(_ item: ClaimedWorkitem) async throws {
    let (series, missing) = try await inputs(of: item)
    guard missing == nil else {
      guard Date().timeIntervalSince(item.beganAt) > settings.patience else { return }
      return try await end(item, cancelled: "its inputs are not here: \(missing ?? "")")
    }
    let jobs = try lastJobs(of: series, item)
    // One of which the rules made no job has been looked at all the same.
    let waiting = Set(try ledger.pendingSeries().map(\.seriesInstanceUID)).intersection(series)
    let open = jobs.filter { !Self.isFinal($0) || !Self.isDelivered($0) }
    guard waiting.isEmpty, open.isEmpty else {
      let count = series.count + jobs.count
      let done = count - waiting.count - open.count
      return try await tell(item, percent: 100 * done / max(1, count + 1))
    }
    guard jobs.contains(where: { $0.state == JobState.completed.rawValue }) else {
      let reasons = Set(jobs.map { "\($0.state): \($0.reason ?? "")" }).sorted()
      return try await end(
        item, cancelled: reasons.isEmpty ? "it has no images" : reasons.joined(separator: "; "))
    }
    try await end(item, cancelled: nil)
  }

  /// The series of images among the inputs, and why some are not here.
  private func inputs(of item: ClaimedWorkitem) async throws -> (series: [String], missing: String?)
  {
    var series: [String] = []
    for input in item.inputs {
      let study = input.studyInstanceUID
      var wanted = input.seriesInstanceUID.map { [$0] } ?? []
      if wanted.isEmpty {
        wanted = try ledger.imageSeries(ofStudy: study).map(\.seriesInstanceUID)
        do {
          wanted +=
            try await source?.series(ofStudy: study, only: nil, patientID: "")
            .map(\.seriesInstanceUID).filter { !wanted.contains($0) } ?? []
        } catch { return (series, "\(error)") }
      }
      guard !wanted.isEmpty else { return (series, "nothing of study \(study) is here") }
      for uid in wanted where !series.contains(uid) {
        if let reason = try await reasonMissing(uid, of: study) { return (series, reason) }
        if try ledger.isImageSeries(uid) { series.append(uid) }
      }
    }
    return (series, nil)
  }

  private func reasonMissing(_ series: String, of study: String) async throws -> String? {
    let isHere = try !ledger.instances(series: series).current.isEmpty
    guard let source else { return isHere ? nil : "series \(series) has not come" }
    // What is here is completed before it is assembled, as every series is.
    if isHere { return nil }
    let completion = SeriesCompletion(source: source, state: state, ledger: ledger)
    switch try await completion.complete(study: study, series: series) {
    case .complete(let listed):
      return listed == 0 ? "\(source) does not know series \(series)" : nil
    case .missing(_, let reason), .unreachable(let reason): return reason
    }
  }

  /// Of each series and model the last one.
  private func lastJobs(of series: [String], _ item: ClaimedWorkitem) throws -> [JobSummary] {
    let studies = Set(item.inputs.map(\.studyInstanceUID)).sorted()
    var last: [String: JobSummary] = [:]
    for job in try studies.flatMap({ try ledger.jobs(study: $0) })
    where series.contains(job.seriesInstanceUID) {
      last["\(job.seriesInstanceUID) \(job.model)"] = job
    }
    return last.values.sorted { $0.id < $1.id }
  }

  private static func isFinal(_ job: JobSummary) -> Bool {
    ["completed", "held", "cancelled"].contains(job.state)
  }

  /// Whether whoever reads the references can find the results.
  private static func isDelivered(_ job: JobSummary) -> Bool {
    job.deliveries.allSatisfy { !["waiting", "sending", "sent"].contains($0.state) }
  }

  private func tell(_ item: ClaimedWorkitem, percent: Int) async throws {
    guard told.isNew(percent, of: item.uid) else { return }
    let answer = try await client.update(
      item.uid, percent: percent, transaction: item.transactionUID)
    if case .refused(let status) = answer {
      try lose(item, "the server does not take its progress (\(status))")
    }
  }

  // MARK: The end

  private func end(_ item: ClaimedWorkitem, cancelled reason: String?) async throws {
    try ledger.endWorkitem(item.uid, cancelled: reason)
    if let item = try ledger.workitem(item.uid) { try await finish(item) }
  }

  private func finish(_ item: ClaimedWorkitem) async throws {
    let final: Workitem.State = item.reason == nil ? .completed : .canceled
    let end = WorkitemEnd(
      station: settings.name, start: item.beganAt, end: Date(),
      outputs: item.reason == nil ? try outputs(of: item) : [], discontinued: item.reason)
    var answer = try await client.update(item.uid, end: end, transaction: item.transactionUID)
    if answer == .done {
      answer = try await client.changeState(
        of: item.uid, to: final, transaction: item.transactionUID)
    }
    if case .refused(let status) = answer {
      // The answer to an earlier request may have been lost.
      guard try await client.workitem(item.uid)?.state == final else {
        return try lose(item, "the server does not take its end (\(status))")
      }
    }
    try ledger.finishWorkitem(item)
    logger.info(
      item.reason.map { "workitem cancelled: \($0)" } ?? "workitem completed",
      metadata: metadata(item))
  }

  /// What the files of the results say of themselves.
  private func outputs(of item: ClaimedWorkitem) throws -> [WorkitemOutput] {
    var series: [String] = []
    for input in item.inputs {
      series +=
        try input.seriesInstanceUID.map { [$0] }
        ?? ledger.imageSeries(ofStudy: input.studyInstanceUID).map(\.seriesInstanceUID)
    }
    let objects = try lastJobs(of: series, item).filter { $0.state == JobState.completed.rawValue }
      .flatMap(\.objects).filter { $0.sopInstanceUID != nil }
    return objects.compactMap { object in
      guard let identity = try? DICOMFile(path: state.file(object.path).path).identity() else {
        return nil
      }
      return WorkitemOutput(
        studyInstanceUID: identity.studyInstanceUID, seriesInstanceUID: identity.seriesInstanceUID,
        sopClassUID: identity.sopClassUID, sopInstanceUID: identity.sopInstanceUID)
    }
  }

  private func metadata(_ item: ClaimedWorkitem) -> Logger.Metadata {
    [
      "workitem": "\(item.uid)",
      "study": "\(item.inputs.first?.studyInstanceUID ?? "unknown")",
    ]
  }
}

/// What the server was told last, so that it is not told the same again.
private final class ToldProgress: Sendable {
  private let percents = Mutex<[String: Int]>([:])

  func isNew(_ percent: Int, of item: String) -> Bool {
    percents.withLock { $0.updateValue(percent, forKey: item) != percent }
  }
}
