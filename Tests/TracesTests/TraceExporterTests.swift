import Clocks
import Foundation
import JobLedger
import Logging
import Synchronization
import TestSupport
import Testing
import WebClient

@testable import Traces

/// Spans on their way to a receiver that reads them by OpenTelemetry's definition.
@Suite struct TraceExporterTests {
  private let folder: TemporaryFolder
  private let ledger: Ledger

  init() throws {
    folder = try TemporaryFolder()
    ledger = try Ledger(path: folder.url.appendingPathComponent("ledger.sqlite").path)
  }

  private func exporter(
    _ url: String, token: String? = nil, seconds: Int = 20, waiting: Int64 = 1000, atOnce: Int = 100
  ) throws -> TraceExporter {
    let file = try token.map { token in
      let path = folder.url.appendingPathComponent(UUID().uuidString).path
      try token.write(toFile: path, atomically: true, encoding: .utf8)
      return path
    }
    var limits = TraceExporter.Limits()
    limits.waitingEvents = waiting
    limits.eventsAtOnce = atOnce
    limits.pause = 0.1
    return TraceExporter(
      ledger: ledger, receiver: JSONService(url: url, tokenFile: file, timeoutSeconds: seconds),
      resource: TraceResource(installation: "SEG", host: "pc", version: "1.2.3"),
      stages: ["reading", "network", "proof"], limits: limits, logger: Logger(label: "test"))
  }

  /// A series that came and whose job was computed.
  private func segment(_ series: String) throws {
    for number in 0..<2 {
      _ = try ledger.recordInstance(
        InstanceRecord(
          studyInstanceUID: "1.2", seriesInstanceUID: series, sopInstanceUID: "\(series).\(number)",
          sopClassUID: "1.2.840.10008.5.1.4.1.1.2", modality: "CT",
          transferSyntaxUID: "1.2.840.10008.1.2.1", spoolPath: "spool/\(UUID().uuidString).dcm",
          byteCount: 1000, contentHash: String(repeating: "a", count: 63) + "\(number)",
          source: .listener, callingAETitle: "CT1"))
    }
    let due = try #require(
      try ledger.seriesDue(quietPeriod: 0).first { $0.seriesInstanceUID == series })
    try ledger.assembleSeries(due, jobs: [NewJob(model: "m")])
    let job = try #require(try ledger.claimJob())
    try ledger.holdJob(
      job.id, reason: "x", run: JobRun(seconds: ["reading": 0.25, "network": 0.5, "total": 0.8]))
  }

  /// Sends until nothing waits.
  private func sendAll(_ exporter: TraceExporter) async throws {
    while try await exporter.sendNext() {}
  }

  @Test func aReceiverTakesThem() async throws {
    let receiver = try await TraceReceiver()
    let url = "http://127.0.0.1:\(receiver.port)/v1/traces"
    let exporter = try exporter(url)
    // What was before is not sent.
    let began = Date().timeIntervalSince1970
    try segment("1.2.1")
    try await sendAll(exporter)
    #expect(receiver.answers.isEmpty)
    try segment("1.2.3")
    try await sendAll(exporter)
    #expect(receiver.faults == [] && receiver.answers == [200])
    let spans = receiver.spans
    #expect(
      spans.map(\.name) == ["receive", "assemble", "wait", "attempt", "reading", "network"])
    #expect(Set(spans.map(\.trace)) == [Span.trace(ofStudy: "1.2")])
    let root = try #require(spans.first)
    let attempt = try #require(spans.first { $0.name == "attempt" })
    #expect(root.parent == nil && attempt.parent == root.id)
    #expect(spans.suffix(2).allSatisfy { $0.parent == attempt.id })
    #expect(
      root.attributes == [
        "segmentd.study": "1.2", "segmentd.series": "1.2.3", "segmentd.instances": "2",
        "segmentd.bytes": "2000",
      ])
    #expect(attempt.attributes["segmentd.outcome"] == "held")
    #expect(
      root.resource == [
        "service.name": "segmentd", "service.version": "1.2.3", "service.instance.id": "SEG",
        "host.name": "pc",
      ])
    for span in spans {
      #expect(span.start <= span.end && span.end <= Date().timeIntervalSince1970 + 1)
      #expect(span.end >= began - 1)
    }
    #expect(exporter.counts.sent == 6 && exporter.counts.dropped == 0)
    // Nothing is sent twice, also not by the next process.
    try await sendAll(try self.exporter(url))
    #expect(receiver.answers == [200])
    #expect(
      try await TraceExporter.check(
        JSONService(url: url, timeoutSeconds: 20),
        TraceResource(installation: "SEG", host: "pc", version: "1")
      ).contains("takes traces"))
    try await receiver.stop()
  }

  private func status(_ exporter: TraceExporter) async -> Int? {
    do {
      try await sendAll(exporter)
      return nil
    } catch {
      guard case .refused(_, let code, _)? = error as? ServiceError else { return 0 }
      return code
    }
  }

  /// What is not taken is sent later, what will never be taken is left out, and too much is.
  @Test func aReceiverThatDoesNot() async throws {
    let receiver = try await TraceReceiver()
    let base = "http://127.0.0.1:\(receiver.port)"
    let busy = try exporter(base + "/busy")
    #expect(await status(busy) == nil)
    try segment("1.2.3")
    #expect(await status(busy) == 503)
    #expect(busy.counts.sent == 0 && busy.counts.dropped == 0 && busy.counts.waitingEvents > 0)
    #expect(await status(try exporter(base + "/secret/v1/traces", token: "wrong")) == 401)
    #expect(await status(try exporter("http://127.0.0.1:1/v1/traces")) == 0)
    #expect(receiver.spans.isEmpty)
    let admitted = try exporter(base + "/secret/v1/traces", token: "token")
    #expect(await status(admitted) == nil)
    #expect(receiver.spans.count == 6 && admitted.counts.sent == 6)

    try segment("1.2.4")
    let never = try exporter(base + "/never")
    #expect(await status(never) == nil)
    #expect(never.counts.dropped == 6 && never.counts.sent == 0)

    // A success may leave some out: they are not sent again either.
    try segment("1.2.41")
    let partial = try exporter(base + "/partial")
    #expect(await status(partial) == nil)
    #expect(partial.counts.sent == 4 && partial.counts.dropped == 2)

    // Of three more series only what the last events tell waits.
    for number in 5...7 { try segment("1.2.\(number)") }
    let short = try exporter(base + "/busy", waiting: 3, atOnce: 2)
    #expect(await status(short) == 503)
    let dropped = short.counts.dropped
    #expect(dropped > 0 && short.counts.waitingEvents <= 3, "\(short.counts)")
    let last = try exporter(base + "/v1/traces")
    #expect(await status(last) == nil)
    #expect(last.counts.sent + dropped == 18 && last.counts.sent > 0)
    try await receiver.stop()
  }

  @Test(arguments: [
    ("{}", 0, ""), ("", 0, ""), ("<html>", 0, ""), (#"{"partialSuccess": {}}"#, 0, ""),
    (#"{"partialSuccess": {"rejectedSpans": "3", "errorMessage": "too\nold"}}"#, 3, "tooold"),
    (#"{"partialSuccess": {"rejectedSpans": 3}}"#, 3, ""),
    (#"{"partialSuccess": {"errorMessage": "slow down"}}"#, 0, "slow down"),
    (#"{"partialSuccess": {"rejectedSpans": "many"}}"#, 0, ""),
  ]) func whatASuccessLeavesOut(text: String, rejected: Int, message: String) {
    let partial = PartialSuccess(Data(text.utf8))
    #expect(partial.rejectedSpans == rejected && partial.message == message)
  }

  /// A receiver that is slow holds up nothing, and the end of the process does not wait for it: it answers after an
  /// hour, longer than a test may take.
  @Test(.timeLimit(.minutes(20))) func aSlowReceiver() async throws {
    let receiver = try await TraceReceiver()
    let exporter = try exporter("http://127.0.0.1:\(receiver.port)/slow", seconds: 3600)
    #expect(try await !exporter.sendNext())
    try segment("1.2.3")
    let run = Task { try await exporter.run() }
    try await waitUntil("the request", within: 900) { receiver.hasSlowRequest }
    try segment("1.2.4")
    run.cancel()
    _ = await run.result
    #expect(exporter.counts.sent == 0 && exporter.counts.dropped == 0)
    try await receiver.stop()
  }
}
