import Foundation
import TestSupport
import Testing

/// `segmentd rules test` and the daemon on the same study.
@Suite(.limitedConcurrency) struct RulesTests {
  private struct Trials: Decodable {
    struct Study: Decodable {
      var studyInstanceUID: String
      var rules: [Rule]
    }
    struct Rule: Decodable {
      var model: String
      var decisions: [Decision]
    }
    struct Decision: Decodable {
      var seriesInstanceUID: String
      var kind: String
      var score: Score
    }
    struct Score: Decodable {
      var points: Double
      var isNearMiss: Bool
    }
    var studies: [Study]
  }

  private let rules = """
    rules:
      - model: untrained-tiny
        require: {modality: CT, orientation: axial, coverage: {min: 30}}
        prefer:
          - {slices: {min: 18}, weight: 3}
          - {sliceSpacing: {max: 1}}
    """

  private func study(below folder: URL) async throws -> [String: String] {
    let axial = try await makeSeries(at: folder.appendingPathComponent("axial"))
    let study = ["--study", axial.study]
    let more = try await makeSeries(
      at: folder.appendingPathComponent("more"), study[0], study[1], "--slices", "20")
    let coronal = try await makeSeries(
      at: folder.appendingPathComponent("coronal"), study[0], study[1], "--orientation", "coronal")
    return [axial.series: "axial", more.series: "more", coronal.series: "coronal"]
  }

  @Test func aStudyIsAssessedWithoutChangingAnything() async throws {
    let folder = try TemporaryFolder()
    let names = try await study(below: folder.url.appendingPathComponent("study"))
    let file = folder.url.appendingPathComponent("segmentd.yaml").path
    let models = TestFiles.fixtures.appendingPathComponent("models").path
    try "stateDirectory: state\nmodels: {directories: [\(models)]}\n\(rules)\n".write(
      toFile: file, atomically: true, encoding: .utf8)
    let arguments = ["rules", "test", "--config", file, folder.url.path + "/study"]
    let result = try await runProcess(segmentdBinary, arguments + ["--json"])
    #expect(result.status == 0, "\(result.output)")
    let trials = try JSONDecoder().decode(Trials.self, from: Data(result.output.utf8))
    let decisions = try #require(trials.studies.first?.rules.first?.decisions)
    let byName = Dictionary(
      decisions.map { (names[$0.seriesInstanceUID] ?? "", $0) }, uniquingKeysWith: { $1 })
    #expect(byName["more"]?.kind == "selected" && byName["more"]?.score.points == 3)
    #expect(byName["axial"]?.kind == "passedOver")
    #expect(byName["coronal"]?.kind == "noMatch" && byName["coronal"]?.score.isNearMiss == true)

    let text = try await runProcess(segmentdBinary, arguments)
    #expect(text.output.contains("orientation is CORONAL, wanted axial"))
    #expect(text.output.contains("score 3, selected: the highest score, 3"))
    let left = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
    #expect(left.sorted() == ["segmentd.yaml", "study"])
  }

  /// Where a slice of the best series is damaged, that one is held and the second best taken as long as it
  /// is; so says the trial.
  @Test func aDamagedSliceHoldsTheBestAndTheSecondBestIsTaken() async throws {
    let folder = try TemporaryFolder()
    let study = folder.url.appendingPathComponent("study")
    let names = try await self.study(below: study)
    let slice = try #require(
      try FileManager.default.contentsOfDirectory(atPath: study.path + "/more").sorted().last)
    let file = study.appendingPathComponent("more/\(slice)")
    try Data(try Data(contentsOf: file).dropLast(100)).write(to: file)
    let configuration = folder.url.appendingPathComponent("segmentd.yaml").path
    try "\(rules)\n".write(toFile: configuration, atomically: true, encoding: .utf8)
    let result = try await runProcess(
      segmentdBinary, ["rules", "test", "--config", configuration, study.path])
    let more = try #require(names.first { $0.value == "more" }?.key)
    #expect(result.output.contains("series \(more): 19 images, held; "), "\(result.output)")
    #expect(
      result.output.contains("series \(more): score 3, the best, and held"), "\(result.output)")
    let axial = try #require(names.first { $0.value == "axial" }?.key)
    #expect(
      result.output.contains(
        "series \(axial): score 0, selected: the highest score of the series that are not held, 0"),
      "\(result.output)")
  }

  @Test(arguments: [
    ("- {model: m, requires: {modality: CT}}", "2", "requires"),
    ("- model: m\n    require:\n      modality: CT\n      slises: {min: 3}", "5", "slises"),
    ("- model: m\n    require: {slices: {min: 4, max: 3}}", "3", "min is above max"),
    ("- model: m\n    seriesDescription: '('", "3", "not a regular expression"),
    ("- model: m\n    modalities: [CT]\n    tieOrder: [mostSlices]", "4", "select: best"),
    ("- model: m\n    modalities: [CT]\n    select: first", "4", "first"),
  ]) func faultsNameKeyAndLine(rule: String, line: String, expected: String) async throws {
    let folder = try TemporaryFolder()
    let file = folder.url.appendingPathComponent("segmentd.yaml").path
    try "rules:\n  \(rule)\n".write(toFile: file, atomically: true, encoding: .utf8)
    let result = try await segmentd("rules", "test", "--config", file, folder.url.path)
    #expect(result.status != 0)
    #expect(result.output.contains("segmentd.yaml:\(line):"), "\(result.output)")
    #expect(result.output.contains(expected), "\(result.output)")
  }

  @Test func theDaemonSelectsTheSameSeries() async throws {
    let setup = try DaemonSetup(rules: rules)
    let folder = setup.folder.url.appendingPathComponent("study")
    let names = try await study(below: folder)
    let daemon = try await setup.start()
    #expect(try await setup.send(folder).status == 0)
    let jobs = try await setup.endedJobs(3)
    let states = Dictionary(
      jobs.map { (names[$0.seriesInstanceUID] ?? "", $0.state) }, uniquingKeysWith: { $1 })
    #expect(states == ["more": "completed", "axial": "cancelled", "coronal": "held"])
    #expect(jobs.contains { $0.reason?.contains("scores 3, this one 0") == true })
    try await daemon.end()
  }
}
