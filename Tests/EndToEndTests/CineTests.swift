import Foundation
import TestSupport
import Testing

/// A beating ball: ten phases of one series, end-diastole by volume in the first and end-systole in
/// the fifth, where time alone would take the fourth.
@Suite(.serialized, .limitedConcurrency) struct CineTests {
  private struct Cine: Decodable {
    var series: String
    var radii: [Double]
    var images: [[String]]

    func millilitres(_ phase: Int) -> Double {
      4 / 3 * .pi * radii[phase] * radii[phase] * radii[phase] / 1000
    }
  }

  private let folder: TemporaryFolder
  private var input: URL { folder.url.appendingPathComponent("cine") }

  init() throws { folder = try TemporaryFolder() }

  private func makeCine() async throws -> Cine {
    try await runScript("generators/make_study.py", [input.path, "cine"], as: Cine.self)
  }

  /// The object is about this phase's images, and its volume is the ball's.
  private func expectPhase(_ phase: Int, in file: URL, of cine: Cine) async throws -> SegmentPlaces
  {
    let found = try await SegmentPlaces.read(file, near: [[0, 0, 0]])
    #expect(Set(found.sources).isSubset(of: Set(cine.images[phase])))
    #expect(!found.sources.isEmpty)
    let volume = found.segments.values.reduce(0) { $0 + $1.millilitres }
    #expect(abs(volume - cine.millilitres(phase)) < 0.12 * cine.millilitres(phase))
    return found
  }

  @Test func extremesAreFoundAndTheEjectionFractionFollows() async throws {
    let cine = try await makeCine()
    let model = try await makeThresholdBundle("cine", in: folder.url)
    let row = try await RunRow.run(input, model: model)
    #expect(row.state == "segmented", "\(row.reasons ?? [])")
    let phases = try #require(row.phases)
    #expect(phases.map(\.phase.number) == [1, 5])
    #expect(phases.map(\.phase.name) == ["end-diastole", "end-systole"])
    var places: [SegmentPlaces] = []
    for (phase, index) in zip(phases, [0, 4]) {
      places.append(
        try await expectPhase(
          index, in: URL(fileURLWithPath: phase.segmentation), of: cine))
    }
    // Two objects of one series.
    #expect(places[0].series == places[1].series)
    #expect(places.map(\.instanceNumber) == [1, 2])
    #expect(places[1].description.hasPrefix("end-systole, phase 5 of 10 at 330 ms"))
    let function = try #require(row.function?.first)
    let known = 1 - cine.millilitres(4) / cine.millilitres(0)
    #expect(abs(function.ejectionFraction - known) < 0.03, "\(function)")
  }

  @Test func phasesCanBeChosen() async throws {
    let cine = try await makeCine()
    let model = try await makeThresholdBundle("cine", in: folder.url)
    let listed = try await RunRow.run(input, model: model, "--phases", "3,2")
    #expect(listed.phases?.map(\.phase.number) == [3, 2])
    for (phase, index) in zip(try #require(listed.phases), [2, 1]) {
      _ = try await expectPhase(
        index, in: URL(fileURLWithPath: phase.segmentation), of: cine)
    }
    let all = try await RunRow.run(input, model: model, "--phases", "all")
    #expect(all.phases?.map(\.phase.number) == Array(1...10))
    let beyond = try await RunRow.run(input, model: model, "--phases", "11")
    #expect(beyond.state == "held")
    #expect(beyond.reasons?.first?.contains("there is no phase 11") == true)
  }

  @Test func theDaemonSendsEveryPhaseAndKeepsTheFraction() async throws {
    struct Row: Decodable {
      struct Measurement: Decodable {
        var name: String
        var value: Double
        var unit: String
      }
      var id: Int64
      var measurements: [Measurement]
      var summary: String?
    }
    let cine = try await makeCine()
    let model = try await makeThresholdBundle("cine", in: folder.url)
    let setup = try DaemonSetup(models: ["MR": model.path])
    let pacs = try await Orthanc(dicomPort: setup.destinationPort)
    let daemon = try await setup.start()
    #expect(try await setup.send(input).status == 0)
    let job = try #require(try await setup.endedJobs().first)
    #expect(job.state == "completed", "\(job.reason ?? "")")
    try await setup.delivered()
    let sent = try await pacs.segmentations()
    #expect(sent.count == 2 && Set(sent) == Set(job.segmentations.compactMap(\.sopInstanceUID)))
    // The picture of the heartbeat, and one of each extreme.
    #expect(job.objects.map(\.kind) == ["seg", "seg", "picture", "picture", "picture"])
    for object in job.objects {
      let file = setup.state.appendingPathComponent(object.path)
      #expect(FileManager.default.fileExists(atPath: file.path), "\(object.path)")
      #expect(object.sha256?.count == 64)
    }
    let listed = try await segmentd("jobs", "--config", setup.configuration, "--json")
    let row = try #require(
      try JSONDecoder().decode([Row].self, from: Data(listed.output.utf8)).first)
    let fraction = try #require(
      row.measurements.first { $0.name == "Bright 3 ejection fraction" })
    let known = 1 - cine.millilitres(4) / cine.millilitres(0)
    #expect(fraction.unit == "%" && abs(fraction.value / 100 - known) < 0.03)
    #expect(row.summary?.contains("ejection fraction") == true)
    try await daemon.end()
  }
}
