import FileSystem
import Foundation
import TestSupport
import Testing

/// `segmentd purge` and the daemon's own retention, with a real archive.
@Suite(.serialized, .limitedConcurrency) struct PurgeTests {
  private struct Report: Decodable, Equatable {
    struct Item: Decodable, Equatable {
      var kind: String
      var rule: String
      var files: Int
      var bytes: Int
    }
    var items: [Item]
    var bytes: Int
  }

  private static let section =
    "retention: {originals: {completedDays: 0, unusedDays: 0}, results: {currentDays: 0}, events: {days: 200}}"

  /// Sends a series whose result the archive has, and returns its study.
  private func deliver(_ setup: DaemonSetup) async throws -> String {
    let series = setup.folder.url.appendingPathComponent("series")
    let uids = try await makeSeries(at: series)
    #expect(try await setup.send(series).status == 0)
    #expect(try await setup.endedJobs().map(\.state) == ["completed"])
    try await setup.delivered()
    // It is one of the files of the result.
    let note = setup.state.appendingPathComponent("results/1/result.json")
    try await waitUntil("the note of the result") {
      guard let text = try? String(contentsOf: note, encoding: .utf8) else { return false }
      return text.contains("\"destination\":\"pacs\"")
    }
    return uids.study
  }

  private func purge(_ setup: DaemonSetup, _ options: String...) async throws -> ProcessResult {
    try await runProcess(
      segmentdBinary, ["purge", "--config", setup.configuration] + options)
  }

  private func report(_ result: ProcessResult) throws -> Report {
    #expect(result.status == 0, "\(result.output)")
    return try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
  }

  private func isSound(_ setup: DaemonSetup) async throws -> String {
    let check = try await segmentd("ledger", "check", "--config", setup.configuration)
    #expect(check.status == 0, "\(check.output)")
    return check.output
  }

  /// Appends the rules to the configuration.
  private func setRules(_ setup: DaemonSetup) throws {
    let text = try String(contentsOfFile: setup.configuration, encoding: .utf8)
    try "\(text)\n\(Self.section)\n".write(
      toFile: setup.configuration, atomically: true, encoding: .utf8)
  }

  /// With the daemon up: the preview, the purge, and the study once more.
  @Test func purgeBesideADaemon() async throws {
    let setup = try DaemonSetup()
    let pacs = try await Orthanc(dicomPort: setup.destinationPort)
    let daemon = try await setup.start()
    let study = try await deliver(setup)
    let nothing = try await purge(setup)
    #expect(nothing.status == 0 && nothing.output.contains("no rule of retention:"))

    // The daemon goes by the configuration it began with.
    try setRules(setup)
    let before = setup.spooledFiles().count
    let preview = try report(try await purge(setup, "--dry-run", "--json"))
    #expect(preview.items.map(\.kind) == ["originals", "results"] && preview.items[0].files == 16)
    #expect(setup.spooledFiles().count == before)
    let text = try await purge(setup, "--dry-run", "--list")
    #expect(text.output.contains("would be purged: series "), "\(text.output)")
    #expect(try report(try await purge(setup, "--json")) == preview)
    #expect(setup.spooledFiles().isEmpty)
    #expect(FileStatus(setup.state.appendingPathComponent("results/1").path) == nil)
    _ = try await isSound(setup)
    #expect(try await purge(setup).output == "nothing purged\n")

    let story = try await segmentd("explain", "--config", setup.configuration, "--study", study)
    #expect(story.output.contains("its originals were purged, 16 files"), "\(story.output)")
    #expect(story.output.contains("retention.originals.completedDays: 0"))
    #expect(story.output.contains("; its originals were purged at 20"))
    #expect(story.output.contains("the files of its result were purged at 20"))

    // The study comes again: its originals are kept again, and the archive gets nothing twice.
    #expect(try await setup.send(setup.folder.url.appendingPathComponent("series")).status == 0)
    #expect(setup.spooledFiles().count == 16)
    #expect(
      try await segmentd("reprocess", "--config", setup.configuration, "--study", study).status == 0
    )
    #expect(try await setup.endedJobs(2).map(\.state) == ["completed", "completed"])
    #expect(try await pacs.segmentations().count == 1)
    _ = try await isSound(setup)
    try await daemon.end()
    try await pacs.stop()
  }

  /// The daemon does so by itself, and not before the archive has the result.
  @Test func theDaemonPurgesByItself() async throws {
    let setup = try DaemonSetup(more: Self.section)
    var daemon = try await setup.start()
    let series = setup.folder.url.appendingPathComponent("series")
    try await makeSeries(at: series)
    #expect(try await setup.send(series).status == 0)
    #expect(try await setup.endedJobs().map(\.state) == ["completed"])
    try await daemon.end()
    // Nothing was delivered: the archive is not there.
    daemon = try await setup.start()
    #expect(try report(try await purge(setup, "--json")).items.isEmpty)
    let pacs = try await Orthanc(dicomPort: setup.destinationPort)
    #expect(
      try await segmentd(
        "jobs", "retry", "--config", setup.configuration, "--state", "completed"
      ).status == 0)
    try await setup.delivered()
    #expect(setup.spooledFiles().count == 16)
    try await daemon.end()

    daemon = try await setup.start()
    try await waitUntil("the purge", within: 900) { setup.spooledFiles().isEmpty }
    try await waitUntil("its end", within: 900) {
      FileStatus(setup.state.appendingPathComponent("results/1").path) == nil
    }
    try await daemon.end()
    #expect(daemon.output.contains("purged originals: 16 files"), "\(daemon.output)")
    _ = try await isSound(setup)
    try await pacs.stop()
  }

  /// Killed at the first, a middle and the last removal of a file.
  @Test(
    .enabled(if: SystemCalls.canBeTraced, "\(SystemCalls.cannotBeTraced)"),
    arguments: [1, 9, 16])
  func aPurgeThatIsKilledIsFinished(at removal: Int) async throws {
    let setup = try DaemonSetup()
    let pacs = try await Orthanc(dicomPort: setup.destinationPort)
    let daemon = try await setup.start()
    _ = try await deliver(setup)
    try await daemon.end()
    try setRules(setup)
    let killed = try await runProcess(
      "/usr/bin/strace",
      [
        "-f", "-qq", "-o", "/dev/null", "-e", "trace=unlink", "-e",
        "inject=unlink:signal=KILL:when=\(removal)",
      ] + [segmentdBinary, "purge", "--config", setup.configuration])
    #expect(killed.status != 0, "\(killed.output)")
    let left = setup.spooledFiles().count
    #expect(left >= 0 && left <= 16)
    let during = try await isSound(setup)
    #expect(during.contains("purged files are being removed"), "\(during)")

    // The next one finishes it, and does what is left.
    #expect(try await purge(setup).status == 0)
    #expect(setup.spooledFiles().isEmpty)
    #expect(FileStatus(setup.state.appendingPathComponent("results/1").path) == nil)
    #expect(try await !isSound(setup).contains("are being removed"))
    try await pacs.stop()
  }
}
