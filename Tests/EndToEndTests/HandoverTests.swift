import Foundation
import JobLedger
import TestSupport
import Testing

/// Several listeners before one head: what a listener has acknowledged is at the head once, whichever of them is
/// killed and whatever the network loses, and comes to what it would had the head received it itself.
@Suite(.serialized, .limitedConcurrency) struct HandoverTests {
  private static let slices = 40

  /// Each object of each completed job, by series: kind and SHA-256.
  private func results(_ jobs: [JobRow]) -> [String: [String]] {
    Dictionary(
      jobs.filter { $0.state == "completed" }.map { job in
        (job.seriesInstanceUID, job.objects.map { "\($0.kind) \($0.sha256 ?? "")" }.sorted())
      }, uniquingKeysWith: +)
  }

  /// The same files at a daemon that receives by itself.
  private func resultsOfOne(_ folders: [URL]) async throws -> [String: [String]] {
    let setup = try DaemonSetup(hasDestination: false)
    let daemon = try await setup.start()
    for folder in folders { #expect(try await setup.send(folder).status == 0) }
    let jobs = try await setup.endedJobs(folders.count)
    try await daemon.end()
    return results(jobs)
  }

  /// The files are at the head, each once, as they were sent.
  private func expectOnce(_ files: [URL], _ series: [String], at head: DaemonSetup) throws {
    #expect(try head.kept(files, series: series) == files.count)
    #expect(try ListenersAndHead.instances(head, series).count == files.count)
    #expect(head.spooledFiles().count == files.count)
  }

  /// One series by each listener, and one by both, while the head is killed and started again.
  @Test func theHeadIsKilledWhileListenersReceive() async throws {
    let site = try await ListenersAndHead(2)
    let (folders, series) = try await site.head.makeAllSeries(3, slices: Self.slices, size: 96)
    let files = try folders.map { try sortedFiles(in: $0) }
    var head = try await site.head.start()
    let first = try await site.listeners[0].start()
    let second = try await site.listeners[1].start()

    let gate = SenderGate(site.head, holds: 10)
    async let one = site.sendSlowly(files[0], to: site.listeners[0], pause: 0.15, gate: gate)
    async let two = site.sendSlowly(files[1], to: site.listeners[1], pause: 0.15, gate: gate)
    async let left = site.sendSlowly(
      Array(files[2].prefix(20)), to: site.listeners[0], pause: 0.3, gate: gate)
    async let right = site.sendSlowly(
      Array(files[2].suffix(20)), to: site.listeners[1], pause: 0.3, gate: gate)
    try await waitUntil("some instances at the head") {
      try ListenersAndHead.instances(site.head, series).count > 15
    }
    try await head.end(SIGKILL)
    try gate.open()
    let acknowledged = try await [one, two, left, right].map(\.count)
    #expect(
      acknowledged == [Self.slices, Self.slices, 20, 20], "the head's end is nothing to a sender")

    head = try await site.head.start()
    try await site.handedOver()
    let jobs = try await site.head.endedJobs(3)
    #expect(jobs.map(\.state) == ["completed", "completed", "completed"], "\(jobs.map(\.reason))")
    #expect(Set(jobs.map(\.seriesInstanceUID)) == Set(series))
    #expect(jobs.allSatisfy { $0.instances == Self.slices })
    try expectOnce(files.flatMap { $0 }, series, at: site.head)
    #expect(try await results(jobs) == resultsOfOne(folders))
    for daemon in [first, second, head] { #expect(try await daemon.end() == 0) }
  }

  @Test func aListenerIsKilledWhileItReceives() async throws {
    let site = try await ListenersAndHead(1, patience: 600)
    let ward = site.listeners[0]
    let (folders, series) = try await site.head.makeAllSeries(1, slices: Self.slices, size: 96)
    let files = try sortedFiles(in: folders[0])
    let head = try await site.head.start()
    var listener = try await ward.start()
    let gate = SenderGate(site.head, holds: 10)
    async let sending = site.sendSlowly(files, to: ward, pause: 0.1, gate: gate)
    try await waitUntil("some instances") { ward.spooledFiles().count > 10 }
    try await listener.end(SIGKILL)
    try gate.open()
    let acknowledged = try await sending
    #expect(acknowledged.count > 5 && acknowledged.count < Self.slices)
    // The association is open as far as the head knows.
    try await Task.sleep(for: .seconds(3))
    #expect(try await site.head.jobs().isEmpty)

    listener = try await ward.start()
    try await waitUntil("what was acknowledged") {
      try site.head.kept(acknowledged, series: series) == acknowledged.count
    }
    var jobs = try await site.head.endedJobs()
    #expect(jobs.map(\.state) == ["held"])
    #expect(jobs.first?.reason?.contains("was interrupted") == true, "\(jobs)")
    #expect(try await ward.send(folders[0]).status == 0)
    try await waitUntil("the whole series") {
      jobs = try await site.head.endedJobs()
      return jobs.last?.state == "completed"
    }
    #expect(jobs.last?.instances == Self.slices)
    try await site.handedOver()
    try expectOnce(files, series, at: site.head)
    for daemon in [listener, head] { #expect(try await daemon.end() == 0) }
  }

  /// A listener alone: it acknowledges, survives a kill, and hands over when the head comes, by TLS.
  @Test func aListenerAloneKeepsWhatItAcknowledges() async throws {
    let site = try await ListenersAndHead(1, overTLS: true)
    let ward = site.listeners[0]
    let (folders, series) = try await site.head.makeAllSeries(2, slices: 8, size: 64)
    var listener = try await ward.start()
    for folder in folders { #expect(try await ward.send(folder).status == 0) }
    try await waitUntil("the note that the head is away") {
      listener.output.contains("nothing is handed over")
    }
    let diagnosis = try await segmentd("doctor", "--config", ward.configuration)
    #expect(diagnosis.status != 0)
    #expect(
      diagnosis.output.contains("the head has not answered since")
        && diagnosis.output.contains("2 series wait"), "\(diagnosis.output)")
    try await listener.end(SIGKILL)
    #expect(try ListenersAndHead.instances(ward, series).count == 16)
    listener = try await ward.start()
    #expect(try await ward.jobs().isEmpty)
    #expect(try ListenersAndHead.backlog(ward) >= 16)

    let head = try await site.head.start()
    try await site.handedOver()
    // Without a certificate nobody gets as far as a token.
    let stranger = try await runProcess(
      "/usr/bin/curl",
      [
        "-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", Certificates.file("ca.pem"),
        "-H", "Authorization: Bearer \(ListenersAndHead.token(1))",
        "https://127.0.0.1:\(site.headPort)/handover/state",
      ])
    #expect(stranger.status != 0 && stranger.output == "000", "\(stranger.output)")
    let jobs = try await site.head.endedJobs(2)
    #expect(jobs.map(\.state) == ["completed", "completed"], "\(jobs.map(\.reason))")
    try expectOnce(try folders.flatMap { try sortedFiles(in: $0) }, series, at: site.head)
    // Who sent it is known there.
    let detail = try await segmentd("jobs", "--config", site.head.configuration, "--job", "1")
    #expect(detail.output.contains("released, 8 stored, 0 refused"), "\(detail.output)")
    #expect(detail.output.contains("STORESCU"))
    let again = try await segmentd("doctor", "--config", ward.configuration)
    #expect(again.output.contains("nothing waits"), "\(again.output)")
    let atHead = try await segmentd("doctor", "--config", site.head.configuration)
    #expect(atHead.output.contains("listener ward-1"), "\(atHead.output)")
    for daemon in [listener, head] { #expect(try await daemon.end() == 0) }
  }

  /// The head has everything on disk, and its answer does not arrive.
  @Test func answersAreLost() async throws {
    let port = try freePort()
    let site = try await ListenersAndHead(1, port: port)
    let script = TestFiles.package.appendingPathComponent(
      "Scripts/test-support/peers/lossy_proxy.py")
    let proxy = try ChildProcess(
      testPython, [script.path, "\(port)", "\(site.headPort)", "/handover/entries", "3"],
      log: site.head.folder.url.appendingPathComponent("proxy.log"))
    try await waitUntil("the proxy") { proxy.output.contains("ready") }
    let (folders, series) = try await site.head.makeAllSeries(1, slices: Self.slices, size: 96)
    let head = try await site.head.start()
    let listener = try await site.listeners[0].start()
    let files = try sortedFiles(in: folders[0])
    #expect(
      try await site.sendSlowly(files, to: site.listeners[0], pause: 0.1).count == Self.slices)
    try await site.handedOver()
    let jobs = try await site.head.endedJobs()
    #expect(jobs.map(\.state) == ["completed"], "\(jobs.map(\.reason))")
    #expect(jobs.map(\.instances) == [Self.slices])
    try expectOnce(files, series, at: site.head)
    #expect(proxy.output.components(separatedBy: "lost").count - 1 == 3)
    let detail = try await segmentd("jobs", "--config", site.head.configuration, "--job", "1")
    #expect(detail.output.contains("released, \(Self.slices) stored, 0 refused"))
    for daemon in [listener, head] { #expect(try await daemon.end() == 0) }
    try await proxy.end(SIGKILL)
  }

  @Test func aWrongTokenIsRefused() async throws {
    let site = try await ListenersAndHead(1, token: "another token")
    let ward = site.listeners[0]
    let (folders, series) = try await site.head.makeAllSeries(1, slices: 8, size: 64)
    let head = try await site.head.start()
    let listener = try await ward.start()
    #expect(try await ward.send(folders[0]).status == 0)
    try await waitUntil("the refusal") { listener.output.contains("the head answered 401") }
    #expect(try ListenersAndHead.instances(site.head, series).isEmpty)
    try await waitUntil("the end of the association") {
      try ListenersAndHead.backlog(ward) == 9
    }
    #expect(!listener.output.contains("another token") && !head.output.contains("another token"))
    // A listener's token opens nothing else, and nobody else hands over.
    func status(_ options: String...) async throws -> String {
      try await runProcess(
        "/usr/bin/curl",
        ["-s", "-o", "/dev/null", "-w", "%{http_code}"] + options
      ).output
    }
    let address = "http://127.0.0.1:\(site.headPort)"
    let bearer = "Authorization: Bearer \(ListenersAndHead.token(1))"
    #expect(try await status("-H", bearer, "\(address)/metrics") == "403")
    #expect(try await status("-X", "POST", "\(address)/handover/state") == "401")
    #expect(
      try await status("-H", bearer, "-d", "nonsense", "\(address)/handover/state") == "400")
    #expect(
      try await status("-H", bearer, "-d", "nonsense", "\(address)/handover/entries") == "400")
    for daemon in [listener, head] { #expect(try await daemon.end() == 0) }
  }

  /// Its machine fails while an association is open: the head does not wait for ever, and takes the rest once it
  /// is back.
  @Test func aListenerIsAway() async throws {
    // Longer than any listener is kept from its work by a busy machine.
    let site = try await ListenersAndHead(1, patience: 1800)
    let ward = site.listeners[0]
    let (folders, series) = try await site.head.makeAllSeries(1, slices: 8, size: 64)
    let files = try sortedFiles(in: folders[0])
    var head = try await site.head.start()
    var listener = try await ward.start()
    let sender = try ward.leaving("silence", Array(files.prefix(6)))
    try await waitUntil("six instances at the head") {
      try ListenersAndHead.instances(site.head, series).count == 6
    }
    // Longer than the quiet period: the association may still bring more.
    try await Task.sleep(for: .seconds(3))
    #expect(try await site.head.jobs().isEmpty)
    try await listener.end(SIGKILL)
    try await sender.end(SIGKILL)
    #expect(try await head.end() == 0)
    try site.setPatience(6)
    head = try await site.head.start()
    var jobs = try await site.head.endedJobs()
    #expect(jobs.map(\.state) == ["held"])
    let reason = try #require(jobs.first?.reason)
    #expect(reason.contains("at listener ward-1, which is away") && reason.contains("after 6"))
    let diagnosis = try await segmentd("doctor", "--config", site.head.configuration)
    #expect(diagnosis.output.contains("away since"), "\(diagnosis.output)")

    listener = try await ward.start()
    #expect(try await ward.send(folders[0]).status == 0)
    try await waitUntil("the whole series") {
      jobs = try await site.head.endedJobs()
      return jobs.last?.state == "completed"
    }
    #expect(jobs.last?.instances == 8)
    try await site.handedOver()
    try expectOnce(files, series, at: site.head)
    for daemon in [listener, head] { #expect(try await daemon.end() == 0) }
  }

  /// What a listener has purged after the handover the head holds, and a peer of the listener is told so.
  @Test func aListenerAnswersForTheHead() async throws {
    let port = try freePort()
    let site = try await ListenersAndHead(
      1,
      more: """
        retention: {originals: {unusedDays: 0}}
        storageCommitment: {peers: [{aeTitle: ASKER, host: 127.0.0.1, port: \(port)}]}
        """)
    let ward = site.listeners[0]
    let (folders, series) = try await site.head.makeAllSeries(1, slices: 4, size: 64)
    let listener = try await ward.start()
    #expect(try await ward.send(folders[0]).status == 0)
    let early = try await segmentd("purge", "--config", ward.configuration)
    #expect(early.status == 0 && ward.spooledFiles().count == 4, "\(early.output)")

    let head = try await site.head.start()
    try await site.handedOver()
    // It is over once the listener's own association has ended too.
    try await waitUntil("the purge") {
      _ = try await segmentd("purge", "--config", ward.configuration)
      return ward.spooledFiles().isEmpty
    }
    #expect(site.head.spooledFiles().count == 4)
    let ct = "1.2.840.10008.5.1.4.1.1.2"
    let uids = try ListenersAndHead.instances(site.head, series).map(\.sopInstanceUID)
    let answer = try await CommitmentAnswer.asking(
      ward.port, at: port, "stay", (uids + ["1.2.3.4.5.6"]).map { (ct, $0) })
    let report = try #require(answer.reports.first)
    #expect(Set(report.held) == Set(uids) && report.failed == ["1.2.3.4.5.6": 0x0112])
    for daemon in [listener, head] { #expect(try await daemon.end() == 0) }
  }

  @Test func aRoleThatIsNotConfiguredDoesNotStart() async throws {
    let site = try await ListenersAndHead(1)
    let one = try DaemonSetup(hasDestination: false)
    for (setup, role, words) in [
      (one, "listener", "no handover.to"), (one, "head", "no handover.from"),
      (site.listeners[0], "all", "makes it a listener"), (site.head, "listener", "no handover.to"),
    ] {
      let result = try await segmentd(
        "serve", "--role", role, "--config", setup.configuration)
      #expect(result.status != 0 && result.output.contains(words), "\(result.output)")
    }
    // A state directory serves one role.
    let daemon = try await one.start()
    try await daemon.end()
    let text = try String(contentsOfFile: site.listeners[0].configuration, encoding: .utf8)
    _ = try Ledger(path: one.state.appendingPathComponent("ledger.sqlite").path).recordInstance(
      InstanceRecord(
        studyInstanceUID: "1.2", seriesInstanceUID: "1.2.3", sopInstanceUID: "1.2.3.4",
        sopClassUID: "1.2.840.10008.5.1.4.1.1.2", modality: "CT",
        transferSyntaxUID: "1.2.840.10008.1.2.1", spoolPath: "spool/00/00/1.dcm", byteCount: 1,
        contentHash: String(repeating: "0", count: 64), source: .command))
    let changed = text.replacing(
      "stateDirectory: \(site.listeners[0].state.path)", with: "stateDirectory: \(one.state.path)")
    try changed.write(toFile: one.configuration, atomically: true, encoding: .utf8)
    let result = try await segmentd("serve", "--config", one.configuration)
    #expect(
      result.status != 0 && result.output.contains("a state directory of its own"),
      "\(result.output)")
  }
}
