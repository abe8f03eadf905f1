import ConfigurationFile
import Foundation
import JobLedger
import SeriesProcessing
import TestSupport
import Testing

@testable import Pipeline

/// What a job would change is known before it is made.
@Suite struct ReprocessPlannerTests {
  private func parts(_ small: SmallJob, aeTitle: String = "TEST", rules: String = "[]") throws
    -> ConfiguredParts
  {
    let file = small.folder.url.appendingPathComponent("segmentd.yaml")
    let models = TestFiles.fixtures.appendingPathComponent("models").path
    try """
    stateDirectory: \(small.state.url.path)
    listener: {aeTitle: \(aeTitle), port: 11112}
    models: {directories: ["\(models)"]}
    rules: \(rules)

    """.write(to: file, atomically: true, encoding: .utf8)
    return try ConfiguredParts(try SiteConfiguration.load(file.path), mustExist: true)
  }

  private func plan(
    _ small: SmallJob, _ parts: ConfiguredParts, _ settings: ReprocessSettings = .init()
  ) throws -> PlannedJob {
    let study = try small.ledger.job(small.id).job.studyInstanceUID
    let plan = try ReprocessPlanner(parts, settings: settings).plan(study: study)
    #expect(plan.unplanned == [])
    return try #require(plan.jobs.count == 1 ? plan.jobs.first : nil)
  }

  @Test func theEffectIsForeseen() async throws {
    let small = try await SmallJob()
    let parts = try parts(small)
    #expect(try plan(small, parts).waitingJob == small.id)
    #expect(try await parts.runner.runNext { _ in })
    var planned = try plan(small, parts)
    #expect(
      planned.effect == .same && planned.waitingJob == nil && planned.current?.job == small.id)

    // And so it comes.
    let made = try small.ledger.requestJob(series: small.series, planned.job)
    #expect(made.isNew)
    #expect(try await parts.runner.runNext { _ in })
    #expect(try small.ledger.job(made.id).job.sameResultAs == small.id)

    var forced = ReprocessSettings()
    forced.isForced = true
    #expect(try plan(small, parts, forced).effect == .supersedes)
    // Another installation gives other objects.
    let elsewhere = try self.parts(small, aeTitle: "OTHER")
    planned = try plan(small, elsewhere)
    #expect(planned.effect == .supersedes && planned.current?.job == made.id)
    let newer = try small.ledger.requestJob(series: small.series, planned.job).id
    #expect(try await elsewhere.runner.runNext { _ in })
    #expect(try small.ledger.job(small.id).job.supersededBy == newer)
  }

  /// Where the result is the same, its images are not needed.
  @Test func lostOriginalsAreCounted() async throws {
    let small = try await SmallJob()
    let parts = try parts(small)
    #expect(try await parts.runner.runNext { _ in })
    for record in try small.ledger.instances(series: small.series).current.prefix(2) {
      try FileManager.default.removeItem(at: small.state.file(record.spoolPath))
    }
    let planned = try plan(small, parts)
    #expect(planned.missingOriginals == 2 && planned.effect == .same && planned.isNeedless)
    var forced = ReprocessSettings()
    forced.isForced = true
    #expect(try !plan(small, parts, forced).isNeedless)
  }

  @Test func aSeriesThatNoRuleTakesIsNamed() async throws {
    let small = try await SmallJob(isAssembled: false)
    let parts = try parts(small)
    let study = try #require(try small.ledger.seriesDue(quietPeriod: 0).first).studyInstanceUID
    let plan = try ReprocessPlanner(parts, settings: .init()).plan(study: study)
    #expect(plan.jobs.isEmpty)
    #expect(plan.unplanned.map(\.seriesInstanceUID) == [small.series])
    let ruled = try self.parts(small, rules: "[{model: untrained-tiny, modalities: [CT]}]")
    #expect(
      try ReprocessPlanner(ruled, settings: .init()).plan(study: study).jobs.map(\.model)
        == ["untrained-tiny"])
  }

  @Test func aVolumeIsAskedForByItsNumber() async throws {
    let small = try await SmallJob(
      options: [
        "--modality", "MR", "--slices", "5", "--size", "32", "--echo-times", "20", "80",
      ])
    let parts = try parts(small)
    var settings = ReprocessSettings()
    settings.model = "untrained-tiny-mr"
    settings.volume = 2
    #expect(
      try plan(small, parts, settings).job.volume == ChosenVolume("EchoTime=80.0", by: .person))
    settings.volume = 3
    let study = try small.ledger.job(small.id).job.studyInstanceUID
    let refused = try ReprocessPlanner(parts, settings: settings).plan(study: study).unplanned
    #expect(refused.count == 1 && refused[0].reason.contains("there is no volume 3"), "\(refused)")
  }
}
