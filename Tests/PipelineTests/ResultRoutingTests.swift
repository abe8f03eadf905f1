import Foundation
import SeriesSelection
import Synchronization
import Testing

@testable import JobLedger
@testable import Pipeline

@Suite struct ResultRoutingTests {
  private let ct = ModelRule(
    name: "liver CT", model: "liver",
    criteria: SeriesCriteria(required: [
      SeriesCriterion(.modality, .texts(include: ["CT"], exclude: []))
    ]))
  private let mr = ModelRule(
    name: "liver MR", model: "liver",
    criteria: SeriesCriteria(required: [
      SeriesCriterion(.modality, .texts(include: ["MR"], exclude: []))
    ]))

  private func job(_ model: String) -> ClaimedJob {
    ClaimedJob(
      id: 1, attempt: 1, studyInstanceUID: "1.2", seriesInstanceUID: "1.2.3", model: model,
      isForced: false)
  }

  private func facts(_ modality: String) -> SeriesFacts {
    var facts = SeriesFacts(seriesInstanceUID: "1.2.3", seriesNumber: 1, imageCount: 1)
    facts[.modality] = .codes([modality])
    return facts
  }

  private func route(_ name: String, _ change: (inout ResultRouting.Route) -> Void = { _ in })
    -> ResultRouting.Route
  {
    var route = ResultRouting.Route(DeliveryTarget(name))
    change(&route)
    return route
  }

  @Test func eachDestinationGetsWhatItAsksFor() throws {
    let routes = [
      route("all"), route("cardiac") { $0.models = ["cardiac"] },
      route("ct rule") { $0.rules = [ct] }, route("both rules") { $0.rules = [ct, mr] },
      route("ct") { $0.criteria = ct.criteria },
    ]
    func names(_ model: String, _ modality: String) throws -> [String] {
      try ResultRouting(routes) { _ in facts(modality) }.targets(of: job(model)).map(\.name)
    }
    #expect(try names("liver", "CT") == ["all", "ct rule", "both rules", "ct"])
    #expect(try names("liver", "MR") == ["all", "both rules"])
    #expect(try names("cardiac", "CT") == ["all", "cardiac", "ct"])
    #expect(try names("cardiac", "MR") == ["all", "cardiac"])
  }

  /// The files of the series are read only where a destination asks what they are.
  @Test func theSeriesIsReadOnlyWhereItMatters() throws {
    let reads = Mutex(0)
    let routes = [route("all"), route("rule") { $0.rules = [ct] }]
    let routing = ResultRouting(routes) { _ in
      reads.withLock { $0 += 1 }
      return facts("CT")
    }
    #expect(try routing.targets(of: job("cardiac")).map(\.name) == ["all"])
    #expect(reads.withLock { $0 } == 0)
    #expect(try routing.targets(of: job("liver")).count == 2)
    #expect(reads.withLock { $0 } == 1)
    #expect(try (["a", "b"] as ResultRouting).targets(of: job("x")).map(\.name) == ["a", "b"])
  }
}
