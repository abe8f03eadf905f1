import Foundation
import GRDB

/// What the geometry gate made of a series, as the ledger keeps it.
public struct SeriesVerdict: Sendable, Codable, Equatable {
  public enum Kind: String, Sendable, Codable {
    /// Regular as it is.
    case accepted
    /// Usable after a repair that the reasons name.
    case repaired
    /// Waits for a person.
    case held
  }

  /// A volume that the series splits into.
  public struct Volume: Sendable, Codable, Equatable {
    /// Columns, rows, slices.
    public var dims: [Int]
    /// What distinguishes it from the other volumes; empty when alone.
    public var splitBy: [String: String]
    public var images: Int

    /// What distinguishes it from the other volumes in one line, as `EchoTime=80`; empty when alone.
    public var name: String {
      splitBy.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ", ")
    }

    public init(dims: [Int], splitBy: [String: String], images: Int) {
      self.dims = dims
      self.splitBy = splitBy
      self.images = images
    }
  }

  public var seriesInstanceUID: String
  public var kind: Kind
  /// Everything found, the gravest first; without patient data.
  public var reasons: [String]
  public var volumes: [Volume]

  public init(seriesInstanceUID: String, kind: Kind, reasons: [String], volumes: [Volume] = []) {
    self.seriesInstanceUID = seriesInstanceUID
    self.kind = kind
    self.reasons = reasons
    self.volumes = volumes
  }

  /// One line for a history: "repaired: …".
  public var line: String {
    ([kind.rawValue] + (reasons.isEmpty ? [] : [reasons.joined(separator: "; ")]))
      .joined(separator: ": ")
  }
}

/// A verdict as the ledger keeps it.
public struct RecordedVerdict: Sendable, Codable, Equatable {
  public var verdict: SeriesVerdict
  /// How many instances of the series had come when it was assessed.
  public var revision: Int
  public var at: Date
  /// The job that assessed the series, its pixels included; nil where it was assessed by its headers
  /// when it was assembled.
  public var job: Int64?
}

extension Ledger {
  /// Every verdict on a series, the oldest first; the last one counts.
  public func verdicts(series: String) throws(LedgerError) -> [RecordedVerdict] {
    try read { db in try verdicts(series: series, db) }
  }

  func verdicts(series: String, _ db: Database) throws -> [RecordedVerdict] {
    try Row.fetchAll(
      db, sql: "SELECT * FROM verdicts WHERE series_uid = ? ORDER BY id", arguments: [series]
    ).map(recorded)
  }

  /// The verdict that a job rests on: its own, or else the one on the instances that it is about.
  func verdict(job: Int64, series: String, revision: Int, _ db: Database) throws
    -> RecordedVerdict?
  {
    try Row.fetchOne(
      db,
      sql: """
        SELECT * FROM verdicts
        WHERE series_uid = ?1 AND (job_id = ?2 OR (job_id IS NULL AND revision = ?3))
        ORDER BY job_id IS NULL, id DESC LIMIT 1
        """, arguments: [series, job, revision]
    ).map(recorded)
  }

  /// The verdict of the assembly, of which each job of the series has an event.
  func record(_ verdict: SeriesVerdict, revision: Int, _ db: Database) throws {
    try insert(verdict, revision: revision, job: nil, db)
  }

  /// The verdicts of a job that ends in this transaction, on its series and those of its channels.
  func record(_ verdicts: [SeriesVerdict], job: Int64, _ db: Database) throws {
    for verdict in verdicts {
      let series = verdict.seriesInstanceUID
      let revision = try Int.fetchOne(
        db,
        sql: """
          SELECT revision FROM jobs WHERE id = ?1 AND series_uid = ?2 UNION ALL
          SELECT revision FROM job_inputs WHERE job_id = ?1 AND series_uid = ?2
          """, arguments: [job, series])
      guard let revision else { throw LedgerError.unknownSeries(series: series, study: nil) }
      try insert(verdict, revision: revision, job: job, db)
      try eventOfVerdict(verdict, job: job, db)
    }
  }

  func eventOfVerdict(_ verdict: SeriesVerdict, job: Int64, _ db: Database) throws {
    try event(
      db, "assessed", by: .rule, series: verdict.seriesInstanceUID, job: job, verdict.line)
  }

  private func insert(_ verdict: SeriesVerdict, revision: Int, job: Int64?, _ db: Database) throws {
    let coder = JSONEncoder()
    coder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    try db.execute(
      sql: """
        INSERT INTO verdicts (series_uid, revision, job_id, at, verdict, reasons, volumes)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        verdict.seriesInstanceUID, revision, job, now, verdict.kind.rawValue,
        String(decoding: try coder.encode(verdict.reasons), as: UTF8.self),
        String(decoding: try coder.encode(verdict.volumes), as: UTF8.self),
      ])
  }

  func recorded(_ row: Row) throws -> RecordedVerdict {
    func decoded<Value: Decodable>(_ column: String) throws -> Value {
      let text: String = try row.value(column)
      return try JSONDecoder().decode(Value.self, from: Data(text.utf8))
    }
    let kind: String = try row.value("verdict")
    guard let kind = SeriesVerdict.Kind(rawValue: kind) else {
      throw LedgerError.failed(path: path, reason: "\"\(kind)\" is no verdict")
    }
    return RecordedVerdict(
      verdict: SeriesVerdict(
        seriesInstanceUID: try row.value("series_uid"), kind: kind,
        reasons: try decoded("reasons"), volumes: try decoded("volumes")),
      revision: try row.value("revision"), at: try date(row, "at"), job: try row.value("job_id"))
  }
}
