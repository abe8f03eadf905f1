import Foundation
import TestSupport
import Testing

/// A ball that beats in a wall of constant volume, and a network that marks both by their signal:
/// what a cardiac model's bundle says of its series, of the heartbeat and of the wall.
@Suite(.serialized, .limitedConcurrency) struct CardiacTests {
  private struct Cine: Decodable {
    var radii: [Double]
    var wallMillilitres: Double

    func millilitres(_ phase: Int) -> Double {
      4 / 3 * .pi * radii[phase] * radii[phase] * radii[phase] / 1000
    }
  }

  private let folder: TemporaryFolder
  private var input: URL { folder.url.appendingPathComponent("cine") }

  init() throws { folder = try TemporaryFolder() }

  private func makeCine(_ options: String...) async throws -> Cine {
    try await runScript(
      "generators/make_study.py", [input.path, "cine", "--wall"] + options, as: Cine.self)
  }

  private func run() async throws -> RunRow {
    try await RunRow.run(input, model: try await makeThresholdBundle("heart", in: folder.url))
  }

  @Test func massVolumesAndFractionAreThoseOfThePhantom() async throws {
    let cine = try await makeCine()
    let row = try await run()
    #expect(row.state == "segmented", "\(row.reasons ?? [])")
    #expect(row.phases?.map(\.phase.number) == [1, 5])
    let function = try #require(row.function?.first)
    let known = [cine.millilitres(0), cine.millilitres(4)]
    #expect(abs(function.endDiastolicMillilitres - known[0]) < 0.12 * known[0])
    // The threshold is in standard deviations of the phase, lower where the ball is small.
    #expect(abs(function.endSystolicMillilitres - known[1]) < 4)
    let mass = try #require(row.mass)
    #expect(mass.structure == "Bright 2")
    #expect(abs(mass.grams / 1.05 - cine.wallMillilitres) < 0.12 * cine.wallMillilitres)
    let picture = try #require(row.picture)
    #expect(picture.hasSuffix("/contours.png"))
    #expect(FileManager.default.fileExists(atPath: picture))
  }

  @Test func twoPhasesAreACine() async throws {
    _ = try await makeCine("--phases", "2")
    let row = try await run()
    #expect(row.phases?.map(\.phase.number) == [1, 2], "\(row.reasons ?? [])")
    #expect(row.mass != nil)
  }

  @Test func withoutTriggerTimesTheCavityDecides() async throws {
    _ = try await makeCine("--without-times")
    let row = try await run()
    #expect(row.phases?.map(\.phase.number) == [1, 5], "\(row.reasons ?? [])")
    #expect(row.notes?.contains { $0.contains("Trigger Time (0018,1060)") } == true)
  }

  @Test func whatHardlyBeatsIsHeld() async throws {
    _ = try await makeCine("--rest")
    let row = try await run()
    #expect(row.state == "held")
    #expect(row.reasons?.first?.contains("ejection fraction of Bright 3") == true, "\(row)")
  }

  /// One phase is late enhancement, a localizer or a map: not what the model was made for.
  @Test func onePhaseIsNoCine() async throws {
    _ = try await makeCine("--phases", "1")
    let row = try await run()
    #expect(row.state == "held")
    #expect(row.reasons?.first?.contains("imagesPerSlice is 1, wanted 2 to 128") == true, "\(row)")
  }

  @Test func theDaemonKeepsTheMass() async throws {
    struct Row: Decodable {
      struct Measurement: Decodable {
        var name: String
        var value: Double
        var unit: String
      }
      var measurements: [Measurement]
      var summary: String?
    }
    let cine = try await makeCine()
    let model = try await makeThresholdBundle("heart", in: folder.url)
    let setup = try DaemonSetup(models: ["MR": model.path])
    let daemon = try await setup.start()
    #expect(try await setup.send(input).status == 0)
    let job = try #require(try await setup.endedJobs().first)
    #expect(job.state == "completed", "\(job.reason ?? "")")
    let listed = try await segmentd("jobs", "--config", setup.configuration, "--json")
    let row = try #require(
      try JSONDecoder().decode([Row].self, from: Data(listed.output.utf8)).first)
    #expect(
      row.measurements.map(\.name) == [
        "Bright 3 end-diastolic volume", "Bright 3 end-systolic volume", "Bright 3 stroke volume",
        "Bright 3 ejection fraction", "Bright 2 mass",
      ])
    let mass = try #require(row.measurements.last)
    #expect(mass.unit == "g")
    #expect(abs(mass.value / 1.05 - cine.wallMillilitres) < 0.12 * cine.wallMillilitres)
    #expect(row.summary?.contains("g at end-diastole (1.05 g/ml)") == true)
    try await daemon.end()
  }
}
