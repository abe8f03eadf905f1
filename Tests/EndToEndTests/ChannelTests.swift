import Foundation
import TestSupport
import Testing

/// A model that takes four series of one head, each on a grid of its own and with a bright ball at
/// a known place in the patient.
@Suite(.serialized, .limitedConcurrency) struct ChannelTests {
  private struct Study: Decodable {
    var study: String
    var series: [String: String]
    var places: [String: [Double]]
  }

  private static let channels = ["flair", "t1", "t1ce", "t2"]

  private let folder: TemporaryFolder
  private var input: URL { folder.url.appendingPathComponent("study") }

  init() throws { folder = try TemporaryFolder() }

  private func makeStudy(_ options: String...) async throws -> Study {
    try await runScript(
      "generators/make_study.py", [input.path, "brats"] + options, as: Study.self)
  }

  /// The label that the network gives to what is bright in a channel.
  private static let labels = ["flair": "1", "t1": "2", "t1ce": "3", "t2": "3"]

  private func expectBalls(in file: URL, _ study: Study) async throws {
    let places = Self.channels.map { study.places[$0] ?? [] }
    let found = try await SegmentPlaces.read(file, near: places)
    for (index, channel) in Self.channels.enumerated() {
      let segment = try #require(found.segments[Self.labels[channel] ?? ""])
      let near = segment.near[index]
      let centre = try #require(near.centre, "no \(channel)")
      for axis in 0..<3 { #expect(abs(centre[axis] - places[index][axis]) < 0.3, "\(channel)") }
      // A ball of 6 mm radius.
      #expect(abs(near.millilitres - 0.905) < 0.12, "\(channel): \(near.millilitres) ml")
    }
    let total = found.segments.values.reduce(0) { $0 + $1.millilitres }
    let balls = found.segments.values.flatMap(\.near).reduce(0) { $0 + $1.millilitres }
    #expect(abs(total - balls) < 1e-6, "something was found elsewhere")
  }

  @Test func everyChannelIsFoundAndKeepsItsPlace() async throws {
    let study = try await makeStudy()
    let model = try await makeThresholdBundle("brats", in: folder.url)
    let row = try await RunRow.run(input, model: model)
    #expect(row.state == "segmented", "\(row.reasons ?? [])")
    #expect(row.seriesInstanceUID == study.series["t1ce"])
    try await expectBalls(
      in: URL(fileURLWithPath: try #require(row.segmentation)), study)
  }

  @Test func aMissingChannelIsRefusedWithTheCandidates() async throws {
    let study = try await makeStudy("--without", "t2")
    let model = try await makeThresholdBundle("brats", in: folder.url)
    let row = try await RunRow.run(input, model: model)
    #expect(row.state == "held")
    let reason = try #require(row.reasons?.first)
    #expect(reason.contains("no series of the study is channel t2"), "\(reason)")
    for series in study.series.values { #expect(reason.contains(series), "\(reason)") }
  }

  @Test func anAmbiguousChannelIsRefusedUntilSomebodyChooses() async throws {
    let study = try await makeStudy("--twice", "t1")
    let model = try await makeThresholdBundle("brats", in: folder.url)
    let row = try await RunRow.run(input, model: model)
    #expect(row.state == "held")
    let reason = try #require(row.reasons?.first)
    let (one, other) = (try #require(study.series["t1"]), try #require(study.series["t12"]))
    #expect(reason.contains(one) && reason.contains(other), "\(reason)")
    #expect(reason.contains("--channel t1=UID"))

    let chosen = try await RunRow.run(input, model: model, "--channel", "t1=\(other)")
    #expect(chosen.state == "segmented", "\(chosen.reasons ?? [])")
    try await expectBalls(
      in: URL(fileURLWithPath: try #require(chosen.segmentation)), study)
    let unknown = try await RunRow.run(input, model: model, "--channel", "t3=\(other)")
    #expect(try #require(unknown.reasons?.first).contains("flair, t1, t1ce, t2"))
  }

  /// `rules test` shows which series is which channel, or why there is none, as the daemon decides;
  /// it makes no state directory.
  @Test func theTrialOfTheRulesShowsTheChannels() async throws {
    let study = try await makeStudy()
    let model = try await makeThresholdBundle("brats", in: folder.url)
    let file = folder.url.appendingPathComponent("segmentd.yaml").path
    let state = folder.url.appendingPathComponent("state").path
    try """
    stateDirectory: \(state)
    rules:
      - {model: \(model.path), modalities: [MR]}
      - {model: not-installed, modalities: [CT]}
    """.write(toFile: file, atomically: true, encoding: .utf8)
    func trial() async throws -> String {
      let result = try await segmentd("rules", "test", "--config", file, input.path)
      #expect(result.status == 0, "\(result.output)")
      return result.output
    }
    let text = try await trial()
    for channel in Self.channels {
      let uid = try #require(study.series[channel])
      let note = channel == "t1ce" ? ", the result is on its images" : ""
      #expect(text.contains("    channel \(channel): series \(uid)\(note)\n"), "\(text)")
    }
    #expect(text.contains("the channels of model not-installed are not shown"), "\(text)")

    let folders = try FileManager.default.contentsOfDirectory(
      at: input, includingPropertiesForKeys: nil)
    try FileManager.default.removeItem(
      at: try #require(folders.first { $0.path.hasSuffix("-t2") }))
    let without = try await trial()
    #expect(
      without.contains("model \(model.path): held: no series of the study is channel t2"),
      "\(without)")
    #expect(!without.contains("    channel "), "\(without)")
    #expect(!FileManager.default.fileExists(atPath: state))
  }

  /// The daemon waits for every channel, and says which one is missing until it comes.
  @Test func aStudyIsDueWhenItsChannelsAreThere() async throws {
    let study = try await makeStudy()
    let model = try await makeThresholdBundle("brats", in: folder.url)
    // Longer than it mostly takes between two series.
    let setup = try DaemonSetup(
      models: ["MR": model.path], assembly: "{quietSeconds: 20}", hasDestination: false)
    let daemon = try await setup.start()
    let folders = try FileManager.default.contentsOfDirectory(
      at: input, includingPropertiesForKeys: nil)
    let began = ContinuousClock.now
    for folder in folders where !folder.path.hasSuffix("-t2") {
      #expect(try await setup.send(folder).status == 0)
    }
    let isWithinQuietPeriod = began.duration(to: .now) < .seconds(20)
    var jobs: [JobRow] = []
    try await waitUntil("a job without channel t2") {
      jobs = try await setup.endedJobs(3)
      return jobs.last { $0.state == "held" }?.reason?.contains("channel t2") == true
    }
    #expect(jobs.allSatisfy { $0.state != "completed" }, "\(jobs)")
    #expect(jobs.count { $0.state == "held" } == 1 || !isWithinQuietPeriod, "\(jobs)")

    for folder in folders where folder.path.hasSuffix("-t2") {
      #expect(try await setup.send(folder).status == 0)
    }
    try await waitUntil("the job of all channels", within: 900) {
      jobs = try await setup.jobs()
      return jobs.contains { $0.state == "completed" }
    }
    let job = try #require(jobs.first { $0.state == "completed" })
    #expect(job.seriesInstanceUID == study.series["t1ce"])
    try await expectBalls(
      in: setup.state.appendingPathComponent("results/\(job.id)/segmentation.dcm"), study)
    try await daemon.end()
  }
}
