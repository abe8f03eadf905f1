import FileSystem
import Foundation
import TestSupport
import Testing

/// `kill -9` at any moment: what was acknowledged is kept, and each job ends once.
@Suite(.serialized, .limitedConcurrency) struct KilledDaemonTests {
  @Test func whileReceiving() async throws {
    let setup = try DaemonSetup()
    let pacs = try await Orthanc(dicomPort: setup.destinationPort)
    let daemon = try await setup.start()
    let series = setup.folder.url.appendingPathComponent("series")
    try await makeSeries(at: series, "--slices", "120", "--size", "128")
    let files = try FileManager.default.contentsOfDirectory(atPath: series.path).sorted()
    let gate = SenderGate(setup, holds: 20)
    async let sending = runProcess(
      testPython,
      [
        TestFiles.package.appendingPathComponent("Scripts/test-support/peers/network_peers.py")
          .path,
        "slowly", "\(setup.port)", "SEGMENTD", "0.1",
      ] + gate.options + files.map { series.appendingPathComponent($0).path })
    try await waitUntil("some instances") { spooled(setup) > 10 }
    try await daemon.end(SIGKILL)
    try gate.open()
    let acknowledged =
      try await sending.output
      .components(separatedBy: "0x0000\n").count - 1
    #expect(acknowledged > 0 && acknowledged <= 100)
    #expect(spooled(setup) >= acknowledged)

    let second = try await setup.start()
    #expect(try await setup.send(series).status == 0)
    var jobs = try await setup.endedJobs()
    try await waitUntil("the whole series", within: 900) {
      jobs = try await setup.endedJobs()
      return jobs.last?.state == "completed"
    }
    try await setup.delivered()
    let completed = jobs.filter { $0.state == "completed" }
    #expect(Set(try await pacs.segmentations()) == Set(completed.compactMap(\.sopInstanceUID)))
    try await second.end()
  }

  /// A kill in the middle of eight associations: every acknowledged slice is there after it, as it was sent.
  @Test(arguments: 1...3)
  func whileReceivingOverManyAssociations(round: Int) async throws {
    let setup = try DaemonSetup(assembly: "{quietSeconds: 60}", hasDestination: false)
    var daemon = try await setup.start()
    let (folders, series) = try await setup.makeAllSeries(8, slices: 40, size: 128)
    let gate = SenderGate(setup, holds: 5)
    async let sending = setup.sendTogether(folders, gate: gate)
    try await waitUntil("some instances") { spooled(setup) > 50 * round }
    try await daemon.end(SIGKILL)
    try gate.open()
    let acknowledged = try await sending.filter(\.value.isSuccess).keys
    #expect(acknowledged.count > 0 && acknowledged.count <= 8 * 35)
    #expect(try setup.kept(acknowledged, series: series) == acknowledged.count)

    daemon = try await setup.start()
    try await waitUntil("the checks of the start") {
      try setup.kept(acknowledged, series: series) == acknowledged.count && !hasEmptyFiles(setup)
    }
    let again = try await setup.sendTogether(folders)
    #expect(again.values.allSatisfy(\.isSuccess) && again.count == 320)
    #expect(try setup.kept(again.keys, series: series) == 320)
    try await daemon.end()
  }

  @Test func whileInferring() async throws {
    let setup = try DaemonSetup(more: JobGate.everyPatch)
    let pacs = try await Orthanc(dicomPort: setup.destinationPort)
    let gate = try await JobGate(setup)
    let daemon = try await setup.start(environment: gate.environment)
    let series = setup.folder.url.appendingPathComponent("series")
    try await makeSeries(at: series, "--slices", "60", "--size", "160")
    #expect(try await setup.send(series).status == 0)
    try await gate.job()
    try await daemon.end(SIGKILL)
    #expect(try await setup.jobs().first?.state == "running")
    let second = try await setup.start()
    try await expectOneResult(setup, pacs)
    try await second.end()
  }

  @Test func whileDelivering() async throws {
    let setup = try DaemonSetup()
    // A receiver that takes so long for an object that the kill falls into its sending.
    let slow = try ChildProcess(
      "/usr/bin/storescp",
      ["--sleep-during", "1800", "-od", setup.folder.url.path, "\(setup.destinationPort)"],
      log: setup.folder.url.appendingPathComponent("storescp.log"))
    let daemon = try await setup.start()
    let series = setup.folder.url.appendingPathComponent("series")
    try await makeSeries(at: series)
    #expect(try await setup.send(series).status == 0)
    try await waitUntil("a delivery under way") {
      try await setup.jobs().flatMap(\.deliveries).contains { $0.state == "sending" }
    }
    try await daemon.end(SIGKILL)
    #expect(try await setup.jobs().flatMap(\.deliveries).map(\.state) == ["sending"])
    try await slow.end(SIGKILL)
    let pacs = try await Orthanc(dicomPort: setup.destinationPort)
    let second = try await setup.start()
    try await expectOneResult(setup, pacs)
    try await second.end()
  }

  private func expectOneResult(_ setup: DaemonSetup, _ pacs: Orthanc) async throws {
    let jobs = try await setup.endedJobs()
    #expect(jobs.map(\.state) == ["completed"], "\(jobs.first?.reason ?? "")")
    try await setup.delivered(within: 900)
    #expect(try await pacs.segmentations() == jobs.compactMap(\.sopInstanceUID))
  }

  private func spooled(_ setup: DaemonSetup) -> Int { sizes(setup).count { $0 > 0 } }

  /// Whether files that were made in advance are left of the last process.
  private func hasEmptyFiles(_ setup: DaemonSetup) -> Bool { sizes(setup).contains(0) }

  private func sizes(_ setup: DaemonSetup) -> [Int] {
    let spool = setup.state.appendingPathComponent("spool")
    let files = FileManager.default.enumerator(atPath: spool.path)
    return (files?.compactMap { $0 as? String } ?? []).filter { $0.hasSuffix(".dcm") }
      .compactMap { FileStatus(spool.appendingPathComponent($0).path)?.size }
  }
}
