import Foundation
import TestSupport
import Testing

/// Traces of a daemon, at a receiver that reads them by OpenTelemetry's definition.
@Suite(.limitedConcurrency) struct TraceTests {
  private func metrics(_ port: Int) async throws -> String {
    try await runProcess(
      "/usr/bin/curl", ["-sSf", "--noproxy", "*", "http://127.0.0.1:\(port)/metrics"]
    ).output
  }

  /// What it waited for and how long each stage took, and later also what ended while the receiver was down.
  @Test func tracesOfStudies() async throws {
    var receiver = try await TraceReceiver()
    let port = try freePort()
    let setup = try DaemonSetup(
      more: """
        web: {port: \(port)}
        tracing: {url: "http://127.0.0.1:\(receiver.port)/v1/traces"}
        """)
    let doctor = try await segmentd("doctor", "--config", setup.configuration, "--json")
    #expect(doctor.output.contains("takes traces"), "\(doctor.output)")
    let orthanc = try await Orthanc(dicomPort: setup.destinationPort)
    let daemon = try await setup.start()
    let first = setup.folder.url.appendingPathComponent("first")
    let (study, series) = try await makeSeries(at: first, "--slices", "8")
    #expect(try await setup.send(first).status == 0)
    try await waitUntil("the span of the delivery") {
      receiver.spans.contains { $0.name == "deliver" && !$0.isError }
    }
    #expect(receiver.faults == [])
    let spans = receiver.spans
    let names = spans.map(\.name)
    for name in [
      "receive", "assemble", "wait", "attempt", "reading", "decoding", "preprocessing", "network",
      "labels", "writing", "proof", "deliver",
    ] { #expect(names.filter { $0 == name }.count == 1, "\(name): \(names)") }
    #expect(Set(spans.map(\.trace)).count == 1 && Set(spans.map(\.id)).count == spans.count)
    let digest = try await runProcess(
      "/bin/bash", ["-c", "printf 'trace\\n%s' \(study) | sha256sum | head -c 32"]
    ).output
    #expect(spans.first?.trace == digest)
    let root = try #require(spans.first { $0.name == "receive" })
    let attempt = try #require(spans.first { $0.name == "attempt" })
    #expect(root.attributes["segmentd.instances"] == "8")
    for span in spans {
      #expect(span.attributes["segmentd.study"] == study)
      #expect(span.attributes["segmentd.series"] == series)
      #expect(span.parent == nil || [root.id, attempt.id].contains(span.parent))
      #expect(span.start <= span.end && span.start >= root.start)
      // The stages as far as the attempt is long, to which a nanosecond is nothing.
      if span.parent == attempt.id { #expect(span.end <= attempt.end + 1e-3) }
    }
    let assemble = try #require(spans.first { $0.name == "assemble" })
    #expect(assemble.start == root.end && assemble.end - assemble.start >= 1)
    // The receiver says what it has before it answers.
    try await waitUntil("the number of spans") {
      try await metrics(port).contains(
        "segmentd_trace_spans_total{outcome=\"sent\"} \(spans.count)\n")
    }

    // Nothing waits for a receiver that is down, and it gets what it missed.
    let receiverPort = receiver.port
    try await receiver.stop()
    let second = setup.folder.url.appendingPathComponent("second")
    try await makeSeries(at: second, "--slices", "8", "--seed", "9")
    #expect(try await setup.send(second).status == 0)
    try await waitUntil("the delivery of the second") {
      let jobs = try await setup.jobs()
      return jobs.count == 2 && jobs.allSatisfy { $0.deliveries.first?.state == "delivered" }
    }
    try await waitUntil("a failure to send") { daemon.output.contains("traces are not sent") }
    #expect(try await !metrics(port).contains("segmentd_trace_events_waiting 0\n"))
    receiver = try await TraceReceiver(port: receiverPort)
    try await waitUntil("the spans of the second") {
      receiver.spans.contains { $0.name == "deliver" }
    }
    #expect(receiver.spans.filter { $0.name == "receive" }.count == 1)
    #expect(receiver.spans.allSatisfy { $0.trace != digest } && receiver.faults == [])
    #expect(try await metrics(port).contains("segmentd_trace_spans_total{outcome=\"dropped\"} 0\n"))
    try await receiver.stop()
    try await orthanc.stop()
    #expect(try await daemon.end() == 0)
  }
}
