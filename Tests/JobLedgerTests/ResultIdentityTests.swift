import Foundation
import TestSupport
import Testing

@testable import JobLedger

/// A job that comes to the result of an earlier one, and one that takes its place.
@Suite struct ResultIdentityTests {
  private let fixture: LedgerFixture
  private var ledger: Ledger { fixture.ledger }

  init() throws { fixture = try LedgerFixture() }

  private func identity(_ digit: String) -> JobIdentity {
    JobIdentity(
      fingerprint: String(repeating: digit, count: 64),
      modelSHA256: String(repeating: "e", count: 64))
  }

  /// Makes one more job of the series and starts it.
  private func start(_ digit: String, isForced: Bool = false) throws -> (Int64, EarlierResults) {
    var id: Int64 = 1
    if try ledger.jobs().isEmpty {
      id = try fixture.makeJob()
    } else {
      var job = NewJob.test()
      job.isForced = isForced
      id = try ledger.reprocess(series: "1.2.3", job: job)
    }
    #expect(try ledger.claimJob(id: id)?.id == id)
    let earlier = try ledger.earlierResults(job: id, identity(digit))
    try ledger.identifyJob(
      id, identity(digit), seriesInstanceUID: "2.25.10\(id)", replaced: earlier.replaced)
    return (id, earlier)
  }

  private func complete(_ id: Int64, _ result: JobResult? = nil) throws {
    try ledger.completeJob(id, result: result ?? .test(id), destinations: ["pacs"])
  }

  private func deliver() throws -> [Int64] {
    var jobs: [Int64] = []
    while let delivery = try ledger.claimDelivery() {
      try ledger.markDelivered(delivery)
      jobs.append(delivery.job)
    }
    return jobs
  }

  @Test func theSameResultIsNeitherMadeNorSentAgain() throws {
    let (first, none) = try start("a")
    #expect(none == EarlierResults())
    try complete(first)
    #expect(try deliver() == [first])
    for _ in 0..<2 {
      let (again, earlier) = try start("a")
      #expect(earlier.same == first && earlier.replaced == nil)
      #expect(earlier.objects == JobResult.test(first).objects)
      try ledger.completeJob(again, sameAs: first, destinations: ["pacs"])
      #expect(try deliver() == [])
      let job = try ledger.job(again).job
      #expect(job.state == "completed" && job.sameResultAs == first)
      #expect(job.objects == earlier.objects && job.summary == "structure 1.00 ml")
      #expect(job.deliveries.map(\.state) == ["delivered"])
    }
    #expect(try ledger.jobs().allSatisfy { $0.supersededBy == nil })
    // A destination that is new gets it once.
    let (last, _) = try start("a")
    try ledger.completeJob(last, sameAs: first, destinations: ["pacs", "research"])
    let delivery = try #require(try ledger.claimDelivery(job: last))
    #expect(delivery.destination == "research" && delivery.job == first)
  }

  @Test func anotherResultNamesTheOneThatItReplaces() throws {
    let (first, _) = try start("a")
    try complete(first)
    let (second, earlier) = try start("b")
    let replaced = EarlierResults.Series(
      studyInstanceUID: "1.2", seriesInstanceUID: "2.25.10\(first)")
    #expect(earlier == EarlierResults(replaced: replaced))
    try complete(second)
    // The same as the last one: it would replace what that one does.
    let (third, same) = try start("b")
    #expect(same.same == second && same.replaced == replaced)
    try ledger.completeJob(third, sameAs: second, destinations: ["pacs"])
    // As it was before the last one is another result: the last one is in the archive.
    let (fourth, back) = try start("a")
    #expect(back.same == nil && back.replaced?.seriesInstanceUID == "2.25.10\(third)")
    try complete(fourth)
    let superseded = try ledger.jobs().map(\.supersededBy)
    #expect(superseded == [second, fourth, fourth, nil])
    #expect(try deliver() == [fourth])
  }

  @Test func aForcedJobMakesANewResult() throws {
    let (first, _) = try start("a")
    try complete(first)
    let (second, earlier) = try start("a", isForced: true)
    #expect(earlier.same == nil && earlier.replaced?.seriesInstanceUID == "2.25.10\(first)")
    try complete(second)
    #expect(try ledger.jobs().map(\.supersededBy) == [second, nil])
  }

  /// Where nothing was found nothing is in an archive: a later result replaces the one before.
  @Test func whatFoundNothingIsNoResultToReplace() throws {
    let (first, _) = try start("a")
    try complete(first)
    let (second, _) = try start("b")
    try complete(second, .nothingFound)
    let (again, same) = try start("b")
    #expect(same.same == second)
    try ledger.completeJob(again, sameAs: second, destinations: ["pacs"])
    let (third, earlier) = try start("c")
    #expect(earlier.same == nil && earlier.replaced?.seriesInstanceUID == "2.25.10\(first)")
    try complete(third)
    #expect(try deliver() == [third])
  }

  /// Files that were lost and made again are the same, and are not sent again.
  @Test func aResultMadeAgainTakesThePlaceOfItsFiles() throws {
    let (first, _) = try start("a")
    try complete(first)
    #expect(try deliver() == [first])
    let (second, earlier) = try start("a")
    #expect(earlier.same == first)
    var result = JobResult.test(first)
    for index in result.objects.indices { result.objects[index].path = "results/2/\(index)" }
    try complete(second, result)
    #expect(try deliver() == [])
    for job in try ledger.jobs() { #expect(job.objects == result.objects) }
    #expect(try ledger.job(second).job.sameResultAs == first)
    #expect(try ledger.jobs().map(\.supersededBy) == [nil, nil])
  }

  @Test func twoContentsDoNotShareAUID() throws {
    let (first, _) = try start("a")
    try complete(first)
    let (second, _) = try start("a")
    var result = JobResult.test(first)
    result.objects[0].sha256 = String(repeating: "c", count: 64)
    #expect(throws: LedgerError.objectChanged(sopInstanceUID: "2.25.\(first)", job: first)) {
      try complete(second, result)
    }
    #expect(try fixture.state(second) == "running")
  }

  @Test func onlyARunningJobIsIdentified() throws {
    let job = try fixture.makeJob()
    #expect(throws: LedgerError.wrongState(job: job, state: "available", needed: "running")) {
      try ledger.identifyJob(job, identity("a"), seriesInstanceUID: "2.25.1", replaced: nil)
    }
    #expect(throws: LedgerError.unknownJob(9)) {
      try ledger.identifyJob(9, identity("a"), seriesInstanceUID: "2.25.1", replaced: nil)
    }
  }
}
