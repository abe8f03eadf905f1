import Foundation
import TestSupport
import Testing

/// Each fault gives one clear message and a non-zero exit, or a refusal while others are served.
@Suite(.serialized, .limitedConcurrency) struct BadInputTests {
  private func check(
    _ yaml: String, says expected: String..., sourceLocation: SourceLocation = #_sourceLocation
  )
    async throws
  {
    let folder = try TemporaryFolder()
    let file = folder.url.appendingPathComponent("segmentd.yaml")
    try yaml.write(to: file, atomically: true, encoding: .utf8)
    let result = try await segmentd("serve", "--config", file.path)
    #expect(result.status != 0, sourceLocation: sourceLocation)
    for text in expected {
      #expect(result.output.contains(text), "\(result.output)", sourceLocation: sourceLocation)
    }
  }

  @Test func aMisspelledKeyIsNamedWithItsLine() async throws {
    try await check(
      "stateDirectory: s\nlistener:\n  aeTitle: A\n  prot: 104\n", says: "segmentd.yaml:4:", "prot")
  }

  @Test func aWrongTypeIsNamedWithItsLine() async throws {
    try await check(
      "stateDirectory: s\nlistener:\n  port: many\n", says: "segmentd.yaml:3:", "port")
  }

  @Test func aMissingConfigurationIsNamed() async throws {
    let result = try await segmentd("serve", "--config", "/nowhere/segmentd.yaml")
    #expect(result.status != 0)
    #expect(result.output.contains("/nowhere/segmentd.yaml"))
  }

  @Test func anUnknownModelIsNamed() async throws {
    try await check(
      "stateDirectory: s\nlistener: {port: 11113}\nrules:\n  - model: liver\n", says: "\"liver\"")
  }

  @Test func adminCommandsMakeNoStateDirectory() async throws {
    let setup = try DaemonSetup()
    for command in [["jobs"], ["reprocess", "--study", "1.2"]] {
      let result = try await runProcess(
        segmentdBinary, command + ["--config", setup.configuration])
      #expect(result.status != 0)
      #expect(result.output.contains("no ledger"))
    }
    #expect(!FileManager.default.fileExists(atPath: setup.state.path))
  }

  @Test func aReadOnlyStateDirectoryIsNamed() async throws {
    try await check(
      "stateDirectory: /proc/segmentd\nlistener: {port: 11113}\n", says: "/proc/segmentd")
  }

  @Test func aBusyPortIsNamed() async throws {
    let setup = try DaemonSetup()
    let daemon = try await setup.start()
    let folder = try TemporaryFolder()
    try await check(
      "stateDirectory: \(folder.url.path)/s\nlistener: {address: 127.0.0.1, port: \(setup.port)}\n",
      says: "\(setup.port)")
    try await daemon.end()
  }

  @Test func aSecondDaemonOnTheSameStateIsRefused() async throws {
    let setup = try DaemonSetup()
    let daemon = try await setup.start()
    let second = try await segmentd("serve", "--config", setup.configuration)
    #expect(second.status != 0)
    #expect(second.output.contains("segmentd serve (process "))
    try await daemon.end()
  }

  @Test func missingWeightsAreNamed() async throws {
    let folder = try TemporaryFolder()
    let bundle = folder.url.appendingPathComponent("broken")
    try FileManager.default.copyItem(
      at: TestFiles.fixtures.appendingPathComponent("models/untrained-tiny"), to: bundle)
    let weights = bundle.appendingPathComponent("weights.safetensors")
    try FileManager.default.removeItem(at: weights)
    let series = folder.url.appendingPathComponent("series")
    try await makeSeries(at: series)
    let result = try await segmentd(
      "run", "--model", bundle.path, "--output", folder.url.appendingPathComponent("out").path,
      series.path)
    #expect(result.status != 0)
    #expect(result.output.contains("weights.safetensors"))
  }

  @Test func whatIsRefusedLeavesTheDaemonServing() async throws {
    let setup = try DaemonSetup()
    let daemon = try await setup.start()
    let receiver = daemon.receivingProcess
    let folder = setup.folder.url
    let series = folder.appendingPathComponent("series")
    try await makeSeries(at: series)

    let unknownAE = try await runProcess(
      "/usr/bin/echoscu", ["-aec", "WRONG", "127.0.0.1", "\(setup.port)"])
    #expect(unknownAE.status != 0)
    #expect(unknownAE.output.contains("Called AE Title Not Recognized"))

    #expect(try await setup.send(series).status == 0)
    let jobs = try await setup.endedJobs()
    #expect(jobs.map(\.state) == ["completed"], "\(jobs.first?.reason ?? "")")
    #expect(receiver != nil && daemon.receivingProcess == receiver, "\(daemon.output)")
    try await daemon.end()
  }

  @Test func aStudyWithOneSliceIsHeldWithItsReason() async throws {
    let setup = try DaemonSetup()
    let daemon = try await setup.start()
    let series = setup.folder.url.appendingPathComponent("series")
    try await makeSeries(at: series, "--slices", "1")
    #expect(try await setup.send(series).status == 0)
    let job = try #require(try await setup.endedJobs().first)
    #expect(job.state == "held")
    #expect(try #require(job.reason).contains("slice"))
    try await daemon.end()
  }

  @Test func aFolderOfTextFilesIsReported() async throws {
    let folder = try TemporaryFolder()
    try "hello".write(
      to: folder.url.appendingPathComponent("a.txt"), atomically: true, encoding: .utf8)
    let result = try await segmentd(
      "run", "--model", "untrained-tiny", "--models",
      TestFiles.fixtures.appendingPathComponent("models").path, "--output",
      folder.url.appendingPathComponent("out").path, folder.url.path)
    #expect(result.status != 0)
    #expect(result.output.contains("a.txt"))
  }
}
