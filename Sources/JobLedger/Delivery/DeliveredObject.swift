import Foundation
import GRDB
import Wording

/// What a destination answered about one object.
public struct ObjectAnswer: Sendable, Equatable {
  public var sopInstanceUID: String
  /// The status of a C-STORE, or the Failure or Warning Reason of a Store transaction; nil where no
  /// answer came.
  public var status: UInt16?
  /// Whether the destination has the object.
  public var isStored: Bool
  /// Whether the destination does not take its SOP class and does without it, as it is optional.
  public var isDeclined: Bool
  /// A warning, or why it was not taken; without patient data.
  public var note: String?

  public init(
    sopInstanceUID: String, status: UInt16?, isStored: Bool, isDeclined: Bool = false,
    note: String? = nil
  ) {
    self.sopInstanceUID = sopInstanceUID
    self.status = status
    self.isStored = isStored
    self.isDeclined = isDeclined
    self.note = note
  }
}

/// How it was proved that a destination keeps an object.
public enum ProofOfArrival: String, Sendable, Codable {
  /// Storage commitment (PS3.4 J).
  case commitment
  /// It lists the object, by C-FIND or QIDO-RS.
  case query
}

/// An object of a result on its way to one destination.
public struct DeliveredObject: Sendable, Codable, Equatable {
  public var sopInstanceUID: String
  /// Of the last answer.
  public var answeredAt: Date?
  public var status: Int?
  public var note: String?
  /// Nil while it is to be sent, and where it was declined.
  public var arrivedAt: Date?
  /// When the destination did not take its SOP class, so that it is not sent.
  public var declinedAt: Date?
  public var provedAt: Date?
  public var proof: ProofOfArrival?
}

/// Which objects of a result a destination gets.
public struct DeliveryTarget: Sendable, Equatable, ExpressibleByStringLiteral {
  /// Of the destination.
  public var name: String
  /// Kinds of objects, as `StoredObject.Kind` names them; nil for all that are sent by default.
  public var kinds: Set<String>?

  public init(_ name: String, kinds: Set<String>? = nil) {
    self.name = name
    self.kinds = kinds
  }

  public init(stringLiteral name: String) { self.init(name) }

  func takes(_ object: StoredObject) -> Bool {
    object.kind.isSent
      && kinds.map { $0.contains(object.kind.rawValue) } ?? object.kind.isSentByDefault
  }
}

extension Ledger {
  /// Puts a result in the outbox for each destination that takes any of its objects and for which it was
  /// not there before, was held, or was not sent because another result took its place.
  func deliver(_ job: Int64, to targets: [DeliveryTarget], _ db: Database) throws {
    let objects = try objects(job: job, db)
    for target in targets {
      let taken = objects.filter(target.takes)
      guard !taken.isEmpty else { continue }
      try db.execute(
        sql: """
          INSERT INTO deliveries (job_id, destination, state, scheduled_at)
          VALUES (?, ?, 'waiting', ?) ON CONFLICT (job_id, destination) DO UPDATE
            SET state = 'waiting', scheduled_at = excluded.scheduled_at
            WHERE state IN ('held', 'superseded')
          """, arguments: [job, target.name, now])
      if db.changesCount > 0 {
        try event(db, "delivery waiting", by: .rule, job: job, "to \(target.name)")
      }
      for object in taken {
        try db.execute(
          sql: """
            INSERT OR IGNORE INTO delivery_objects (delivery_id, sop_uid)
            SELECT id, ? FROM deliveries WHERE job_id = ? AND destination = ? AND state = 'waiting'
            """, arguments: [object.sopInstanceUID, job, target.name])
      }
      try forgiveMissing(
        "job_id = ? AND destination = ? AND state = 'waiting'", [job, target.name], db)
    }
  }

  /// Lets objects be sent again as often as new ones, those included that were declined.
  func forgiveMissing(
    _ condition: String, _ arguments: StatementArguments, _ db: Database
  ) throws {
    try db.execute(
      sql: """
        UPDATE delivery_objects SET taken_count = 0, declined_at = NULL
        WHERE arrived_at IS NULL AND delivery_id IN
          (SELECT id FROM deliveries WHERE \(condition))
        """, arguments: arguments)
  }

  /// Objects of a delivery that meet a condition, in the order in which they are sent.
  func objects(delivery: Int64, where condition: String, _ db: Database) throws -> [StoredObject] {
    try Row.fetchAll(
      db,
      sql: """
        SELECT result_objects.* FROM delivery_objects JOIN result_objects USING (sop_uid)
        WHERE delivery_id = ? AND \(condition) ORDER BY number
        """, arguments: [delivery]
    ).map(storedObject)
  }

  /// What is known of each object of a delivery.
  func deliveredObjects(_ delivery: Int64, _ db: Database) throws -> [DeliveredObject] {
    try Row.fetchAll(
      db,
      sql: """
        SELECT delivery_objects.* FROM delivery_objects JOIN result_objects USING (sop_uid)
        WHERE delivery_id = ? ORDER BY number
        """, arguments: [delivery]
    ).map(deliveredObject)
  }

  func deliveredObject(_ row: Row) throws -> DeliveredObject {
    DeliveredObject(
      sopInstanceUID: try row.value("sop_uid"), answeredAt: try optionalDate(row, "answered_at"),
      status: try row.value("status"), note: try row.value("note"),
      arrivedAt: try optionalDate(row, "arrived_at"),
      declinedAt: try optionalDate(row, "declined_at"),
      provedAt: try optionalDate(row, "proved_at"),
      proof: try (row.value("proof") as String?).flatMap(ProofOfArrival.init(rawValue:)))
  }

  /// Writes an answer about an object that has not arrived yet; of one that has nothing changes.
  func record(_ answer: ObjectAnswer, delivery: Int64, _ db: Database) throws {
    try db.execute(
      sql: """
        UPDATE delivery_objects SET answered_at = ?1, status = ?2, note = ?3,
          arrived_at = iif(?4, ?1, NULL), taken_count = taken_count + ?4,
          declined_at = iif(?7, ?1, NULL)
        WHERE delivery_id = ?5 AND sop_uid = ?6 AND arrived_at IS NULL
        """,
      arguments: [
        now, answer.status.map { Int($0) }, answer.note, answer.isStored, delivery,
        answer.sopInstanceUID, answer.isDeclined,
      ])
  }

  /// Whether a destination does without an object of a delivery.
  static let hasDeclined = """
    EXISTS (SELECT 1 FROM delivery_objects
      WHERE delivery_id = deliveries.id AND declined_at IS NOT NULL)
    """

  /// Says which objects a destination does without.
  func tell(declined answers: [ObjectAnswer], of delivery: ClaimedDelivery, _ db: Database) throws {
    let declined = answers.filter(\.isDeclined)
    guard let note = declined.compactMap(\.note).first else { return }
    try event(
      db, "declined", by: .peer, job: delivery.job,
      "to \(delivery.destination), \(counted(declined.count, "object")): \(note)"
    )
  }
}
