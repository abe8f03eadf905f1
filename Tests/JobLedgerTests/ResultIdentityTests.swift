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

  /// Files that a purge is about to remove are made again, under the same UIDs.
  @Test func aPurgedResultIsMadeAgain() throws {
    let (first, _) = try start("a")
    try complete(first)
    let (second, before) = try start("b")
    try complete(second)
    try ledger.write { try $0.execute(sql: "UPDATE results SET purged_at = 1 WHERE job_id = 2") }
    let (_, again) = try start("b")
    #expect(again == EarlierResults(replaced: before.replaced))
  }

  /// A job that gives way to one of the same series ends after it, with nothing of its own.
  @Test func anOlderJobThatEndsLateIsSuperseded() throws {
    let (first, _) = try start("a")
    let second = try ledger.reprocess(series: "1.2.3", job: .test())
    try ledger.yieldJob(first, reason: "a more urgent job is due")
    #expect(try ledger.claimJob(id: second)?.id == second)
    try complete(second)
    #expect(try ledger.claimJob(id: first)?.id == first)
    var same = JobResult.test(second)
    for index in same.objects.indices {
      same.objects[index].path = same.objects[index].path
        .replacingOccurrences(of: "results/\(second)", with: "results/\(first)")
    }
    try complete(first, same)
    let late = try ledger.job(first).job
    #expect(late.state == "completed" && late.supersededBy == second && late.objects == [])
    #expect(try ledger.job(second).job.objects == JobResult.test(second).objects)
    #expect(try ledger.filesToRemove(count: 9) == ["results/\(first)"])
    #expect(try deliver() == [second])
    #expect(try ledger.checkConsistency().findings == [])
  }

  /// What a result replaces is known once the job before has ended.
  @Test func twoJobsOfASeriesRunOneAfterTheOther() throws {
    let first = try fixture.makeJob()
    #expect(try ledger.claimJob()?.id == first)
    let second = try ledger.reprocess(series: "1.2.3", job: .test())
    let other = try ledger.reprocess(series: "1.2.3", job: .test(model: "other"))
    #expect(try ledger.claimJob()?.id == other)
    #expect(try ledger.claimJob() == nil)
    try complete(first)
    #expect(try ledger.claimJob()?.id == second)
  }

  /// The files of a result may count again through a later job, whatever became of the job that made them.
  @Test func aResultThatCountsAgainIsSentAndOneThatDoesNotIsNot() throws {
    let other = try fixture.makeJob(series: "1.2.9")
    let first = try ledger.reprocess(series: "1.2.9", job: .test(model: "x"))
    #expect(try ledger.claimJob(id: other)?.id == other)
    try complete(other)
    #expect(try deliver() == [other])
    #expect(try ledger.claimJob(id: first)?.id == first)
    try complete(first)
    // As by the result of another series that a rule took in its place.
    try ledger.write { db in
      try db.execute(
        sql: "UPDATE results SET superseded_by = ? WHERE job_id = ?", arguments: [other, first])
      try db.execute(
        sql: "UPDATE deliveries SET state = 'superseded' WHERE job_id = ?", arguments: [first])
    }
    let again = try ledger.reprocess(series: "1.2.9", job: .test(model: "x"))
    #expect(try ledger.claimJob(id: again)?.id == again)
    try ledger.completeJob(again, sameAs: first, destinations: ["pacs"])
    let delivery = try #require(try ledger.claimDelivery())
    #expect(delivery.job == first)
    try ledger.markDeliveryFailed(delivery, .unreachable, error: "away")
    #expect(try ledger.job(again).job.deliveries.map(\.state) == ["waiting"])
    let last = try ledger.reprocess(series: "1.2.9", job: .test(model: "x"))
    #expect(try ledger.claimJob(id: last)?.id == last)
    try complete(last)
    #expect(try ledger.job(again).job.deliveries.map(\.state) == ["superseded"])
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
