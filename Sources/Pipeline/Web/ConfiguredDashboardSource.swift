import AuditLog
import ConfigurationFile
import DICOM
import Dashboard
import Dispatch
import FileSystem
import Foundation
import Ingest
import JobLedger
import Segmentation
import SeriesProcessing
import SeriesReading
import SeriesSelection
import Synchronization
import Volumes

/// What the dashboard shows of the configuration, the models and the spool.
struct ConfiguredDashboardSource: DashboardSource {
  let configuration: SiteConfiguration
  let state: StateDirectory
  let ledger: Ledger
  let models: ModelLibrary
  private let patients = KnownPatients()

  init(
    configuration: SiteConfiguration, state: StateDirectory, ledger: Ledger, models: ModelLibrary
  ) {
    self.configuration = configuration
    self.state = state
    self.ledger = ledger
    self.models = models
  }

  func models() async -> (models: [DashboardModel], faults: [String]) {
    await withCheckedContinuation { continuation in
      DispatchQueue.global().async {
        var found: [DashboardModel] = []
        var faults: [String] = []
        for name in models.bundles.keys.sorted() {
          do { found.append(DashboardModel(try models.bundle(name))) } catch {
            faults.append("\(name): \(error)")
          }
        }
        continuation.resume(returning: (found, faults))
      }
    }
  }

  var rules: [DashboardRule] {
    configuration.modelRules.map {
      DashboardRule(
        name: $0.name, model: $0.model, priority: $0.priority, criteria: $0.inWords)
    }
  }

  func ruleTrial(files: [String]) async throws -> String {
    try await withCheckedThrowingContinuation { continuation in
      DispatchQueue.global().async {
        continuation.resume(
          with: Result {
            var missing: [String] = []
            let rules = configuration.rules(for: models) { model, error in
              missing.append("the channels of model \(model) are not shown: \(error)")
            }
            let scan = try InputScan(files.map { state.file($0).path })
            let trials = try RuleTrial.studies(
              scan.series, rules: rules, geometry: configuration.geometryRules)
            return (missing + trials.map(\.text)).joined(separator: "\n")
          })
      }
    }
  }

  func patient(file: String) -> DashboardPatient? {
    // A file of the spool does not change under its name.
    if let known = patients.known(file) { return known }
    let patient = readPatient(file)
    if let patient { patients.keep(patient, of: file) }
    return patient
  }

  private func header(_ file: String) -> Dataset? {
    let path = state.file(file).path
    guard let contents = try? DICOMFile.contents(of: path, mapped: true) else { return nil }
    return try? DICOMFile(path: path, contents: contents).dataset
  }

  func examination(file: String) -> DashboardExamination? {
    guard let header = header(file),
      let identifier = header.text(.patientID), !identifier.isEmpty
    else { return nil }
    let qualifiers = header.items(.issuerOfPatientIDQualifiersSequence).first
    let issuers = [header.text(.issuerOfPatientID), qualifiers?.text(.universalEntityID)]
    let moment = header.text(.studyDate)
      .flatMap { StatedMoment(date: $0, time: header.text(.studyTime)) }
    return DashboardExamination(
      patient: .init(
        identifier: identifier, issuer: issuers.compactMap(\.self).first { !$0.isEmpty } ?? "",
        birthDate: header.text(.patientBirthDate) ?? ""), date: moment.flatMap(\.moment))
  }

  private func readPatient(_ file: String) -> DashboardPatient? {
    guard let header = header(file) else { return nil }
    let facts: [(String, DICOM.Tag)] = [
      ("Patient ID", .patientID), ("Birth date", .patientBirthDate), ("Sex", .patientSex),
      ("Study date", .studyDate), ("Study", .studyDescription),
      ("Accession number", .accessionNumber),
    ]
    return DashboardPatient(
      name: header.text(.patientName) ?? "(no name)",
      facts: facts.compactMap { name, tag -> (name: String, value: String)? in
        guard let value = header.text(tag), !value.isEmpty else { return nil }
        // A Patient ID of eight digits is no date.
        let isDate = tag == .patientBirthDate || tag == .studyDate
        let day = isDate ? StatedMoment(date: value, time: nil)?.day : nil
        return (name, day ?? value)
      })
  }

  func stacks(series: String) throws -> [SliceStack] {
    let files = SeriesFiles(try ledger.instances(series: series), in: state)
    return try SourceSeries(files, geometry: configuration.geometryRules).assessment.volumes
      .map(\.stack)
  }

  func pixels(of stack: SliceStack) throws -> Volume { try SourceSeries.pixels(of: stack) }

  var refusedSenders: [DashboardRefusedSender]? {
    guard configuration.audit.keepDays > 0 else { return nil }
    return AuditLog.refusedPeers(in: state.auditLog.path).map {
      DashboardRefusedSender(
        name: $0.name, address: $0.address, reason: $0.reason, lastAt: $0.lastAt, count: $0.count)
    }
  }

  var memory: [(process: String, bytes: Int)] { MemoryBudget.ofDaemon }

  var disk: (available: Int, total: Int)? {
    DiskSpace(of: state.url.path).map { ($0.available, $0.size) }
  }
}

extension ModelRule {
  /// What the rule asks of a series, a line each.
  fileprivate var inWords: [String] {
    // What a criterion wants is said by its finding, of whatever series.
    let nothing = SeriesFacts(seriesInstanceUID: "")
    func text(_ criterion: SeriesCriterion) -> String {
      "\(criterion.attribute.rawValue): \(criterion.assess(nothing).wanted)"
    }
    func lines(_ criteria: SeriesCriteria) -> [String] {
      criteria.required.map(text)
        + criteria.preferred.map { preference in
          "\(preference.weight.formatted()) points where "
            + preference.criteria.map(text).joined(separator: ", ")
        }
        + (criteria.minimumScore.map { ["at least \($0.formatted()) points"] } ?? [])
    }
    var lines = lines(criteria)
    if lines.isEmpty { lines = ["every series"] }
    lines.append(selection == .best ? "of a study the best series" : "every series that matches")
    if !tieOrder.isEmpty {
      lines.append("of equal ones by " + tieOrder.map(\.rawValue).joined(separator: ", "))
    }
    if let volume {
      lines += (volume.criteria.required.map(text)).map { "of its volumes the one with \($0)" }
    }
    return lines
  }
}

extension DICOM.Tag {
  fileprivate static let universalEntityID = DICOM.Tag(0x0040, 0x0032)
}

extension StatedMoment {
  /// As if it were in UTC; nil where the calendar has no such day.
  fileprivate var moment: Date? {
    let format = DateFormatter()
    format.locale = Locale(identifier: "en_US_POSIX")
    format.timeZone = .gmt
    format.dateFormat = "yyyyMMddHHmmss"
    return format.date(from: date + time)
  }
}

/// What the last headers that were read say: a list of studies is shown again whenever something happens.
private final class KnownPatients: Sendable {
  private static let most = 500
  private let patients = Mutex<[String: DashboardPatient]>([:])

  func known(_ file: String) -> DashboardPatient? { patients.withLock { $0[file] } }

  func keep(_ patient: DashboardPatient, of file: String) {
    patients.withLock { patients in
      if patients.count >= Self.most { patients.removeAll() }
      patients[file] = patient
    }
  }
}

extension DashboardModel {
  fileprivate init(_ bundle: ModelBundle) {
    func range(_ range: InputLimits.Range) -> String {
      zip(range.min, range.max).map { "\($0.formatted())–\($1.formatted())" }
        .joined(separator: " × ") + " mm"
    }
    let card = try? String(
      contentsOf: bundle.directory.appendingPathComponent("CARD.md"), encoding: .utf8)
    self.init(
      name: bundle.name, version: bundle.version, summary: bundle.summary,
      facts: [
        ("Intended use", bundle.intendedUse), ("Licence", bundle.licence),
        ("Modalities", bundle.input.modalities.joined(separator: ", ")),
        ("Spacing z, y, x", range(bundle.input.spacing)),
        ("Extent z, y, x", range(bundle.input.extent)),
        ("Structures", bundle.labels.map(\.name).joined(separator: ", ")),
        ("SHA-256", bundle.sha256),
      ], card: card ?? "The bundle has no card.")
  }
}
