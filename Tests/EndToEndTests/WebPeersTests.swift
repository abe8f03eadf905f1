import Foundation
import TestSupport
import Testing

/// Requests that are not as they should be: each is answered, and costs what the limits say.
@Suite(.serialized, .limitedConcurrency) struct WebPeersTests {
  private func post(
    _ web: WebStore, _ type: String, _ file: URL, path: String = "/studies", _ more: String...
  ) async throws -> (code: Int, text: String) {
    let result = try await runProcess(
      "/usr/bin/curl",
      [
        "-sS", "-i", "-w", "\n%{http_code}", "-H", "Content-Type: \(type)", "--data-binary",
        "@\(file.path)",
      ] + more + ["\(web.url)\(path)"])
    let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false)
    return (Int(lines.last ?? "") ?? 0, result.output)
  }

  @Test func oddRequestsAreAnswered() async throws {
    let web = try WebStore()
    let files = try await web.series(slices: 1)
    let daemon = try await web.start()
    let related = #"multipart/related; type="application/dicom"; boundary="#
    for (type, path, code) in [
      ("application/dicom+json", "/studies", 415),
      (#"multipart/related; type="application/dicom+json"; boundary=b"#, "/studies", 415),
      ("text/plain", "/studies", 415), (related, "/studies", 400),
      (related + String(repeating: "b", count: 129), "/studies", 400),
      (related + "b", "/studies", 400), ("application/dicom", "/studies/1.2.3", 409),
      ("application/dicom", "/studies/..%2f..%2fetc", 400),
      ("application/dicom", "/studies/1..2", 400), ("application/dicom", "/instances", 404),
      ("application/dicom", "/studies/1.2/series", 404),
    ] {
      let answer = try await post(web, type, files[0], path: path)
      #expect(answer.code == code, "\(type) \(path): \(answer)")
    }
    let zipped = try await post(
      web, "application/dicom", files[0], path: "/studies", "-H", "Content-Encoding: gzip")
    #expect(zipped.code == 415)
    #expect(try await web.curl().code == 404)
    // What is no object at all, and an object of a class that is not stored.
    let text = web.setup.folder.url.appendingPathComponent("text")
    try Data("hello".utf8).write(to: text)
    let noObject = try await post(web, "application/dicom", text)
    #expect(noObject.code == 409 && noObject.text.contains("\"0008119A\""), "\(noObject)")
    let change = """
      import sys, pydicom
      d = pydicom.dcmread(sys.argv[1])
      d.SOPClassUID = d.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
      d.save_as(sys.argv[2])
      """
    let report = web.setup.folder.url.appendingPathComponent("report").path
    #expect(
      try await runProcess(testPython, ["-c", change, files[0].path, report]).status == 0)
    let other = try await post(web, "application/dicom", URL(fileURLWithPath: report))
    #expect(other.code == 409 && other.text.contains("[290]"), "\(other)")
    #expect(web.setup.spooledFiles().isEmpty)
    #expect(try await daemon.end() == 0)
  }

  @Test func limits() async throws {
    let web = try WebStore(
      ", limits: {headerSeconds: 2, bodySeconds: 2, objectGB: 0.0001}")
    let files = try await web.series(slices: 4)
    let daemon = try await web.start()
    #expect(try await web.send("head", files).status == 408)
    #expect(try await web.send("silence", files).status == 408)
    let large = web.setup.folder.url.appendingPathComponent("large")
    try (Data(contentsOf: files[0]) + Data(count: 200_000)).write(to: large)
    #expect(try await inTime { try await post(web, "application/dicom", large).code } == 413)
    let chunked = try await inTime {
      try await post(
        web, "application/dicom", large, path: "/studies", "-H", "Transfer-Encoding: chunked"
      ).code
    }
    #expect(chunked == 413)
    #expect(try await daemon.end() == 0)
  }

  /// The answer of a server that waits for two seconds: a busy machine may keep curl from sending for as long, now and
  /// then.
  private func inTime(_ ask: () async throws -> Int) async throws -> Int {
    for _ in 1...20 {
      let code = try await ask()
      if code != 408 { return code }
    }
    return 408
  }

  @Test func anObjectThatNeverEnds() async throws {
    let web = try WebStore(", limits: {objectSeconds: 4}")
    let files = try await web.series(slices: 2)
    let daemon = try await web.start()
    // A byte each second is silence for nobody, and too slow for an object.
    let drip = try await web.send("drip", files)
    #expect(drip.status == 408 || drip.status == 0, "\(drip)")
    try await waitUntil("the end of the request") {
      daemon.output.contains("an object takes longer than 4 s")
    }
    #expect(try await daemon.end() == 0)
  }

  @Test func aDiskAtItsReserve() async throws {
    let web = try WebStore(", limits: {diskReserveGB: 1000000}")
    let files = try await web.series(slices: 1)
    let daemon = try await web.start()
    let answer = try await post(web, "application/dicom", files[0])
    #expect(answer.code == 503 && answer.text.lowercased().contains("retry-after: 30"))
    #expect(answer.text.contains("no space left but the reserve"))
    #expect(try await daemon.end() == 0)
  }

  @Test func aLockedLedger() async throws {
    let web = try WebStore()
    let files = try await web.series(slices: 1)
    let daemon = try await web.start()
    let script = """
      import sqlite3, sys, time
      ledger = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
      ledger.execute("BEGIN IMMEDIATE")
      print("ready", flush=True)
      time.sleep(600)
      """
    let lock = try ChildProcess(
      testPython, ["-c", script, web.setup.state.appendingPathComponent("ledger.sqlite").path],
      log: web.setup.folder.url.appendingPathComponent("lock"))
    try await waitUntil("the lock") { lock.output.contains("ready") }
    let locked = try await post(web, "application/dicom", files[0])
    #expect(locked.code == 503 && locked.text.lowercased().contains("retry-after: 30"), "\(locked)")
    // 0xA700 for the instance.
    #expect(locked.text.contains("42752"), "\(locked)")
    try await lock.end(SIGKILL)
    #expect(try await post(web, "application/dicom", files[0]).code == 200)
    #expect(try await daemon.end() == 0)
  }

  @Test func tooManyRequests() async throws {
    let web = try WebStore(", limits: {requests: 1}")
    let files = try await web.series(slices: 2)
    let daemon = try await web.start()
    let sender = try await web.leaveOpen("silence", files)
    try await waitUntil("an instance") { !web.setup.spooledFiles().isEmpty }
    let answer = try await post(web, "application/dicom", files[0])
    #expect(answer.code == 503 && answer.text.lowercased().contains("retry-after: 30"))
    try await sender.end(SIGKILL)
    try await waitUntil("room for another request") {
      try await post(web, "application/dicom", files[0]).code == 200
    }
    #expect(try await daemon.end() == 0)
  }

  /// A port that others could reach without proof is opened neither by the daemon nor by the check.
  @Test func openDoorsAreRefused() async throws {
    for (web, words) in [
      (", address: 0.0.0.0", "web.tls: missing"),
      (#", address: "::", tls: {certificate: a, key: b}"#, "have to prove who they are"),
      (", users: [{name: a, passwordHash: secret}]", "not a hash"),
    ] {
      let web = try WebStore(web)
      let check = try await segmentd("config", "check", "--config", web.setup.configuration)
      #expect(check.status != 0 && check.output.contains(words), "\(check.output)")
      let serve = try await segmentd("serve", "--config", web.setup.configuration)
      #expect(serve.status != 0 && serve.output.contains(words), "\(serve.output)")
    }
  }

  @Test func aPortThatIsTaken() async throws {
    let first = try WebStore()
    let daemon = try await first.start()
    let second = try DaemonSetup(
      more: "web: {port: \(first.port), stow: true}", hasDestination: false)
    let serve = try await segmentd("serve", "--config", second.configuration)
    #expect(serve.status != 0)
    #expect(
      serve.output.contains("cannot listen for HTTP on 127.0.0.1:\(first.port)"), "\(serve.output)")
    #expect(try await daemon.end() == 0)
  }
}
