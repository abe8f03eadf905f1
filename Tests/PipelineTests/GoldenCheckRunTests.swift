import ConfigurationFile
import DICOMNetwork
import Foundation
import Ingest
import JobLedger
import Logging
import Segmentation
import TestSupport
import Testing

@testable import Pipeline

/// When golden checks are due, and what is made of their labels.
@Suite struct GoldenCheckRunTests {
  private func schedule(_ hour: Int) throws -> NightlySchedule {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = try #require(TimeZone(identifier: "Europe/Berlin"))
    return NightlySchedule(hour: hour, calendar: calendar)
  }

  private func date(_ text: String) throws -> Date { try Date(text, strategy: .iso8601) }

  @Test func itIsDueOnceANight() throws {
    let schedule = try schedule(2)
    // 02:00 in Berlin is 01:00 UTC in winter.
    let begin = try date("2026-01-10T01:00:00Z")
    #expect(schedule.isDue(at: begin, last: nil))
    #expect(
      schedule.isDue(at: begin.addingTimeInterval(1), last: begin.addingTimeInterval(-86_400)))
    #expect(!schedule.isDue(at: begin.addingTimeInterval(1), last: begin))
    #expect(!schedule.isDue(at: begin.addingTimeInterval(-1), last: nil))
    // A daemon that starts in the night makes up for it, one that starts by day does not.
    #expect(schedule.isDue(at: begin.addingTimeInterval(5 * 3600), last: nil))
    #expect(!schedule.isDue(at: begin.addingTimeInterval(6 * 3600), last: nil))
    #expect(schedule.isDue(at: begin.addingTimeInterval(86_400), last: begin))
    #expect(try self.schedule(0).isDue(at: try date("2026-01-09T23:00:00Z"), last: nil))
  }

  /// The hour that the clock skips in spring, and the one that it shows twice in autumn.
  @Test func itIsDueOnceInTheNightsOfTheClockChange() throws {
    let schedule = try schedule(2)
    for day in ["2026-03-29", "2026-10-25"] {
      var last: Date?
      var count = 0
      let midnight = try date("\(day)T00:00:00Z").addingTimeInterval(-2 * 3600)
      last = midnight.addingTimeInterval(-20 * 3600)
      for minute in stride(from: 0, to: 20 * 60, by: 10) {
        let now = midnight.addingTimeInterval(Double(minute) * 60)
        guard schedule.isDue(at: now, last: last) else { continue }
        last = now
        count += 1
      }
      #expect(count == 1, "\(day)")
    }
  }

  @Test func labelsAreComparedWithWhatIsRecorded() throws {
    let folder = try TemporaryFolder()
    let golden = folder.url.appendingPathComponent("golden")
    let series = golden.appendingPathComponent("series")
    #expect(try GoldenCase(ofBundle: folder.url) == nil)
    try FileManager.default.createDirectory(at: series, withIntermediateDirectories: true)
    #expect(throws: GoldenCaseError.self) { try GoldenCase(ofBundle: folder.url) }
    try Data([1]).write(to: series.appendingPathComponent("1.dcm"))
    let bundle = try ModelBundle.load(
      at: TestFiles.fixtures.appendingPathComponent("models/untrained-tiny"))
    let hash = String(repeating: "0a", count: 32)
    func verdict() throws -> GoldenCheckResult {
      GoldenCheckRun.verdict(
        on: hash, try #require(try GoldenCase(ofBundle: folder.url)), bundle, after: .seconds(2))
    }
    #expect(try verdict().outcome == .omitted && verdict().message.contains(hash))
    let file = golden.appendingPathComponent("labels.sha256")
    try "\(hash)\n".write(to: file, atomically: true, encoding: .utf8)
    #expect(try verdict().outcome == .passed)
    try "\(String(repeating: "0b", count: 32))\n".write(to: file, atomically: true, encoding: .utf8)
    #expect(try verdict().outcome == .failed)
    try "0B\n".write(to: file, atomically: true, encoding: .utf8)
    #expect(throws: GoldenCaseError.self) { try verdict() }
  }

  @Test func titlesCannotBeGuessed() {
    let titles = Set((0..<100).map { _ in GoldenCheckRun.newTitle() })
    #expect(titles.count == 100 && titles.allSatisfy { $0.utf8.count == 16 })
  }

  /// The daemon is admitted by a listener of its own that asks for certificates.
  @Test func theListenersCertificateIsShownToItself() async throws {
    let folder = try TemporaryFolder()
    let file = folder.url.appendingPathComponent("segmentd.yaml")
    let port = try freePort()
    try """
    listener:
      port: \(port)
      callingAETitles: [CT1]
      tls: {certificate: \(await Certificates.file("server.pem")),
        key: \(await Certificates.file("server.key")), clientCertificates: require,
        trusted: \(await Certificates.file("ca.pem"))}
    """.write(to: file, atomically: true, encoding: .utf8)
    let settings = try #require(try SiteConfiguration.load(file.path).checkedListener)
    let state = try StateDirectory(path: folder.url.appendingPathComponent("state").path)
    let logger = Logger(label: "test")
    let check = CheckReception(listeners: [settings.address], logger: logger)
    let ledger = try Ledger(path: state.ledger.path)
    let listener = try Listener(
      [
        StorageSCPConfiguration(
          address: settings.address, port: port, folder: state.incoming.path,
          policy: AssociationPolicy(settings, diskReserve: 0), security: settings.tls?.security)
      ],
      intake: Intake(
        state: state, ledger: ledger, receptions: ReceptionLog(ledger: ledger, logger: logger),
        logger: logger), check: check, logger: logger)
    let peer = Peer(checking: settings, tls: nil)
    let title = GoldenCheckRun.newTitle()
    await #expect(throws: DICOMNetworkError.self) {
      try await StorageSCU(callingAETitle: title).echo(peer)
    }
    try check.begin(title: title, in: try StateDirectory(path: state.goldenCheck.path))
    try await StorageSCU(callingAETitle: title).echo(peer)
    await listener.stop()
  }
}
