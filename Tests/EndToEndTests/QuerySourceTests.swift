import Foundation
import TestSupport
import Testing

/// The daemon with an archive that it asks, and `segmentd fetch`.
@Suite(.limitedConcurrency) struct QuerySourceTests {
  private func setup(_ port: Int, _ more: String = "", quiet: Double = 1) throws -> DaemonSetup {
    try DaemonSetup(
      more: "querySource: {aeTitle: PACS, host: 127.0.0.1, port: \(port), \(more)}",
      assembly: "{quietSeconds: \(quiet), incompleteSeconds: \(quiet)}", hasDestination: false)
  }

  private func send(_ files: [URL], to setup: DaemonSetup) async throws {
    let sent = try await runProcess(
      "/usr/bin/storescu", ["-aec", "SEGMENTD", "127.0.0.1", "\(setup.port)"] + files.map(\.path))
    #expect(sent.status == 0, "\(sent.output)")
  }

  /// The sender gives half of a series and releases: the job has all of it.
  @Test(arguments: ["get", "move"]) func whatIsMissingIsRetrieved(retrieve: String) async throws {
    let phantom = try await PhantomSeries(slices: 8)
    let port = try freePort()
    let setup = try setup(port, "retrieve: \(retrieve)")
    let orthanc = try await Orthanc(dicomPort: port, destination: setup.port)
    try await orthanc.upload(phantom.files)
    let daemon = try await setup.start()
    try await send(Array(phantom.files.prefix(5)), to: setup)
    let jobs = try await setup.endedJobs()
    #expect(jobs.map(\.instances) == [8])
    #expect(jobs.map(\.state) == ["completed"], "\(jobs)")
    try await daemon.end()
    try await orthanc.stop()
  }

  @Test func byDICOMweb() async throws {
    let phantom = try await PhantomSeries(slices: 8)
    let orthanc = try await Orthanc(dicomPort: try freePort(), hasDICOMweb: true)
    try await orthanc.upload(phantom.files)
    let setup = try DaemonSetup(
      more: "querySource: {url: \"http://127.0.0.1:\(orthanc.webPort)/dicom-web\"}",
      hasDestination: false)
    let daemon = try await setup.start()
    try await send(Array(phantom.files.prefix(5)), to: setup)
    #expect(try await setup.endedJobs().map(\.instances) == [8])
    let other = try await PhantomSeries(slices: 4)
    try await orthanc.upload(other.files)
    #expect(try await fetch(other, setup).map(\.retrieved) == [4])
    #expect(try await setup.endedJobs(2).map(\.instances).sorted() == [4, 8])
    try await daemon.end()
    try await orthanc.stop()
  }

  /// An archive that is asked by another vendor's rules: no count, but UIDs.
  @Test func anArchiveThatDoesNotCount() async throws {
    let phantom = try await PhantomSeries(slices: 6)
    let archive = try await Dcmqrscp(phantom.files)
    let setup = try setup(archive.port)
    let daemon = try await setup.start()
    try await send(Array(phantom.files.prefix(3)), to: setup)
    let jobs = try await setup.endedJobs()
    #expect(jobs.map(\.instances) == [6])
    try await daemon.end()
    try await archive.stop()
  }

  /// It is held with what is missing, and processed once the archive has it.
  @Test func anArchiveThatDoesNotGiveWhatItLists() async throws {
    let phantom = try await PhantomSeries(slices: 6)
    let archive = try await QueryArchive(phantom.files, "short")
    let setup = try setup(archive.port, "patienceSeconds: 3")
    let daemon = try await setup.start()
    try await send(Array(phantom.files.prefix(3)), to: setup)
    let held = try await setup.endedJobs()
    #expect(held.map(\.state) == ["held"], "\(held)")
    let reason = try #require(held.first?.reason)
    #expect(reason.contains("lists 6 instances of the series"), "\(reason)")
    #expect(reason.contains("are not here"), "\(reason)")
    try await archive.stop()
    let better = try await QueryArchive(phantom.files, port: archive.port)
    try await waitUntil("the new job", within: 900) {
      try await setup.jobs().contains { $0.state == "completed" && $0.instances == 6 }
    }
    try await daemon.end()
    try await better.stop()
  }

  /// A series that was confirmed and grows later makes a new job that supersedes the first.
  @Test func aSeriesThatGrowsAtTheArchive() async throws {
    let phantom = try await PhantomSeries(slices: 8)
    let archive = try await QueryArchive(Array(phantom.files.prefix(6)))
    let setup = try setup(archive.port)
    let daemon = try await setup.start()
    try await send(Array(phantom.files.prefix(6)), to: setup)
    _ = try await setup.endedJobs()
    try archive.add(Array(phantom.files.suffix(2)))
    try await send([phantom.files[6]], to: setup)
    let jobs = try await setup.endedJobs(2)
    #expect(jobs.map(\.instances).sorted() == [6, 8])
    try await daemon.end()
    try await archive.stop()
  }

  @Test(arguments: ["hold", "process"]) func anArchiveThatIsAway(setting: String) async throws {
    let phantom = try await PhantomSeries(slices: 4)
    let setup = try setup(try freePort(), "patienceSeconds: 2, whenUnreachable: \(setting)")
    let daemon = try await setup.start()
    try await send(phantom.files, to: setup)
    let jobs = try await setup.endedJobs()
    #expect(jobs.map(\.state) == [setting == "hold" ? "held" : "completed"])
    let job = try #require(jobs.first)
    #expect(job.verdictReasons.contains { $0.contains("no association with PACS") }, "\(job)")
    try await daemon.end()
  }

  @Test(arguments: ["get", "move"]) func fetchWithoutDaemon(retrieve: String) async throws {
    let phantom = try await PhantomSeries(slices: 5)
    let port = try freePort()
    let setup = try setup(port, "retrieve: \(retrieve)")
    let orthanc = try await Orthanc(dicomPort: port, destination: setup.port)
    try await orthanc.upload(phantom.files)
    let daemon = try await setup.start()
    try await daemon.end()
    let fetched = try await fetch(phantom, setup)
    #expect(fetched.map(\.instances) == [5] && fetched.map(\.retrieved) == [5])
    #expect(try await fetch(phantom, setup).map(\.retrieved) == [0])

    // Originals that are gone come back.
    let files = setup.spooledFiles()
    #expect(files.count == 5)
    for file in files.prefix(3) { try FileManager.default.removeItem(at: file) }
    let reprocessed = try await segmentd(
      "reprocess", "--config", setup.configuration, "--study", phantom.study)
    #expect(reprocessed.status == 0, "\(reprocessed.output)")
    let jobs = try await setup.jobs()
    #expect(jobs.map(\.state) == ["completed"] && jobs.map(\.instances) == [5], "\(jobs)")
    try await orthanc.stop()
  }

  @Test func fetchWithDaemon() async throws {
    let phantom = try await PhantomSeries(slices: 5)
    let archive = try await QueryArchive(phantom.files)
    let setup = try setup(archive.port)
    let daemon = try await setup.start()
    let fetched = try await fetch(phantom, setup)
    #expect(fetched.map(\.retrieved) == [5])
    let jobs = try await setup.endedJobs()
    #expect(jobs.map(\.state) == ["completed"] && jobs.map(\.instances) == [5])
    let unknown = try await segmentd(
      "fetch", "--config", setup.configuration, "--study", "1.2.3.4.5")
    #expect(unknown.status != 0)
    #expect(unknown.output.contains("has no study 1.2.3.4.5"), "\(unknown.output)")
    try await daemon.end()
    try await archive.stop()
  }

  private struct Fetched: Decodable {
    var seriesInstanceUID: String
    var listed: Int?
    var instances: Int
    var retrieved: Int
    var problem: String?
  }

  private func fetch(_ phantom: PhantomSeries, _ setup: DaemonSetup) async throws -> [Fetched] {
    let result = try await segmentd(
      "fetch", "--config", setup.configuration, "--study", phantom.study, "--json")
    #expect(result.status == 0, "\(result.output)")
    // Standard error comes along.
    let lines = result.output.components(separatedBy: "\n")
    let start = try #require(lines.firstIndex(of: "["))
    let end = try #require(lines.lastIndex(of: "]"))
    return try JSONDecoder().decode(
      [Fetched].self, from: Data(lines[start...end].joined(separator: "\n").utf8))
  }
}
