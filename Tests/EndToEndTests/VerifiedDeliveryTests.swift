import Foundation
import TestSupport
import Testing

/// Results that have arrived only once it is proved, and destinations of several kinds.
@Suite(.serialized, .limitedConcurrency) struct VerifiedDeliveryTests {
  private let pacsPort: Int

  init() throws { pacsPort = try freePort() }

  private func setup(_ destinations: String...) throws -> DaemonSetup {
    try DaemonSetup(
      more: "destinations:\n" + destinations.map { "  - {\($0)}\n" }.joined(),
      hasDestination: false)
  }

  private func send(_ setup: DaemonSetup) async throws -> String {
    let series = setup.folder.url.appendingPathComponent("series")
    let uids = try await makeSeries(at: series)
    #expect(try await setup.send(series).status == 0)
    let job = try #require(try await setup.endedJobs().first)
    #expect(job.state == "completed", "\(job.reason ?? "")")
    return uids.study
  }

  private func state(_ name: String, _ setup: DaemonSetup) async throws -> String? {
    try await setup.jobs().flatMap(\.deliveries).first { $0.destination == name }?.state
  }

  /// Orthanc's report comes to the receiving process, over an association of its own.
  @Test func orthancCommitsItselfToKeepAResult() async throws {
    let setup = try setup(
      "name: pacs, aeTitle: PACS, host: 127.0.0.1, port: \(pacsPort), verify: commitment")
    let pacs = try await Orthanc(dicomPort: pacsPort, destination: setup.port)
    let daemon = try await setup.start()
    let study = try await send(setup)
    try await setup.delivered()
    #expect(try await pacs.segmentations().count == 1)
    let story = try await segmentd("explain", "--config", setup.configuration, "--study", study)
    #expect(story.output.contains("was sent to pacs; waiting for proof that it is kept there"))
    #expect(story.output.contains("was delivered to pacs, which committed itself to keep it"))
    try await daemon.end()
    try await pacs.stop()
  }

  /// What Orthanc gets tells nothing of the patient, and its commitment is to UIDs that only we can take back
  /// to ours. `run` with the same key writes the same object.
  @Test func aDeidentifiedResultIsProvedToo() async throws {
    let setup = try setup(
      "name: pacs, aeTitle: PACS, host: 127.0.0.1, port: \(pacsPort), verify: commitment, "
        + "deidentify: true")
    let pacs = try await Orthanc(dicomPort: pacsPort, destination: setup.port)
    let daemon = try await setup.start()
    let study = try await send(setup)
    try await setup.delivered()
    let uid = try #require(try await pacs.segmentations().first)
    let received = setup.folder.url.appendingPathComponent("received.dcm")
    try await pacs.download(uid, to: received)
    let bytes = try Data(contentsOf: received)
    let source = setup.folder.url.appendingPathComponent("series")
    for secret in ["PHANTOM", study] {
      #expect(bytes.range(of: Data(secret.utf8)) == nil, "\(secret)")
    }
    let state = setup.folder.url.appendingPathComponent("state")
    let copies = state.appendingPathComponent("deidentified")
    // Its report may come while the association of the request is still open.
    try await waitUntil("the end of the copies") {
      try FileManager.default.contentsOfDirectory(atPath: copies.path) == []
    }

    let output = setup.folder.url.appendingPathComponent("out")
    let run = try await segmentd(
      "run", "--model", "untrained-tiny", "--models",
      TestFiles.fixtures.appendingPathComponent("models").path, "--config", setup.configuration,
      "--deidentify", "--uid-key", state.appendingPathComponent("deidentification.key").path,
      "--report", "--output", output.path, source.path)
    #expect(run.status == 0, "\(run.output)")
    let files = try #require(FileManager.default.enumerator(atPath: output.path))
      .compactMap { $0 as? String }
    #expect(files.filter { $0.hasSuffix(".dcm") }.count == 2, "\(files)")
    for file in files where file.hasSuffix(".dcm") {
      let bytes = try Data(contentsOf: output.appendingPathComponent(file))
      #expect(bytes.range(of: Data("PHANTOM".utf8)) == nil)
      #expect(bytes.range(of: Data(study.utf8)) == nil)
    }
    #expect(!files.contains { $0.contains(study) })
    try await daemon.end()
    try await pacs.stop()
  }

  @Test func orthancListsAResult() async throws {
    let setup = try setup(
      "name: pacs, aeTitle: PACS, host: 127.0.0.1, port: \(pacsPort), verify: query")
    let pacs = try await Orthanc(dicomPort: pacsPort)
    let daemon = try await setup.start()
    let study = try await send(setup)
    try await setup.delivered()
    let story = try await segmentd("explain", "--config", setup.configuration, "--study", study)
    #expect(story.output.contains("was delivered to pacs, which lists it"), "\(story.output)")
    try await daemon.end()
    try await pacs.stop()
  }

  /// The daemon is killed while the archive has not reported. The next one asks again, at once because it is
  /// told to, and the object is not sent a second time.
  @Test func aProofThatIsOutstandingSurvivesKilling() async throws {
    let setup = try setup(
      "name: pacs, aeTitle: PACS, host: 127.0.0.1, port: \(pacsPort), verify: commitment")
    let archive = try await CommittingArchive(
      "new", "to=\(setup.port)", "mute=1", port: pacsPort)
    let daemon = try await setup.start()
    let study = try await send(setup)
    try await waitUntil("the question") { archive.asked.count == 1 }
    #expect(try await state("pacs", setup) == "sent")
    let waiting = try await segmentd("explain", "--config", setup.configuration, "--study", study)
    #expect(waiting.output.contains("has not proved yet that it keeps it"), "\(waiting.output)")
    try await daemon.end(SIGKILL)

    let next = try await setup.start()
    let retry = try await segmentd(
      "jobs", "retry", "--config", setup.configuration, "--state", "completed")
    #expect(retry.status == 0, "\(retry.output)")
    try await setup.delivered()
    #expect(archive.stored.count == 1 && archive.asked.count == 2)
    try await next.end()
    try await archive.stop()
  }

  /// STOW-RS to Orthanc beside a destination that hangs, one that is away, and one that takes results of
  /// another model.
  @Test func eachDestinationGoesItsOwnWay() async throws {
    let orthanc = try await Orthanc(dicomPort: pacsPort, hasDICOMweb: true)
    let silent = try await HangingPeer("silent")
    let setup = try setup(
      "name: silent, aeTitle: PACS, host: 127.0.0.1, port: \(silent.port)",
      "name: away, aeTitle: PACS, host: 127.0.0.1, port: \(try freePort())",
      "name: web, kind: stow, url: \"http://127.0.0.1:\(orthanc.webPort)/dicom-web\", verify: query, "
        + "require: {modality: CT}, takes: [seg]",
      "name: heart, aeTitle: PACS, host: 127.0.0.1, port: \(pacsPort), models: [cardiac]",
      "name: mr, aeTitle: PACS, host: 127.0.0.1, port: \(pacsPort), require: {modality: MR}")
    let daemon = try await setup.start()
    _ = try await send(setup)
    try await waitUntil("the delivery") { try await state("web", setup) == "delivered" }
    #expect(try await orthanc.segmentations().count == 1)
    for name in ["heart", "mr"] { #expect(try await state(name, setup) == nil) }
    for name in ["silent", "away"] {
      let state = try await state(name, setup)
      #expect(["waiting", "sending"].contains(state))
    }
    try await daemon.end()
    try await silent.stop()
    try await orthanc.stop()
  }

  /// A destination that is left out of the configuration: what waits for it is held, and sent once it is back.
  @Test func whatWaitsForADestinationThatIsGoneIsHeld() async throws {
    let setup = try setup("name: pacs, aeTitle: PACS, host: 127.0.0.1, port: \(pacsPort)")
    let daemon = try await setup.start()
    _ = try await send(setup)
    try await daemon.end()
    let whole = try String(contentsOfFile: setup.configuration, encoding: .utf8)
    let without = try #require(whole.range(of: "destinations:"))
    try whole[..<without.lowerBound].write(
      toFile: setup.configuration, atomically: true, encoding: .utf8)
    let second = try await setup.start()
    try await waitUntil("the hold") { try await state("pacs", setup) == "held" }
    try await second.end()

    try whole.write(toFile: setup.configuration, atomically: true, encoding: .utf8)
    let pacs = try await Orthanc(dicomPort: pacsPort)
    let third = try await setup.start()
    #expect(
      try await segmentd(
        "jobs", "retry", "--config", setup.configuration, "--state", "completed"
      ).status == 0)
    try await setup.delivered()
    #expect(try await pacs.segmentations().count == 1)
    try await third.end()
    try await pacs.stop()
  }
}
