import Clocks
import Foundation
import GRDB
import TestSupport
import Testing

@testable import JobLedger

/// A ledger of many studies, and how long its commands and queries take.
///
/// Without a variable it is a small one, and what is asked is compared with what is in it; no time matters.
/// `SEGMENTD_LEDGER_INSTANCES=1000000`, as `Scripts/bench-ledger.sh` sets it, makes it that large, prints
/// the times and holds them to what is promised of such a ledger; `SEGMENTD_LEDGER_JSON=FILE` receives them.
@Suite struct ScaleTests {
  private static let instances =
    ProcessInfo.processInfo.environment["SEGMENTD_LEDGER_INSTANCES"].flatMap { Int($0) }
  private static let instancesPerStudy = 100

  private let folder: TemporaryFolder
  private let path: String
  private let studies: Int
  private var isBenchmark: Bool { Self.instances != nil }

  init() throws {
    folder = try TemporaryFolder()
    path = folder.path("ledger.sqlite")
    studies = max(6, (Self.instances ?? 1200) / Self.instancesPerStudy)
  }

  private func series(_ study: Int, _ part: Int = 1) -> String { "2.25.\(study).\(part)" }

  /// Each study has a stack of 80 images, which is segmented and delivered, and 20 others that no rule
  /// matches; of every tenth study the stack waits, and of every hundredth its delivery.
  private func fill(_ ledger: Ledger) throws {
    for study in 1...studies {
      let records =
        (1...80).map { record($0, series(study), study) }
        + (1...20).map { record($0, series(study, 2), study) }
      let pending = records.map { ledger.beginRecording($0) }
      for commit in pending { #expect(try commit.wait() == .added) }
    }
    let due = try ledger.seriesDue(quietPeriod: -1)
    #expect(due.count == 2 * studies)
    for study in 1...studies {
      let isWaiting = study % 10 == 0
      for part in 1...2 {
        let series = SeriesDue(
          studyInstanceUID: "2.25.\(study)", seriesInstanceUID: series(study, part),
          modality: "CT", revision: part == 1 ? 80 : 20, instanceCount: part == 1 ? 80 : 20,
          isStudyQuiet: true)
        let start: NewJob.Start = part == 1 ? .available : .held(reason: "no rule matches")
        try ledger.assembleSeries(
          series, jobs: [NewJob(model: part == 1 ? "liver" : "", start: start)],
          verdict: SeriesVerdict(
            seriesInstanceUID: series.seriesInstanceUID, kind: .accepted, reasons: []))
      }
      if isWaiting { continue }
      let job = Int64(2 * study - 1)
      _ = try ledger.claimJob(id: job)
      try ledger.completeJob(job, result: .test(job), destinations: ["pacs"])
      guard study % 100 != 1, let delivery = try ledger.claimDelivery(job: job) else { continue }
      try ledger.markDelivered(delivery)
    }
  }

  private func record(_ number: Int, _ series: String, _ study: Int) -> InstanceRecord {
    var record = InstanceRecord.test(number, series: series, study: "2.25.\(study)")
    record.spoolPath = "spool/\(study % 256)/\(study / 256 % 256)/\(UUID().uuidString).dcm"
    return record
  }

  /// Median of some times, in milliseconds.
  private func median(_ repetitions: Int = 15, _ work: () throws -> Void) throws -> Double {
    var times: [Double] = []
    for _ in 0..<repetitions {
      let time = try ContinuousClock().measure(work)
      times.append(time / .milliseconds(1))
    }
    return times.sorted()[repetitions / 2]
  }

  @Test func everyAnswerIsRightAndFast() throws {
    var ledger: Ledger? = try Ledger(path: path)
    let filled = try ContinuousClock().measure { try fill(#require(ledger)) }
    ledger = nil
    var rows: [(what: String, milliseconds: Double, bound: Double?)] = []
    let opened = try median(3) { _ = try Ledger(path: path) }
    rows.append(("open", opened, 1000))
    let open = try Ledger(path: path)
    try ask(open, &rows)
    try change(open, &rows)
    guard isBenchmark else { return }
    report(open, filled / .seconds(1), rows)
    for row in rows {
      guard let bound = row.bound else { continue }
      #expect(row.milliseconds < bound, "\(row.what): \(row.milliseconds) ms")
    }
  }

  private struct Record: Encodable {
    var command: String
    var measuredAt = Date.now.formatted(.iso8601.year().month().day())
    var processors = ProcessInfo.processInfo.activeProcessorCount
    var instances: Int
    var studies: Int
    var milliseconds: [String: Double]
  }

  private typealias Rows = [(what: String, milliseconds: Double, bound: Double?)]

  private func ask(_ ledger: Ledger, _ rows: inout Rows) throws {
    /// What is asked, and what the answer has to be.
    func measure<Value: Equatable>(
      _ what: String, bound: Double? = 50, is expected: Value, _ work: () throws -> Value
    ) throws {
      var answer: Value?
      let time = try median { answer = try work() }
      rows.append((what, time, bound))
      #expect(answer == expected, "\(what)")
    }
    let jobs = 2 * studies
    var last = JobQuery()
    (last.limit, last.isDescending) = (100, true)
    try measure("jobs: the last 100", is: Int64(jobs)) { try ledger.jobs(last).first?.id }
    var held = last
    held.selection.states = [.held]
    try measure("jobs --state held: 100", is: ["held"]) {
      Set(try ledger.jobs(held).map(\.state))
    }
    var model = JobQuery()
    model.selection.model = "liver"
    (model.limit, model.offset) = (100, studies / 2)
    try measure("jobs --model --offset: 100", is: Int64(2 * (studies / 2) + 1)) {
      try ledger.jobs(model).first?.id
    }
    var undelivered = JobQuery()
    undelivered.selection.destination = "pacs"
    undelivered.selection.deliveryStates = [.waiting]
    undelivered.limit = 100
    let waiting = (1...studies).filter { $0 % 100 == 1 && $0 % 10 != 0 }.count
    try measure("jobs --destination --delivery waiting", is: min(waiting, 100)) {
      try ledger.jobs(undelivered).count
    }
    var finished = JobQuery()
    (finished.order, finished.limit, finished.isDescending) = (.finished, 100, true)
    try measure("jobs --sort finished --reverse: 100", is: true) {
      try ledger.jobs(finished).first?.finishedAt != nil
    }
    var study = JobQuery()
    study.selection.study = "2.25.\(studies)"
    try measure("jobs --study", is: [Int64(jobs - 1), Int64(jobs)]) {
      try ledger.jobs(study).map(\.id)
    }
    try measure("jobs: their number", is: jobs) { try ledger.jobCount(JobSelection()) }
    try measure("jobs --job", is: "2.25.\(studies / 2).2") {
      try ledger.job(Int64(2 * (studies / 2))).job.seriesInstanceUID
    }
    try measure("jobs --pending", is: 0) { try ledger.pendingSeries().count }
    try measure("explain", is: [20, 80]) {
      try ledger.record(ofStudy: "2.25.3").series.map(\.instances).sorted()
    }
    try measure("series that are due", is: 0) { try ledger.seriesDue(quietPeriod: 30).count }
    try measure("whether a job is to yield", is: .ended(state: "completed")) {
      try ledger.reasonToYield(job: 1)
    }
    try measure("purge: a portion of 500 series", is: true) {
      try ledger.keptOriginals(after: .start).files.count > 0
    }
    let statistics = LedgerStatisticsReader(ledger)
    let first = try ContinuousClock().measure { _ = try statistics.read() }
    rows.append(("metrics, for the first time", first / .milliseconds(1), nil))
    try measure("metrics, again", is: ["completed", "available", "held"]) {
      Set(try statistics.read().jobs.keys)
    }
    var position = ComparisonPosition.start
    try measure("the next comparison", is: nil) { try ledger.nextComparison(after: &position) }
    try measure("bytes of originals", bound: nil, is: 1000 * studies * Self.instancesPerStudy) {
      try ledger.bytesOfOriginals()
    }
    try measure("all jobs (not paged)", bound: nil, is: jobs) { try ledger.jobs().count }
  }

  private func change(_ ledger: Ledger, _ rows: inout Rows) throws {
    var number = 1000
    let inserted = try median(201) {
      number += 1
      _ = try ledger.recordInstance(record(number, series(studies, 3), studies))
    }
    rows.append(("insert an instance", inserted, 2))
    var claims = 0
    let claimed = try median(min(max(1, studies / 10), 101)) {
      if try ledger.claimJob() != nil { claims += 1 }
    }
    #expect(claims == min(studies / 10, 101))
    rows.append(("claim a job", claimed, 2))
    // After what was just claimed, and then after a job each time.
    let statistics = LedgerStatisticsReader(ledger)
    _ = try statistics.read()
    var query = JobQuery()
    query.selection.states = [.running]
    var running = try ledger.jobs(query).map(\.id)
    let counted = try median(min(max(1, running.count), 15)) {
      if let job = running.popLast() { try ledger.releaseJob(job) }
      _ = try statistics.read()
    }
    rows.append(("release a job, and metrics", counted, 50))
    #expect(try statistics.read() == LedgerStatisticsReader(ledger).read())
    var study = 0
    let computed = try median(min(studies / 4, 101)) {
      repeat { study += 1 } while study % 10 < 2
      try compute(study, ledger)
    }
    rows.append(("a job of a cluster, from the request to its delivery", computed, 50))
    let none = try median { _ = try ledger.claimDelivery(destination: "vna") }
    rows.append(("claim a delivery where none is due", none, 2))
  }

  /// All that is written of a job that is asked for again and computed by a cluster.
  private func compute(_ study: Int, _ ledger: Ledger) throws {
    let job = try ledger.reprocess(series: series(study), job: NewJob(model: "liver"))
    #expect(try ledger.claimJob(id: job)?.id == job)
    try ledger.identifyJob(
      job,
      JobIdentity(
        fingerprint: String(format: "%064x", job), modelSHA256: String(repeating: "c", count: 64)),
      seriesInstanceUID: "2.25.9.\(job)", replaced: nil)
    try ledger.record(submission: "a-\(job)-1", of: job)
    for state in ["PENDING", "RUNNING"] {
      try ledger.note(JobPlace(cluster: "Slurm", name: "a-\(job)-1", state: state), of: job)
    }
    let end = JobPlace(cluster: "Slurm", name: "a-\(job)-1", state: "COMPLETED")
    try ledger.completeJob(
      job, result: .test(job), destinations: ["pacs"],
      run: JobRun(seconds: ["total": 1], place: end))
    try ledger.markDelivered(try #require(try ledger.claimDelivery(job: job)))
  }

  private func report(_ ledger: Ledger, _ seconds: Double, _ rows: Rows) {
    let bytes = (try? FileManager.default.attributesOfItem(atPath: path)[.size]) as? Int ?? 0
    print(
      "\(studies * Self.instancesPerStudy) instances, \(studies) studies, \(2 * studies) jobs, "
        + "\(bytes / 1_000_000) MB, made in \(Int(seconds)) s; medians in ms")
    if let file = ProcessInfo.processInfo.environment["SEGMENTD_LEDGER_JSON"] {
      let record = Record(
        command: "bench-ledger.sh", instances: studies * Self.instancesPerStudy, studies: studies,
        milliseconds: Dictionary(
          rows.map { ($0.what, $0.milliseconds) }, uniquingKeysWith: { $1 }))
      let coder = JSONEncoder()
      coder.outputFormatting = [.prettyPrinted, .sortedKeys]
      do { try coder.encode(record).write(to: URL(fileURLWithPath: file)) } catch {
        Issue.record(error)
      }
    }
    for row in rows {
      let bound = row.bound.map { " (bound \(Int($0)))" } ?? ""
      print(String(format: "%10.3f  ", row.milliseconds) + row.what + bound)
    }
  }
}
