import Foundation
import TestSupport
import Testing

/// Senders of STOW-RS: what they store is as safe as what comes by C-STORE, and processed alike.
@Suite(.serialized, .limitedConcurrency) struct WebStoreTests {
  private static let slices = 8

  private func expectCompleted(_ web: WebStore, jobs count: Int = 1) async throws {
    let jobs = try await web.setup.endedJobs(count)
    #expect(jobs.count == count)
    #expect(jobs.last?.state == "completed", "\(jobs.last?.reason ?? "")")
    #expect(jobs.last?.instances == Self.slices)
  }

  private func expectHeld(_ web: WebStore, _ words: String...) async throws {
    let jobs = try await web.setup.endedJobs()
    #expect(jobs.map(\.state) == ["held"])
    try expect(words, asReasonOf: jobs.last)
  }

  private func expect(_ words: [String], asReasonOf job: JobRow?) throws {
    let reason = try #require(job?.reason)
    for words in words { #expect(reason.contains(words), "\(reason)") }
  }

  /// The last job has every instance, and is completed. Before it come those of what had arrived where the next
  /// request took longer than the quiet period, as on a busy machine.
  private func expectCompletedAtLast(_ web: WebStore) async throws {
    var last: JobRow?
    try await waitUntil("the job of the whole series") {
      last = try await web.setup.endedJobs().last
      return last?.instances == Self.slices
    }
    #expect(last?.state == "completed", "\(last?.reason ?? "")")
  }

  @Test func aSeriesByDicomwebClient() async throws {
    let web = try WebStore()
    let files = try await web.series()
    let daemon = try await web.start()
    let study = try await web.value("StudyInstanceUID", of: files[0])
    let first = try await web.store(files, "study=\(study)")
    #expect(first.status == 200 && first.stored?.count == Self.slices, "\(first)")
    try await expectCompleted(web)
    #expect(try await web.detail().contains("released, 8 stored, 0 refused"))
    // The same again, and by C-STORE: made and done once.
    #expect(try await web.store(files).stored?.count == Self.slices)
    #expect(try await web.setup.send(files[0].deletingLastPathComponent()).status == 0)
    try await Task.sleep(for: .seconds(3))
    try await expectCompleted(web)
    #expect(web.setup.spooledFiles().count == Self.slices)
    #expect(try await daemon.end() == 0)
  }

  @Test func aStudyByOrthanc() async throws {
    let web = try WebStore()
    let files = try await web.series()
    let daemon = try await web.start()
    let orthanc = try await Orthanc(
      dicomPort: try freePort(), hasDICOMweb: true, storesAt: "\(web.url)/")
    try await orthanc.upload(files)
    let answer = try await orthanc.sendByWeb()
    #expect(!answer.contains("HttpError"), "\(answer)")
    try await expectCompleted(web)
    try await orthanc.stop()
    #expect(try await daemon.end() == 0)
  }

  /// A file at a time without parts: chunked, and after 100 Continue; the last with an answer in XML.
  @Test func instancesByCurl() async throws {
    let web = try WebStore(assembly: "{quietSeconds: 4}")
    let files = try await web.series()
    let daemon = try await web.start()
    for file in files.dropLast(2) {
      let answer = try await web.curl(
        "/studies", "-H", "Content-Type: application/dicom", "-H", "Transfer-Encoding: chunked",
        "--data-binary", "@\(file.path)")
      #expect(answer.code == 200 && answer.text.contains("\"00081199\""), "\(answer)")
    }
    let waits = try await web.curl(
      "/studies", "-v", "-H", "Content-Type: application/dicom", "-H", "Expect: 100-continue",
      "--data-binary", "@\(files[6].path)")
    #expect(waits.code == 200 && waits.text.contains("100 Continue"), "\(waits)")
    let xml = try await web.curl(
      "/studies", "-i", "-H", "Content-Type: application/dicom", "-H",
      "Accept: application/dicom+xml", "--data-binary", "@\(files[7].path)")
    #expect(xml.code == 200 && xml.text.contains("keyword=\"ReferencedSOPSequence\""), "\(xml)")
    try await expectCompletedAtLast(web)
    #expect(try await daemon.end() == 0)
  }

  @Test func overTLS() async throws {
    let folder = try TemporaryFolder()
    let place = folder.url.path
    let certificates = TestFiles.package.appendingPathComponent(
      "Scripts/test-support/peers/certificates.sh")
    #expect(try await runProcess("/bin/bash", [certificates.path, place]).status == 0)
    let token = try await runProcess(
      "/bin/bash", ["-c", "echo 'secret-token' | \(segmentdBinary) config hash-password"])
    let password = try await runProcess(
      "/bin/bash", ["-c", "echo 'secret password' | \(segmentdBinary) config hash-password"])
    let hashes = [token, password].map { $0.output.trimmingCharacters(in: .newlines) }
    let web = try WebStore(
      """
      , address: 0.0.0.0, tls: {certificate: "\(place)/server.pem", key: "\(place)/server.key"},
        addresses: [127.0.0.0/8],
        tokens: [{name: GATEWAY, tokenHash: "\(hashes[0])"}],
        users: [{name: CT1, passwordHash: "\(hashes[1])"}, {name: CT2, passwordHash: "\(hashes[1])",
        addresses: [10.0.0.0/8]}]
      """, scheme: "https")
    let check = try await segmentd("config", "check", "--config", web.setup.configuration)
    #expect(check.status == 0 && check.output.contains("STOW-RS: https://0.0.0.0"), "\(check)")
    let files = try await web.series()
    let daemon = try await web.start()
    let authority = "ca=\(place)/ca.pem"
    #expect(try await web.store(files, authority).status == 401)
    #expect(try await web.store(files, authority, "token=wrong").status == 401)
    #expect(try await web.store(files, authority, "user=CT1:wrong").status == 401)
    #expect(try await web.store(files, authority, "user=CT2:secret password").status == 403)
    #expect(web.setup.spooledFiles().isEmpty)
    let half = Array(files.prefix(4))
    #expect(try await web.store(half, authority, "token=secret-token").stored?.count == 4)
    #expect(
      try await web.store(Array(files.dropFirst(4)), authority, "user=CT1:secret password").stored?
        .count == 4)
    try await expectCompletedAtLast(web)
    let detail = try await web.detail(ofJob: try await web.setup.jobs().count)
    #expect(detail.contains("GATEWAY") && detail.contains("CT1"), "\(detail)")
    #expect(!daemon.output.contains("secret"))
    #expect(try await daemon.end() == 0)
  }

  /// Cut off within the last object, between objects, or at the closing delimiter.
  @Test(arguments: [
    ("close", 0, "lost connection"), ("delimiter", 400, "ends before its last part"),
    ("single", 0, "lost connection"),
  ])
  func anInterruptedRequestHoldsTheSeries(how: String, status: Int, words: String) async throws {
    // Longer than it mostly takes from one request to the next.
    let web = try WebStore(assembly: "{quietSeconds: 8, incompleteSeconds: 8}")
    let files = try await web.series()
    let daemon = try await web.start()
    if how == "single" {
      #expect(try await web.store(Array(files.dropLast())).status == 200)
    }
    #expect(try await web.send(how, files).status == status)
    let missing = try await web.value("SOPInstanceUID", of: files[Self.slices - 1])
    // Where it takes longer all the same, there is a job of the seven that had been stored whole before.
    var jobs: [JobRow] = []
    try await waitUntil("a held job") {
      jobs = try await web.setup.endedJobs()
      return jobs.last?.state == "held"
    }
    #expect(jobs.count == 1 || how == "single" && jobs.count == 2, "\(jobs)")
    try expect([missing, words], asReasonOf: jobs.last)
    #expect(try await web.store(files).status == 200)
    try await expectCompleted(web, jobs: jobs.count + 1)
    #expect(try await daemon.end() == 0)
  }

  @Test func aDamagedInstanceIsNamed() async throws {
    let web = try WebStore()
    let files = try await web.series()
    let daemon = try await web.start()
    let last = files[Self.slices - 1]
    let whole = try Data(contentsOf: last)
    let missing = try await web.value("SOPInstanceUID", of: last)
    let cut = web.setup.folder.url.appendingPathComponent("cut")
    let body = cut.appendingPathExtension("body")
    var parts = Data()
    for file in files.dropLast() { parts += part(try Data(contentsOf: file)) }
    parts += part(whole.dropLast(500)) + Data("--b--\r\n".utf8)
    try parts.write(to: body)
    let answer = try await web.curl(
      "/studies", "-H", #"Content-Type: multipart/related; type="application/dicom"; boundary=b"#,
      "--data-binary", "@\(body.path)")
    #expect(answer.code == 202, "\(answer)")
    // 0xC000 with the instance.
    #expect(answer.text.contains("49152") && answer.text.contains(missing), "\(answer)")
    try await expectHeld(web, "\(missing) refused with 0xC000")
    let table = try await segmentd("jobs", "--config", web.setup.configuration, "--refused")
    #expect(table.output.contains(missing) && table.output.contains("STOW-RS@127.0.0.1"))
    #expect(try await web.store([last]).status == 200)
    try await expectCompleted(web, jobs: 2)
    #expect(try await daemon.end() == 0)
  }

  private func part(_ object: Data) -> Data {
    Data("--b\r\nContent-Type: application/dicom\r\n\r\n".utf8) + object + Data("\r\n".utf8)
  }

  /// `kill -9`, or SIGTERM, while a request is open that has brought instances.
  @Test(arguments: [(SIGKILL, "was interrupted"), (SIGTERM, "because segmentd was stopping")])
  func theDaemonEndsWhileARequestIsOpen(signal: Int32, words: String) async throws {
    let web = try WebStore()
    let files = try await web.series()
    let daemon = try await web.start()
    let sender = try await web.leaveOpen("parts", files)
    try await waitUntil("the instances") { web.setup.spooledFiles().count == Self.slices }
    // Longer than the quiet period: the request may still bring more.
    try await Task.sleep(for: .seconds(3))
    #expect(try await web.setup.jobs().isEmpty)
    try await daemon.end(signal)
    try await sender.end(SIGKILL)
    let second = try await web.start()
    try await expectHeld(web, words, "after 8 instances")
    #expect(try await web.store(files).status == 200)
    try await expectCompleted(web, jobs: 2)
    #expect(try await second.end() == 0)
  }

  /// A crash of the process that receives, with a request open: its instances are kept, and the series is
  /// held until it comes again.
  @Test func theReceivingProcessCrashes() async throws {
    let web = try WebStore()
    let files = try await web.series()
    let daemon = try await web.start()
    let sender = try await web.leaveOpen("parts", files)
    try await waitUntil("the instances") { web.setup.spooledFiles().count == Self.slices }
    let receiver = try #require(daemon.receivingProcess)
    kill(receiver, SIGSEGV)
    try await expectHeld(web, "was interrupted", "after 8 instances")
    try await sender.end(SIGKILL)
    try await waitUntil("the web server") {
      try await web.curl().code == 404
    }
    #expect(try await web.store(files).status == 200)
    try await expectCompleted(web, jobs: 2)
    #expect(try await daemon.end() == 0)
  }

  /// Every instance that was reported as stored is there after `kill -9`.
  @Test func killedWhileReceiving() async throws {
    let web = try WebStore(assembly: "{quietSeconds: 60}")
    var daemon = try await web.start()
    let (folders, series) = try await web.setup.makeAllSeries(4, slices: 40, size: 128)
    let files = try folders.flatMap {
      try FileManager.default.contentsOfDirectory(at: $0, includingPropertiesForKeys: nil)
    }
    async let sending = acknowledged(files, web)
    try await waitUntil("some instances") { web.setup.spooledFiles().count > 20 }
    try await daemon.end(SIGKILL)
    let stored = try await sending
    #expect(stored.count > 0 && stored.count < files.count)
    #expect(try web.setup.kept(stored, series: series) == stored.count)
    daemon = try await web.start()
    let again = try await acknowledged(files, web)
    #expect(again.count == files.count)
    #expect(try web.setup.kept(again, series: series) == files.count)
    try await daemon.end()
  }

  /// Sends each file in a request of its own, several at a time.
  private func acknowledged(_ files: [URL], _ web: WebStore) async throws -> [URL] {
    try await withThrowingTaskGroup(of: [URL].self) { group in
      for start in 0..<4 {
        group.addTask {
          var stored: [URL] = []
          for index in stride(from: start, to: files.count, by: 4) {
            let answer = try await web.curl(
              "/studies", "-H", "Content-Type: application/dicom", "--data-binary",
              "@\(files[index].path)")
            if answer.code == 200 { stored.append(files[index]) }
          }
          return stored
        }
      }
      return try await group.reduce(into: []) { $0 += $1 }
    }
  }
}
