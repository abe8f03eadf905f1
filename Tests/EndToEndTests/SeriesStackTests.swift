import Foundation
import JobLedger
import TestSupport
import Testing

/// The beating ball of ``CineTests`` as scanners store short-axis cine: a series for each of twelve
/// slices, each measured in heartbeats of its own length.
@Suite(.serialized, .limitedConcurrency) struct SeriesStackTests {
  private struct Study: Decodable {
    var study: String
    /// The series in slice order.
    var slices: [String]
    var radii: [Double]
    /// The images of each phase.
    var images: [[String]]
    var again: String?
    var long: String?
  }

  private let folder: TemporaryFolder
  private var input: URL { folder.url.appendingPathComponent("study") }

  init() throws { folder = try TemporaryFolder() }

  private func makeStudy(_ options: String...) async throws -> Study {
    try await runScript(
      "generators/make_study.py", [input.path, "slices"] + options, as: Study.self)
  }

  private func inspect() async throws -> [Inspection.Series] {
    let result = try await segmentd("inspect", "--json", input.path)
    #expect(result.status == 0, "\(result.output)")
    return try JSONDecoder().decode(Inspection.self, from: Data(result.output.utf8)).series
  }

  /// The object refers to every series of the stack, and its frames to images of one phase.
  private func expectReferences(_ file: URL, phase: Int, of study: Study) async throws {
    let found = try await SegmentPlaces.read(file, sources: input)
    #expect(Set(found.references.keys) == Set(study.slices))
    #expect(Set(found.references.values.joined()) == Set(study.images[phase]))
    #expect(found.references.values.allSatisfy { $0.count == 1 })
    #expect(!found.sources.isEmpty && Set(found.sources).isSubset(of: study.images[phase]))
    #expect(found.misplaced == 0)
  }

  @Test func inspectShowsOneStack() async throws {
    let study = try await makeStudy("--long-axis")
    let series = try await inspect()
    #expect(series.count == 2)
    let stack = try #require(series.first { $0.verdict != "held" })
    #expect(stack.verdict == "accepted", "\(stack.reasons)")
    #expect(
      stack.reasons.contains {
        $0.contains("12 series of one stack") && $0.contains(study.slices.joined(separator: ", "))
      }, "\(stack.reasons)")
    #expect(stack.volumes.map(\.dims) == Array(repeating: [64, 64, 12], count: 10))
    for (phase, volume) in stack.volumes.enumerated() {
      #expect(Set(volume.sopInstanceUIDs).isSubset(of: study.images[phase]))
    }
    #expect(series.first { $0.verdict == "held" }?.seriesInstanceUID == study.long)
  }

  @Test func runSegmentsTheStackAndRefersToEverySeries() async throws {
    let study = try await makeStudy()
    let model = try await makeThresholdBundle("cine", in: folder.url)
    let row = try await RunRow.run(input, model: model)
    #expect(row.state == "segmented", "\(row.reasons ?? [])")
    let phases = try #require(row.phases)
    #expect(phases.map(\.phase.number) == [1, 5])
    for phase in phases {
      try await expectReferences(
        URL(fileURLWithPath: phase.segmentation), phase: phase.phase.number - 1, of: study)
    }
    let ball = { (phase: Int) in study.radii[phase] * study.radii[phase] * study.radii[phase] }
    let function = try #require(row.function?.first)
    #expect(abs(function.ejectionFraction - (1 - ball(4) / ball(0))) < 0.03, "\(function)")
  }

  @Test(arguments: [
    (["--short", "4"], "the number of phases differs: 10 in series"),
    (["--lacking", "5"], "slices are missing at the usual step of 8.0 mm"),
    (["--again", "3"], "a slice location was measured more than once"),
  ])
  func aStackThatDoesNotFitIsHeldOnce(options: [String], says: String) async throws {
    let study = try await runScript(
      "generators/make_study.py", [input.path, "slices"] + options, as: Study.self)
    let series = try await inspect()
    #expect(series.map(\.verdict) == ["held"])
    let reason = try #require(series.first?.reasons.first)
    #expect(reason.contains(says), "\(reason)")
    for uid in study.slices + [study.again].compactMap(\.self) {
      #expect(reason.contains(uid), "\(reason)")
    }
    let model = try await makeThresholdBundle("cine", in: folder.url)
    #expect(try await RunRow.run(input, model: model).state == "held")
  }

  @Test func rulesAreShownTheStackAsOneSeries() async throws {
    struct Trials: Decodable {
      struct Trial: Decodable {
        var series: [Series]
        var rules: [Rule]
      }
      struct Series: Decodable {
        var seriesInstanceUID: String
        var stackMembers: [String]
        var images: Int
      }
      struct Rule: Decodable { var decisions: [Decision] }
      struct Decision: Decodable {
        var seriesInstanceUID: String
        var kind: String
      }
      var studies: [Trial]
    }
    let study = try await makeStudy("--long-axis")
    let file = folder.url.appendingPathComponent("segmentd.yaml").path
    // The model is there, so that no warning is printed with the JSON.
    let models = TestFiles.fixtures.appendingPathComponent("models").path
    try """
    stateDirectory: state
    models: {directories: [\(models)]}
    rules:
      - model: untrained-tiny
        require: {orientation: axial, slices: {min: 10, max: 12}}
    """.write(toFile: file, atomically: true, encoding: .utf8)
    let result = try await segmentd("rules", "test", "--config", file, "--json", input.path)
    let trial = try #require(
      JSONDecoder().decode(Trials.self, from: Data(result.output.utf8)).studies.first)
    #expect(trial.series.map(\.stackMembers.count).sorted() == [0, 12])
    #expect(trial.series.contains { $0.stackMembers == study.slices && $0.images == 120 })
    let selected = trial.rules[0].decisions.filter { $0.kind == "selected" }
    #expect(selected.map(\.seriesInstanceUID) == [study.slices[0]])
  }

  @Test func theDaemonMakesOneJobOfTheStack() async throws {
    let study = try await makeStudy()
    let model = try await makeThresholdBundle("cine", in: folder.url)
    let setup = try DaemonSetup(models: ["MR": model.path], hasDestination: false)
    let daemon = try await setup.start()
    // The last slice comes once the others are segmented.
    let last = try #require(
      FileManager.default.contentsOfDirectory(atPath: input.path).first { $0.hasSuffix("sax_12") })
    let aside = folder.url.appendingPathComponent("aside")
    try FileManager.default.moveItem(at: input.appendingPathComponent(last), to: aside)
    #expect(try await setup.send(input).status == 0)
    let first = try await setup.endedJobs(11)
    let done = first.filter { $0.state == "completed" }
    #expect(done.map(\.seriesInstanceUID) == [study.slices[0]], "\(first.map(\.reason))")
    #expect(first.filter { $0.state == "cancelled" }.count == 10)
    #expect(
      done.first?.verdictReasons.contains { $0.contains("11 series of one stack") } == true)

    #expect(try await setup.send(aside).status == 0)
    let jobs = try await setup.endedJobs(13)
    #expect(jobs.map(\.state).filter { $0 == "completed" }.count == 2, "\(jobs.map(\.reason))")
    let newest = try #require(jobs.filter { $0.state == "completed" }.max { $0.id < $1.id })
    #expect(newest.seriesInstanceUID == study.slices[0])
    #expect(newest.verdictReasons.contains { $0.contains("12 series of one stack") })
    try FileManager.default.moveItem(at: aside, to: input.appendingPathComponent(last))
    #expect(newest.segmentations.count == 2)
    for (object, phase) in zip(newest.segmentations, [0, 4]) {
      try await expectReferences(
        setup.state.appendingPathComponent(object.path), phase: phase, of: study)
    }
    try await daemon.end()

    let again = try await segmentd(
      "reprocess", "--config", setup.configuration, "--study", study.study)
    #expect(again.status == 0, "\(again.output)")
    let all = try await setup.jobs()
    #expect(all.count == 14 && all.filter { $0.state == "completed" }.count == 3)

    // Eleven of the slices would pass for a stack.
    let ledger = try Ledger(reading: setup.state.appendingPathComponent("ledger.sqlite").path)
    for instance in try ledger.instances(series: study.slices[11]).current {
      try FileManager.default.removeItem(
        at: setup.state.appendingPathComponent(instance.spoolPath))
    }
    let part = try await segmentd(
      "reprocess", "--config", setup.configuration, "--study", study.study, "--force")
    let reason = "series \(study.slices[11]) of the same stack was purged or lost"
    #expect(part.output.contains(reason), "\(part.output)")
    #expect(try await setup.jobs().count == 14)
  }

  @Test func theDaemonHoldsAStackThatDoesNotFitOnce() async throws {
    let study = try await makeStudy("--short", "4")
    let model = try await makeThresholdBundle("cine", in: folder.url)
    let setup = try DaemonSetup(models: ["MR": model.path], hasDestination: false)
    let daemon = try await setup.start()
    #expect(try await setup.send(input).status == 0)
    let jobs = try await setup.endedJobs(12)
    let held = jobs.filter { $0.state == "held" }
    #expect(held.count == 1 && jobs.filter { $0.state == "cancelled" }.count == 11)
    let reason = try #require(held.first?.reason)
    #expect(reason.contains("the number of phases differs"))
    #expect(study.slices.allSatisfy { reason.contains($0) })
    try await daemon.end()
  }
}
