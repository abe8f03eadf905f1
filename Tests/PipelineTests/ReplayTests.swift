import ConfigurationFile
import Foundation
import JobLedger
import SeriesProcessing
import TestSupport
import Testing

@testable import Pipeline

/// What another configuration would make of what came, without changing anything.
@Suite struct ReplayTests {
  private let ct = "rules: [{model: untrained-tiny, modalities: [CT]}]"

  private func replay(_ small: SmallJob, _ sections: String) throws -> ReplayReport {
    let models = TestFiles.fixtures.appendingPathComponent("models").path
    let text = """
      stateDirectory: \(small.state.url.path)
      models: {directories: ["\(models)"]}
      \(sections)

      """
    let configuration = try ConfigurationSource(
      file: small.folder.url.path + "/new.yaml", text: text
    ).configuration()
    return try Replay(ConfiguredParts(reading: configuration)).run(since: nil)
  }

  private func completed() async throws -> SmallJob {
    let small = try await SmallJob()
    #expect(try await small.runner.runNext { _ in })
    return small
  }

  @Test func theSameConfigurationChangesNothing() async throws {
    let small = try await SmallJob()
    #expect(try replay(small, ct).differences == [])
    #expect(try await small.runner.runNext { _ in })
    let report = try replay(small, ct)
    #expect(report.differences == [] && report.unreplayed == [])
    #expect(report.studies == 1 && report.series == 1)
  }

  @Test func anotherRouteIsNamed() async throws {
    let small = try await completed()
    let jobs = try small.ledger.jobs()
    let report = try replay(small, "rules: [{model: untrained-tiny, modalities: [MR]}]")
    let found = try #require(report.differences.first)
    #expect(report.differences.count == 1 && found.differences == [.routing])
    #expect(found.model == "untrained-tiny" && found.job == small.id)
    #expect(found.was == SeriesRouting(.segmented))
    #expect(found.wouldBe.kind == .held)
    #expect(found.wouldBe.reason?.contains("no rule of the configuration matches") == true)
    #expect(try small.ledger.jobs() == jobs)
  }

  /// A model that had nothing to do with the series, and would not take it.
  @Test func aModelThatIsNewIsNamedWithWhatItRefuses() async throws {
    let small = try await completed()
    let report = try replay(
      small, "rules: [{model: untrained-tiny, modalities: [CT]}, {model: untrained-tiny-mr}]")
    let found = try #require(report.differences.first)
    #expect(report.differences.count == 1 && found.model == "untrained-tiny-mr")
    #expect(found.job == nil && found.was.kind == .noJob && found.wouldBe.kind == .held)
    #expect(found.wouldBe.reason?.contains("CT") == true, "\(found)")
  }

  @Test func anotherVerdictIsNamed() async throws {
    let small = try await completed()
    let report = try replay(small, ct + "\ngeometry: {minimumSlices: 9}")
    let found = try #require(report.differences.first)
    #expect(report.differences.count == 1 && found.differences == [.verdict], "\(found)")
    #expect(found.verdictWas == .accepted && found.verdictWouldBe == .held)
    #expect(found.was.kind == .segmented && found.wouldBe.kind == .held)
  }

  /// What a person took back or held was routed all the same.
  @Test func whatAPersonDidIsNoDifference() async throws {
    let small = try await SmallJob()
    var selection = JobSelection()
    selection.jobs = [small.id]
    _ = try small.ledger.apply(.hold, to: selection)
    #expect(try replay(small, ct).differences == [])
    _ = try small.ledger.apply(.cancel, to: selection)
    #expect(try replay(small, ct).differences == [])
    #expect(try replay(small, "rules: []").differences.map(\.differences) == [[.routing]])
  }

  @Test func whatIsNotHereIsNotGuessed() async throws {
    let small = try await completed()
    let record = try #require(try small.ledger.instances(series: small.series).current.first)
    try FileManager.default.removeItem(at: small.state.file(record.spoolPath))
    let report = try replay(small, "rules: []")
    #expect(report.differences == [] && report.series == 0)
    #expect(report.unreplayed.map(\.reason) == ["1 of 5 originals missing"])

    let arriving = try await SmallJob(isAssembled: false)
    #expect(
      try replay(arriving, ct).unreplayed.map(\.reason) == ["it has not been assembled yet"])
  }
}
