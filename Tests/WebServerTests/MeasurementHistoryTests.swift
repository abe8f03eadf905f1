import Foundation
import JobLedger
import Synchronization
import TestSupport
import Testing
import Volumes

@testable import Dashboard

extension TestedDashboard {
  /// A study with a completed job of the model liver.
  ///
  /// - Parameters:
  ///   - number: the last component of its UID, which begins with 1.9.
  ///   - values: volumes by structure; none for a result in which nothing was found.
  @discardableResult
  func addStudy(_ number: Int, _ values: [String: Double]) throws -> Int64 {
    let series = "1.9.\(number).1"
    _ = try ledger.recordInstance(
      InstanceRecord(
        studyInstanceUID: "1.9.\(number)", seriesInstanceUID: series,
        sopInstanceUID: "\(series).1", sopClassUID: "1.2.840.10008.5.1.4.1.1.2", modality: "CT",
        transferSyntaxUID: "1.2.840.10008.1.2.1", spoolPath: Self.file(number), byteCount: 1000,
        contentHash: String(format: "%064d", number), source: .listener))
    let due = try #require(
      try ledger.seriesDue(quietPeriod: -1).first { $0.seriesInstanceUID == series })
    try ledger.assembleSeries(due, jobs: [NewJob(model: "liver", start: .available)])
    let job = try #require(try ledger.claimJob())
    try complete(job.id, ofStudy: number, values)
    return job.id
  }

  func complete(_ job: Int64, ofStudy number: Int, _ values: [String: Double]) throws {
    let hash = String(format: "%064d", number)
    let measurements = values.sorted { $0.key < $1.key }
      .map { ResultMeasurement(name: "\($0.key) volume", value: $0.value, unit: "ml") }
    let segmentation = StoredObject.segmentation(
      sopInstanceUID: "2.25.\(number)", path: "results/\(number)/segmentation.dcm", sha256: hash)
    try ledger.completeJob(
      job,
      result: JobResult(
        objects: (values.isEmpty ? [] : [segmentation])
          + [.picture(path: "results/\(number)/contours.png", sha256: hash)],
        modelVersion: number > 2 ? "1.2" : "1.1",
        summary: values.isEmpty ? "no structure of the model was found" : "found",
        measurements: measurements), destinations: ["pacs"])
  }

  static func file(_ number: Int) -> String { "spool/study-\(number).dcm" }

  static func examination(
    _ day: String?, issuer: String = "HOSPITAL", birthDate: String = "19500101"
  ) throws -> DashboardExamination {
    DashboardExamination(
      patient: .init(identifier: "4711", issuer: issuer, birthDate: birthDate),
      date: try day.map { try Date("\($0)T10:00:00Z", strategy: .iso8601) })
  }
}

/// What was measured in the studies of one patient.
@Suite(.limitedConcurrency) struct MeasurementHistoryTests {
  private struct History: Decodable {
    struct Point: Decodable {
      var studyInstanceUID: String
      var values: [String: Double]
    }
    var model: String
    var points: [Point]
    var omitted: Int
    var isWhole: Bool
  }

  private static let reader = ["-H", "Authorization: Bearer reader"]

  /// Studies 1 to 3 and 6 are of one patient, and 7 as well, whose date is not known.
  private static func dashboard() throws -> TestedDashboard {
    var dashboard = try TestedDashboard()
    for (number, values) in [
      ["Liver": 1500, "Tumour": 12.5], ["Liver": 1520.25], ["Liver": 1480, "Tumour": 30],
      ["Liver": 1001], ["Liver": 1002], [:], ["Liver": 1003],
    ].enumerated() { try dashboard.addStudy(number + 1, values) }
    for (number, examination) in [
      (1, try TestedDashboard.examination("2021-06-01")),
      (2, try TestedDashboard.examination("2020-01-10")),
      (3, try TestedDashboard.examination("2022-03-04")),
      (4, try TestedDashboard.examination("2021-01-01", issuer: "CLINIC")),
      (5, try TestedDashboard.examination("2021-01-01", birthDate: "19600101")),
      (6, try TestedDashboard.examination("2023-02-03")),
      (7, try TestedDashboard.examination(nil)),
    ] { dashboard.source.examinations[TestedDashboard.file(number)] = examination }
    return dashboard
  }

  private func histories(_ dashboard: TestedDashboard, _ study: String) async throws -> [History] {
    let answer = try await dashboard.ask("/api/v1/studies/\(study)/measurements", Self.reader)
    #expect(answer.status == 200, "\(answer.body)")
    return try JSONDecoder().decode([History].self, from: Data(answer.body.utf8))
  }

  @Test func aPatientsStudiesAreShownByTheirDates() async throws {
    let dashboard = try Self.dashboard()
    try await dashboard.running {
      let history = try #require(try await histories(dashboard, "1.9.3").first)
      #expect(
        history.points.map(\.studyInstanceUID) == ["1.9.2", "1.9.1", "1.9.3", "1.9.6"])
      #expect(history.points.map { $0.values["Liver volume"] } == [1520.25, 1500, 1480, nil])
      #expect(history.omitted == 1 && history.isWhole && history.model == "liver")

      let page = try await dashboard.ask("/studies/1.9.3", Self.reader).body
      #expect(page.contains("<h2>Over time</h2>"))
      // A structure that was not found has no volume.
      #expect(
        page.contains(
          "Tumour volume: 2020-01-10: 0.00 ml; 2021-06-01: 12.5 ml; 2022-03-04: 30.0 ml; "
            + "2023-02-03: 0.00 ml"))
      #expect(page.components(separatedBy: "class=\"here\"").count == 3)
      #expect(page.components(separatedBy: "<circle").count == 9)
      #expect(page.contains("/studies/1.9.2\"") && page.contains("not found"))
      #expect(page.contains("1 result is left out") && page.contains("different versions"))
      #expect(!page.contains("1001.0") && !page.contains("1002.0") && !page.contains("style="))
      // The others are alone, each of a patient of its own.
      for study in ["1.9.4", "1.9.5"] {
        #expect(try await histories(dashboard, study).isEmpty)
        let page = try await dashboard.ask("/studies/\(study)", Self.reader).body
        #expect(!page.contains("Over time"))
      }
    }
  }

  @Test func patientsThatAreNotShownHaveNoCourse() async throws {
    let dashboard = try Self.dashboard()
    var settings = DashboardSettings()
    settings.showsPatients = false
    try await dashboard.running(settings) {
      let path = "/api/v1/studies/1.9.3/measurements"
      #expect(try await dashboard.ask(path, Self.reader).status == 403)
      let page = try await dashboard.ask("/studies/1.9.3", Self.reader)
      #expect(page.status == 200 && !page.body.contains("Over time"))
    }
    // Nobody has logged in.
    try await dashboard.running(hasClients: false) {
      let measurements = try await dashboard.ask("/api/v1/studies/1.9.3/measurements")
      let page = try await dashboard.ask("/studies/1.9.3")
      #expect(measurements.status == 403)
      #expect(page.status == 200 && !page.body.contains("Over time"))
    }
  }

  /// Says whose the files are, and how often it was asked.
  private final class CountingSource: DashboardSource {
    struct Unavailable: Error {}
    let examinations: [String: DashboardExamination]
    private let asked = Mutex<[String: Int]>([:])
    var counts: [String: Int] { asked.withLock { $0 } }

    init(_ examinations: [String: DashboardExamination]) { self.examinations = examinations }

    func examination(file: String) -> DashboardExamination? {
      asked.withLock { $0[file, default: 0] += 1 }
      return examinations[file]
    }

    func models() async -> (models: [DashboardModel], faults: [String]) { ([], []) }
    let rules: [DashboardRule] = []
    let refusedSenders: [DashboardRefusedSender]? = nil
    func ruleTrial(files: [String]) async throws -> String { "" }
    func patient(file: String) -> DashboardPatient? { nil }
    func stacks(series: String) throws -> [SliceStack] { throw Unavailable() }
    func pixels(of stack: SliceStack) throws -> Volume { throw Unavailable() }
    var memory: [(process: String, bytes: Int)] { [] }
    var disk: (available: Int, total: Int)? { nil }
  }

  /// Where there is no time for it now, the headers are read by and by, each once; what comes later is found.
  @Test func headersAreReadOnceAndByAndBy() async throws {
    let dashboard = try Self.dashboard()
    var examinations = dashboard.source.examinations
    examinations[TestedDashboard.file(8)] = try TestedDashboard.examination("2024-01-01")
    let source = CountingSource(examinations)
    let index = PatientIndex(dashboard.ledger, source)
    let patient = try TestedDashboard.examination(nil).patient
    let first = try index.results(of: patient, model: "liver", within: 0)
    #expect(first.entries.isEmpty && !first.isWhole)
    try await waitUntil("the headers", within: 900) {
      try index.results(of: patient, model: "liver", within: 0).isWhole
    }
    let found = try index.results(of: patient, model: "liver", within: 10)
    #expect(Set(found.entries.map(\.job)) == [1, 2, 3, 6, 7] && found.isWhole)
    #expect(source.counts.count == 7 && source.counts.values.allSatisfy { $0 == 1 })
    let new = try dashboard.addStudy(8, ["Liver": 1400])
    let later = try index.results(of: patient, model: "liver", within: 10)
    #expect(Set(later.entries.map(\.job)) == [1, 2, 3, 6, 7, new])
    #expect(try index.results(of: patient, model: "other", within: 10).entries.isEmpty)
    // A job of long ago ends last, such as one that was held; with no time left it is found by and by.
    let old = try #require(try runningJob(dashboard, series: "1.9.1.1"))
    for number in 9...30 { try dashboard.addStudy(number, ["Liver": 1]) }
    try dashboard.complete(old, ofStudy: 31, ["Liver": 1390])
    #expect(try !index.results(of: patient, model: "liver", within: 0).isWhole)
    try await waitUntil("the late result", within: 900) {
      try index.results(of: patient, model: "liver", within: 0).entries.contains { $0.job == old }
    }
    #expect(source.counts.values.allSatisfy { $0 == 1 || $0 == 2 })
  }

  /// A job of a series that is running and does not end.
  private func runningJob(_ dashboard: TestedDashboard, series: String) throws -> Int64? {
    _ = try dashboard.ledger.reprocess(series: series, job: NewJob(model: "liver"))
    return try dashboard.ledger.claimJob()?.id
  }
}
