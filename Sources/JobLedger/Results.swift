import Foundation
import GRDB

/// A file of a result as the ledger keeps it.
public struct StoredObject: Sendable, Codable, Equatable {
  public enum Kind: String, Sendable, Codable {
    /// A DICOM segmentation.
    case segmentation = "seg"
    /// A structured report with measurements, or that nothing was found.
    case report = "sr"
    /// Secondary captures: the images with contours, as one object.
    case capture
    /// One of those images as an object of its own.
    case captureFrame = "capture-frame"
    /// A secondary capture of the result at a glance.
    case capturePage = "capture-page"
    /// A DICOM segmentation as a label map (Supplement 243).
    case labelmap
    /// A DICOM segmentation of the network's probabilities.
    case fractional
    /// A DICOM RT Structure Set.
    case rtstruct
    /// A PNG for people, which stays here.
    case picture

    /// Whether destinations get it: every DICOM object.
    var isSent: Bool { self != .picture }

    /// Whether a destination gets it without asking for it: what an object of one image shows is in the one
    /// of all images, and probabilities are of the same SOP class as a segmentation, for which a program that
    /// knows no others takes them.
    var isSentByDefault: Bool { isSent && self != .captureFrame && self != .fractional }

    /// Whether a destination that does not take its SOP class does without it: what it shows is in
    /// another object of the result as well.
    public var isOptional: Bool {
      switch self {
      case .labelmap, .fractional, .rtstruct: true
      case .segmentation, .report, .capture, .captureFrame, .capturePage, .picture: false
      }
    }

    /// For people.
    public var name: String {
      switch self {
      case .segmentation: "segmentation"
      case .report: "report"
      case .capture: "secondary capture"
      case .captureFrame: "secondary capture of one image"
      case .capturePage: "page"
      case .labelmap: "label map"
      case .fractional: "fractional segmentation"
      case .rtstruct: "structure set"
      case .picture: "picture"
      }
    }
  }

  public var kind: Kind
  /// Nil for a picture.
  public var sopInstanceUID: String?
  /// Relative to the state directory.
  public var path: String
  /// SHA-256 of the file as it was proved, as 64 hexadecimal digits; nil for a picture that a
  /// version of segmentd wrote which kept none.
  public var sha256: String?

  /// A DICOM segmentation.
  public static func segmentation(sopInstanceUID: String, path: String, sha256: String)
    -> StoredObject
  {
    StoredObject(
      kind: .segmentation, sopInstanceUID: sopInstanceUID, path: path, sha256: sha256)
  }

  /// A structured report.
  public static func report(sopInstanceUID: String, path: String, sha256: String) -> StoredObject {
    StoredObject(kind: .report, sopInstanceUID: sopInstanceUID, path: path, sha256: sha256)
  }

  /// A DICOM object of any kind.
  public static func object(
    _ kind: Kind, sopInstanceUID: String, path: String, sha256: String
  ) -> StoredObject {
    StoredObject(kind: kind, sopInstanceUID: sopInstanceUID, path: path, sha256: sha256)
  }

  public static func picture(path: String, sha256: String) -> StoredObject {
    StoredObject(kind: .picture, sopInstanceUID: nil, path: path, sha256: sha256)
  }
}

/// A number that a result comes to.
public struct ResultMeasurement: Sendable, Codable, Equatable {
  public var name: String
  public var value: Double
  /// A UCUM unit: ml, %.
  public var unit: String

  public init(name: String, value: Double, unit: String) {
    self.name = name
    self.value = value
    self.unit = unit
  }
}

/// What a finished job leaves behind.
public struct JobResult: Sendable, Equatable {
  /// The files, DICOM objects in the order in which they are sent; without a segmentation the model found
  /// nothing.
  public var objects: [StoredObject]
  public var modelVersion: String
  /// One line for people: the segments and their volumes.
  public var summary: String
  public var measurements: [ResultMeasurement]

  public init(
    objects: [StoredObject], modelVersion: String, summary: String,
    measurements: [ResultMeasurement] = []
  ) {
    self.objects = objects
    self.modelVersion = modelVersion
    self.summary = summary
    self.measurements = measurements
  }
}

extension Ledger {
  func insert(_ objects: [StoredObject], job: Int64, _ db: Database) throws {
    for (index, object) in objects.enumerated() {
      try db.execute(
        sql: """
          INSERT INTO result_objects (job_id, number, kind, sop_uid, path, sha256)
          VALUES (?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          job, index + 1, object.kind.rawValue, object.sopInstanceUID, object.path, object.sha256,
        ])
    }
  }

  /// The objects of a job's result, which may be those of an earlier job; none where it has no result.
  func objects(job: Int64, _ db: Database) throws -> [StoredObject] {
    try Row.fetchAll(
      db,
      sql: """
        SELECT * FROM result_objects
        WHERE job_id = ifnull((SELECT same_as FROM results WHERE job_id = ?1), ?1) ORDER BY number
        """, arguments: [job]
    ).map(storedObject)
  }

  func storedObject(_ row: Row) throws -> StoredObject {
    let kind: String = try row.value("kind")
    guard let kind = StoredObject.Kind(rawValue: kind) else {
      throw LedgerError.failed(path: path, reason: "\"\(kind)\" is not a kind of object")
    }
    return StoredObject(
      kind: kind, sopInstanceUID: try row.value("sop_uid"), path: try row.value("path"),
      sha256: try row.value("sha256"))
  }

  /// The job that has these very DICOM objects already; nil where they are new.
  ///
  /// - Throws: ``LedgerError/objectChanged(sopInstanceUID:job:)``
  func owner(of objects: [StoredObject], _ db: Database) throws -> Int64? {
    var owner: Int64?
    for object in objects where object.kind.isSent {
      let known = try Row.fetchOne(
        db, sql: "SELECT job_id, sha256 FROM result_objects WHERE sop_uid = ?",
        arguments: [object.sopInstanceUID])
      guard let known else { continue }
      let (job, sha256): (Int64, String?) = (try known.value("job_id"), try known.value("sha256"))
      guard sha256 == object.sha256 else {
        throw LedgerError.objectChanged(sopInstanceUID: object.sopInstanceUID ?? "", job: job)
      }
      owner = job
    }
    return owner
  }

  /// Makes files that were made again those of the result that has them.
  func move(_ objects: [StoredObject], to owner: Int64, _ db: Database) throws {
    try db.execute(sql: "DELETE FROM result_objects WHERE job_id = ?", arguments: [owner])
    try db.execute(
      sql: "UPDATE results SET purged_at = NULL WHERE job_id = ?", arguments: [owner])
    try insert(objects, job: owner, db)
    // Of an object that is another one now, or that is not made any more and was declined, nothing is sent or
    // proved any more.
    try db.execute(
      sql: """
        DELETE FROM delivery_objects WHERE sop_uid NOT IN
            (SELECT sop_uid FROM result_objects WHERE job_id = ?1 AND sop_uid IS NOT NULL)
          AND delivery_id IN (SELECT id FROM deliveries
            WHERE job_id = ?1 AND (state <> 'delivered' OR declined_at IS NOT NULL))
        """, arguments: [owner])
  }

  static func json(_ measurements: [ResultMeasurement]) throws -> String? {
    guard !measurements.isEmpty else { return nil }
    return String(decoding: try JSONEncoder().encode(measurements), as: UTF8.self)
  }
}
