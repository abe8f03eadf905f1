import Foundation
import GRDB

/// A volume of a series that a job is about, where the series has several.
public struct ChosenVolume: Sendable, Codable, Equatable {
  /// What distinguishes it from the others, as `EchoTime=80`: numbers change where images arrive.
  public var name: String
  /// A rule or a person.
  public var cause: EventCause

  public init(_ name: String, by cause: EventCause) {
    self.name = name
    self.cause = cause
  }

  /// For people: "volume EchoTime=80, which a person chose".
  public var text: String {
    "volume \(name), which a \(cause == .person ? "person" : "rule") chose"
  }

  init?(_ row: Row) throws {
    guard let name: String = try row.value("volume"),
      let cause = EventCause(try row.value("volume_cause"))
    else { return nil }
    self.init(name, by: cause)
  }
}

/// What the ledger knows of the jobs of a study that is of interest for new ones.
public struct StudyJobs: Sendable, Equatable {
  /// Why the last job of a series for a model is held, by series and model: it ran, and the series has not
  /// changed since.
  public var heldReasons: [String: [String: String]] = [:]
  /// The volumes that a person chose, by series and model.
  public var volumes: [String: [String: String]] = [:]
}

extension Ledger {
  /// The volume that was chosen for a job.
  ///
  /// - Throws: ``LedgerError/unknownJob(_:)``
  public func volume(job: Int64) throws(LedgerError) -> ChosenVolume? {
    try read { db in
      let row = try Row.fetchOne(
        db, sql: "SELECT volume, volume_cause FROM jobs WHERE id = ?", arguments: [job])
      guard let row else { throw LedgerError.unknownJob(job) }
      return try ChosenVolume(row)
    }
  }

  /// What the last jobs for each series and model of a study say about the next ones.
  public func lastJobs(ofStudy study: String) throws(LedgerError) -> StudyJobs {
    try read { db in
      var found = StudyJobs()
      for row in try Row.fetchAll(db, sql: Self.heldJobs, arguments: [study]) {
        let (series, model): (String, String) = (
          try row.value("series_uid"), try row.value("model")
        )
        found.heldReasons[series, default: [:]][model] = try row.value("reason")
      }
      for row in try Row.fetchAll(db, sql: Self.choices, arguments: [study]) {
        guard let volume = try ChosenVolume(row), volume.cause == .person else { continue }
        let (series, model): (String, String) = (
          try row.value("series_uid"), try row.value("model")
        )
        found.volumes[series, default: [:]][model] = volume.name
      }
      return found
    }
  }

  /// The plus keeps SQLite from reading all that are held, of whatever study.
  private static let heldJobs = """
    SELECT jobs.series_uid, model, reason FROM series JOIN jobs USING (series_uid)
    WHERE study_uid = ? AND model <> '' AND +state = 'held' AND attempt_count > 0
      AND NOT is_held_by_person AND jobs.revision = series.revision
      AND NOT EXISTS (SELECT 1 FROM jobs AS later WHERE later.series_uid = jobs.series_uid
        AND later.model = jobs.model AND later.id > jobs.id)
      AND NOT EXISTS (SELECT 1 FROM job_inputs
        JOIN series AS input ON input.series_uid = job_inputs.series_uid
        WHERE job_id = jobs.id AND job_inputs.revision < input.revision)
    """

  /// Of jobs that never ran nothing follows, unless a volume was chosen for them.
  private static let choices = """
    SELECT jobs.series_uid, model, volume, volume_cause FROM series JOIN jobs USING (series_uid)
    WHERE study_uid = ? AND jobs.id = (SELECT max(id) FROM jobs AS last
      WHERE last.series_uid = jobs.series_uid AND last.model = jobs.model
        AND (volume IS NOT NULL OR attempt_count > 0))
    """
}
