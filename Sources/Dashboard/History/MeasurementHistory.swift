import Foundation
import JobLedger

/// What a model has measured in the studies of one patient, by their dates.
struct MeasurementHistory: Sendable, Encodable {
  struct Point: Sendable, Encodable {
    var studyInstanceUID: String
    var job: Int64
    var modelVersion: String
    /// As the images state it, taken for UTC.
    var examinedAt: Date
    /// By name; what was not found has none.
    var values: [String: Double]
  }

  var model: String
  /// Names of what is measured with their units.
  var units: [String: String] = [:]
  /// The earliest first.
  var points: [Point] = []
  /// Results that are left out: their images state no date, or an older version has kept no volumes.
  var omitted = 0
  /// Whether the patient of every result of the model is known: else more may follow.
  var isWhole: Bool

  var names: [String] { units.keys.sorted() }
  var studies: Int { Set(points.map(\.studyInstanceUID)).count }

  /// The value of a point as a curve shows it: a structure that was not found has no volume.
  func value(_ name: String, _ point: Point) -> Double? {
    point.values[name] ?? (name.hasSuffix(" volume") ? 0 : nil)
  }
}

extension Dashboard {
  /// Seconds for which headers are read for one page.
  private static let readingSeconds = 2.0

  /// The courses of what models have measured in the studies of a study's patient, where there are several of them.
  ///
  /// - Parameter study: Study Instance UID.
  /// - Throws: `LedgerError`
  func histories(ofPatientOf study: String) throws -> [MeasurementHistory] {
    guard let summary = try ledger.studies(uid: study, limit: 1).first else { return [] }
    let current = summary.jobs.filter { $0.state == "completed" && $0.supersededBy == nil }
    let object = current.filter { $0.purgedAt == nil }.flatMap(\.objects)
      .first { $0.kind == .segmentation }
    guard let file = try ledger.files(ofStudy: study).first ?? object?.path,
      let patient = source.examination(file: file)?.patient
    else { return [] }
    return try Set(current.map(\.model)).sorted().map { try history(of: patient, model: $0) }
      .filter { $0.studies > 1 || !$0.isWhole }
  }

  private func history(
    of patient: DashboardExamination.Patient, model: String
  ) throws -> MeasurementHistory {
    let (entries, isWhole) = try patients.results(
      of: patient, model: model, within: Self.readingSeconds)
    var history = MeasurementHistory(model: model, isWhole: isWhole)
    guard !entries.isEmpty else { return history }
    let dates = Dictionary(entries.map { ($0.job, $0.date) }) { first, _ in first }
    var query = JobQuery()
    query.selection.jobs = entries.map(\.job)
    query.selection.states = [.completed]
    for job in try ledger.jobs(query) where job.supersededBy == nil {
      // As the summary of a job says that came to an end without any structure.
      let isMeasured = !job.measurements.isEmpty || job.summary?.hasPrefix("no structure") == true
      guard isMeasured, let date = dates[job.id] ?? nil else {
        history.omitted += 1
        continue
      }
      history.add(job, at: date)
    }
    history.points.sort { ($0.examinedAt, $0.job) < ($1.examinedAt, $1.job) }
    return history
  }
}

extension MeasurementHistory {
  /// Jobs that came to the same as another one of their study say nothing more.
  fileprivate mutating func add(_ job: JobSummary, at date: Date) {
    let values = Dictionary(job.measurements.map { ($0.name, $0.value) }) { first, _ in first }
    for one in job.measurements { units[one.name] = one.unit }
    let isKnown = points.contains {
      $0.studyInstanceUID == job.studyInstanceUID && $0.values == values
    }
    guard !isKnown else { return }
    points.append(
      Point(
        studyInstanceUID: job.studyInstanceUID, job: job.id, modelVersion: job.modelVersion ?? "",
        examinedAt: date, values: values))
  }
}
