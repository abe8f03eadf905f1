import Foundation
import TestSupport
import Testing

@testable import JobLedger

/// What is known of each object of a result on its way.
@Suite struct DeliveredObjectTests {
  private let fixture: LedgerFixture
  private let job: Int64
  private var ledger: Ledger { fixture.ledger }

  init() throws {
    fixture = try LedgerFixture()
    job = try fixture.makeJob()
  }

  private func complete(to destinations: [DeliveryTarget] = ["pacs"]) throws {
    _ = try ledger.claimJob(id: job)
    try ledger.completeJob(job, result: .ofObjects(3), destinations: destinations)
  }

  private func row() throws -> JobSummary.Delivery {
    try #require(try ledger.job(job).job.deliveries.first)
  }

  private func stored(_ number: Int, _ note: String? = nil) -> ObjectAnswer {
    ObjectAnswer(
      sopInstanceUID: "2.25.\(number)", status: note == nil ? 0 : 0xB000, isStored: true, note: note
    )
  }

  @Test func aDeliveryThatBrokeResumesWithTheNextObject() throws {
    try complete()
    let first = try #require(try ledger.claimDelivery())
    #expect(first.objects.map(\.sopInstanceUID) == ["2.25.1", "2.25.2", "2.25.3"])
    try ledger.record(stored(1), of: first)
    try ledger.markDeliveryFailed(
      first, .unreachable,
      answers: [
        stored(1),
        ObjectAnswer(sopInstanceUID: "2.25.2", status: 0xA700, isStored: false, note: "full"),
      ], error: "it broke")
    let rows = try row().objects
    #expect(rows.map(\.arrivedAt) == [fixture.clock.now, nil, nil])
    #expect(rows.map(\.status) == [0, 0xA700, nil] && rows.map(\.note) == [nil, "full", nil])

    fixture.clock.advance(10)
    let second = try #require(try ledger.claimDelivery())
    #expect(second.objects.map(\.sopInstanceUID) == ["2.25.2", "2.25.3"])
    try ledger.markDelivered(
      second, answers: [stored(2, "coerced"), stored(3)], warning: "coerced")
    #expect(try row().state == "delivered" && row().objects.map(\.status) == [0, 0xB000, 0])
    #expect(try row().objects[0].arrivedAt != row().objects[1].arrivedAt)
  }

  /// Killed in the middle, and killed between the last answer and the note of the whole.
  @Test(arguments: [2, 3]) func whatArrivedBeforeAKillIsNotSentAgain(count: Int) throws {
    try complete()
    let first = try #require(try ledger.claimDelivery())
    for number in 1...count { try ledger.record(stored(number), of: first) }
    try fixture.reopened().rescue()
    let second = try #require(try ledger.claimDelivery())
    #expect(second.objects.map(\.sopInstanceUID) == (count == 2 ? ["2.25.3"] : []))
    try ledger.markDelivered(second)
    #expect(try row().objects.allSatisfy { $0.arrivedAt != nil })
  }

  /// Kinds of objects that a destination does not take are not sent to it.
  @Test func aDestinationGetsItsKinds() throws {
    try complete(to: [
      "all", DeliveryTarget("seg", kinds: ["seg"]), DeliveryTarget("reports", kinds: ["sr"]),
    ])
    #expect(try ledger.job(job).job.deliveries.map(\.destination) == ["all", "seg"])
    #expect(try ledger.job(job).job.deliveries.allSatisfy { $0.objects.count == 3 })
  }

  /// Probabilities go only where they are asked for.
  @Test func probabilitiesAreForThoseThatTakeThem() throws {
    var result = JobResult.ofObjects(1)
    result.objects.append(
      .object(
        .fractional, sopInstanceUID: "2.25.9", path: "results/9.dcm",
        sha256: String(repeating: "a", count: 64)))
    _ = try ledger.claimJob(id: job)
    try ledger.completeJob(
      job, result: result,
      destinations: [
        "all", DeliveryTarget("both", kinds: ["seg", "fractional"]),
        DeliveryTarget("fractional", kinds: ["fractional"]), DeliveryTarget("seg", kinds: ["seg"]),
      ])
    let objects = try ledger.job(job).job.deliveries.map {
      [$0.destination] + $0.objects.map(\.sopInstanceUID)
    }
    #expect(
      objects == [
        ["all", "2.25.1"], ["both", "2.25.1", "2.25.9"], ["fractional", "2.25.9"],
        ["seg", "2.25.1"],
      ])
  }

  /// The file itself refuses a delivery that is over while an object has not arrived, and an object that is
  /// proved and has not.
  @Test(arguments: [
    "UPDATE deliveries SET state = 'delivered', delivered_at = 1.0",
    "UPDATE deliveries SET state = 'sent'",
    "UPDATE delivery_objects SET proved_at = 1.0, proof = 'query'",
    "UPDATE delivery_objects SET arrived_at = 1.0, proved_at = 1.0",
    "UPDATE delivery_objects SET status = 65536",
    "INSERT INTO delivery_objects (delivery_id, sop_uid) VALUES (99, '1.2')",
    "INSERT INTO commitment_transactions (transaction_uid, delivery_id, requested_at) VALUES ('1', 99, 1.0)",
  ])
  func theFileRefuses(statement: String) throws {
    try complete()
    let delivery = try #require(try ledger.claimDelivery())
    try ledger.record(stored(1), of: delivery)
    #expect(throws: LedgerError.self) { try ledger.write { try $0.execute(sql: statement) } }
  }

  /// A result that is completed again once it was held is sent where it did not arrive, as often as a new
  /// one.
  @Test func theSameResultAgainIsSentWhereItDidNotArrive() throws {
    try complete(to: ["pacs", "archive"])
    for name in ["pacs", "archive"] {
      let delivery = try #require(try ledger.claimDelivery(destination: name))
      try ledger.record(stored(1), of: delivery)
      try ledger.markDeliveryFailed(
        delivery, .refused, error: "0xA900", isPermanent: name == "pacs")
    }
    let again = try ledger.reprocess(series: "1.2.3", job: .test())
    _ = try ledger.claimJob(id: again)
    try ledger.completeJob(again, sameAs: job, destinations: ["pacs"])
    let delivery = try #require(try ledger.claimDelivery(destination: "pacs"))
    #expect(delivery.objects.map(\.sopInstanceUID) == ["2.25.2", "2.25.3"])
  }

  @Test func deliveriesToDestinationsThatAreGoneAreHeld() throws {
    try complete(to: ["pacs", "gone", "left"])
    let left = try #require(try ledger.claimDelivery(destination: "left"))
    try ledger.markDelivered(left, awaitsProof: true)
    try ledger.holdDeliveries(toOthersThan: ["pacs"]) { "there is no \($0)" }
    let states = try ledger.job(job).job.deliveries.map {
      [$0.destination, $0.state, $0.lastError]
    }
    #expect(
      states == [
        ["gone", "held", "there is no gone"], ["left", "held", "there is no left"],
        ["pacs", "waiting", nil],
      ])
    #expect(
      try ledger.job(job).events.suffix(2).map(\.kind) == ["delivery held", "delivery held"])
  }
}

extension JobResult {
  /// Objects 2.25.1, 2.25.2 and so on.
  static func ofObjects(_ count: Int) -> JobResult {
    JobResult(
      objects: (1...count).map {
        .segmentation(
          sopInstanceUID: "2.25.\($0)", path: "results/\($0).dcm",
          sha256: String(repeating: "a", count: 64))
      }, modelVersion: "1.0.0", summary: "structure 1.00 ml")
  }
}
