import Foundation
import JobLedger
import Testing

@testable import Traces

/// Spans, and how they belong together.
@Suite struct SpansOfWorkTests {
  private let maker = SpansOfWork(installation: "SEG", stages: ["reading", "network", "proof"])

  private func work(
    _ kind: FinishedWork.Kind, _ began: Double, _ ended: Double, job: Int64 = 7,
    revision: Int = 3, reprocessing: Int64? = nil, series: String = "1.2.3"
  ) -> FinishedWork {
    FinishedWork(
      kind: kind, began: Date(timeIntervalSince1970: began),
      ended: Date(timeIntervalSince1970: ended), studyInstanceUID: "1.2", seriesInstanceUID: series,
      revision: revision, job: job, model: "m", reprocessing: reprocessing)
  }

  private func only(_ work: FinishedWork) throws -> Span {
    let spans = maker.spans(of: work)
    #expect(spans.count == 1)
    return try #require(spans.first)
  }

  /// As the guide says: SHA-256 of "trace", a line feed and the UID, by another program.
  @Test func aTraceIsKnownByTheStudy() {
    #expect(Span.trace(ofStudy: "1.2") == "a2409f1fddb90eb894ac1fff51db36e1")
    #expect(Span.trace(ofStudy: "1.2", reprocessing: 4) != Span.trace(ofStudy: "1.2"))
  }

  @Test func everythingBelongsToTheReception() throws {
    let root = try only(work(.reception(instances: 3, bytes: 3000), 10, 14))
    #expect(root.name == "receive" && root.parent == nil && root.id.count == 16)
    #expect(root.attributes[.instances] == .number(3) && root.attributes[.bytes] == .number(3000))
    #expect(root.attributes[.job] == nil)
    let others: [FinishedWork.Kind] = [
      .assembly, .waiting(attempt: 1), .attempt(number: 1, outcome: "completed", seconds: [:]),
      .delivery(destination: "pacs", attempt: 1, isTaken: true),
      .confirmation(destination: "pacs", isProved: true),
    ]
    let spans = try others.map { try only(work($0, 14, 20)) }
    #expect(spans.map(\.name) == ["assemble", "wait", "attempt", "deliver", "confirm"])
    #expect(Set(spans.map(\.name)).union(["receive"]) == Set(Span.Name.allCases.map(\.rawValue)))
    for span in spans {
      #expect(span.parent == root.id && span.trace == root.trace && !span.isFault)
    }
    #expect(Set(spans.map(\.id)).count == 5)
    // The same work is the same span; other work is another one.
    #expect(try only(work(.assembly, 14, 20)).id == spans[0].id)
    #expect(try only(work(.assembly, 14, 20, revision: 4)).id != spans[0].id)
    #expect(try only(work(.waiting(attempt: 2), 14, 20)).id != spans[1].id)
    #expect(try only(work(.waiting(attempt: 1), 14, 20, job: 8)).id != spans[1].id)
    let elsewhere = SpansOfWork(installation: "OTHER", stages: [])
    #expect(elsewhere.spans(of: work(.assembly, 14, 20)).first?.id != spans[0].id)
  }

  @Test func whatIsSegmentedAgainIsATraceOfItsOwn() throws {
    let span = try only(work(.waiting(attempt: 1), 14, 20, reprocessing: 4))
    #expect(span.trace == Span.trace(ofStudy: "1.2", reprocessing: 4) && span.parent == nil)
    #expect(span.attributes[.reprocessing] == .number(4))
  }

  @Test func stagesLieWithinTheirAttempt() {
    let seconds = ["total": 9.0, "reading": 1, "network": 5, "proof": 2, "unknown": 3]
    let spans = maker.spans(
      of: work(.attempt(number: 2, outcome: "failed", seconds: seconds), 100, 109))
    #expect(spans.map(\.name) == ["attempt", "reading", "network", "proof"])
    #expect(spans.map { $0.began.timeIntervalSince1970 } == [100, 100, 101, 106])
    #expect(spans.map { $0.ended.timeIntervalSince1970 } == [109, 101, 106, 108])
    #expect(spans.map(\.isFault) == [true, false, false, false])
    #expect(spans.dropFirst().allSatisfy { $0.parent == spans[0].id })
    #expect(spans[0].attributes[.outcome] == .text("failed"))
    // Side by side, their times come to more than the attempt took.
    let long = maker.spans(
      of: work(
        .attempt(number: 1, outcome: "completed", seconds: ["reading": 6, "network": 7]), 0, 10))
    #expect(long.map { $0.began.timeIntervalSince1970 } == [0, 0, 3])
    #expect(long.map { $0.ended.timeIntervalSince1970 } == [10, 6, 10])
    // A damaged ledger may say anything.
    let odd = maker.spans(
      of: work(
        .attempt(number: 1, outcome: "", seconds: ["reading": -1, "network": 1e300]), 0, 10))
    #expect(odd.map(\.name) == ["attempt", "network"])
    #expect(odd.last?.ended == odd.first?.ended)
  }

  @Test func faultsAreErrors() throws {
    for kind: FinishedWork.Kind in [
      .attempt(number: 1, outcome: "rescued", seconds: [:]),
      .delivery(destination: "pacs", attempt: 2, isTaken: false),
      .confirmation(destination: "pacs", isProved: false),
    ] { #expect(try only(work(kind, 0, 1)).isFault) }
    for outcome in ["completed", "held", "preempted", "released", "cancelled"] {
      let attempt = work(.attempt(number: 1, outcome: outcome, seconds: [:]), 0, 1)
      #expect(try !only(attempt).isFault)
    }
  }

  /// A time that cannot be is no crash.
  @Test(arguments: [-1e300, -5, 1e300, .infinity])
  func oddTimes(_ seconds: Double) throws {
    let spans = maker.spans(of: work(.assembly, seconds, seconds))
    let resource = TraceResource(installation: "SEG", host: "pc", version: "1")
    let json = try ExportRequest(spans, of: resource).json
    #expect(String(decoding: json, as: UTF8.self).contains("startTimeUnixNano"))
  }
}
