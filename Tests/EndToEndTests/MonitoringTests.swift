import Foundation
import TestSupport
import Testing

/// What Prometheus, supervisors and load balancers ask a daemon.
@Suite(.limitedConcurrency) struct MonitoringTests {
  private static let promtool = URL(fileURLWithPath: testPython).deletingLastPathComponent()
    .appendingPathComponent("promtool").path

  private func check(_ arguments: String...) async throws {
    let result = try await runProcess(Self.promtool, ["check"] + arguments)
    #expect(result.status == 0, "\(result.output)")
  }

  @Test func metricsOfAWorkingDaemon() async throws {
    let web = try WebStore()
    let files = try await web.series()
    let daemon = try await web.start()
    try await waitUntil("readiness") { try await page(web, "/readyz").code == 200 }
    #expect(try await page(web, "/healthz") == (200, "ok\n"))
    #expect(try await web.store(files).status == 200)
    _ = try await web.setup.endedJobs()
    let refused = try await web.curl(
      "/studies", "-H", "Content-Type: application/dicom", "--data-binary", "no DICOM")
    #expect(refused.code == 409, "\(refused)")
    let (code, text) = try await page(web, "/metrics")
    #expect(code == 200)
    let lines = Set(text.split(separator: "\n").map(String.init))
    for line in [
      "segmentd_ready 1", "segmentd_studies{state=\"done\"} 1",
      "segmentd_jobs{state=\"completed\"} 1",
      "segmentd_instances_received_total{source=\"listener\"} 8",
      "segmentd_associations_total{outcome=\"released\"} 2",
      "segmentd_stage_seconds_count{model=\"untrained-tiny\",stage=\"total\"} 1",
      "segmentd_processing_paused 0",
    ] { #expect(lines.contains(line), "\(line) is not in\n\(text)") }
    let file = web.setup.folder.url.appendingPathComponent("metrics")
    try text.write(to: file, atomically: true, encoding: .utf8)
    let checked = try await runProcess(
      "/bin/bash", ["-c", "'\(Self.promtool)' check metrics < '\(file.path)'"])
    #expect(checked.status == 0 && checked.output.isEmpty, "\(checked.output)")
    // Neither UIDs nor anything of the patient.
    let study = try await web.value("StudyInstanceUID", of: files[0])
    let patient = try await web.value("PatientID", of: files[0])
    for value in [study, patient, "2.25."] { #expect(!text.contains(value)) }
    #expect(try await segmentd("pause", "--config", web.setup.configuration).status == 0)
    #expect(try await page(web, "/metrics").text.contains("segmentd_processing_paused 1"))
    #expect(try await daemon.end() == 0)
  }

  /// A probe needs no token; metrics do.
  @Test func whoMayAsk() async throws {
    let hash = try await runProcess(
      "/bin/bash", ["-c", "echo 'secret-token' | \(segmentdBinary) config hash-password"]
    ).output.trimmingCharacters(in: .newlines)
    let web = try WebStore(", tokens: [{name: prometheus, tokenHash: \"\(hash)\"}]")
    let daemon = try await web.start()
    #expect(try await page(web, "/healthz").code == 200)
    #expect([200, 503].contains(try await page(web, "/readyz").code))
    #expect(try await page(web, "/metrics").code == 401)
    #expect(try await page(web, "/metrics", "-H", "Authorization: Bearer wrong").code == 401)
    #expect(try await page(web, "/metrics", "-H", "Authorization: Bearer secret-token").code == 200)
    #expect(try await daemon.end() == 0)
  }

  @Test func alertRulesAreValid() async throws {
    try await check(
      "rules", TestFiles.package.appendingPathComponent("Config/prometheus-alerts.yml").path)
  }

  private func page(_ web: WebStore, _ path: String, _ options: String...) async throws
    -> (code: Int, text: String)
  {
    let result = try await runProcess(
      "/usr/bin/curl",
      ["-sS", "-w", "\n%{http_code}", "--noproxy", "*"] + options
        + ["http://127.0.0.1:\(web.port)\(path)"])
    let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false)
    return (Int(lines.last ?? "") ?? 0, lines.dropLast().joined(separator: "\n"))
  }
}
