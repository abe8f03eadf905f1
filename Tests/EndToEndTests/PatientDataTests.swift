import Foundation
import TestSupport
import Testing

/// What says something of a patient is in the images and results, and nowhere else: neither in the log at its
/// finest level nor in metrics, traces, the API or titles of pages, whatever becomes of the images.
@Suite(.serialized, .limitedConcurrency) struct PatientDataTests {
  /// Values that occur nowhere else, each of which would tell whose images these are.
  private static let identity = [
    "PatientName": "ZZSURNAME^ZZGIVEN", "PatientID": "ZZPATIENT77", "PatientBirthDate": "19370419",
    "AccessionNumber": "ZZACCESSION", "OtherPatientNames": "ZZMAIDEN",
    "PatientAddress": "ZZSTREET 9", "ReferringPhysicianName": "ZZDOCTOR",
    "InstitutionName": "ZZCLINIC", "PatientComments": "ZZCOMMENT", "StudyDescription": "ZZSTUDY",
  ]
  private static let values = identity.values.flatMap { $0.split(separator: "^").map(String.init) }

  /// Gives the images of a folder the identity, and changes them further.
  private func identify(_ folder: URL, _ change: String = "pass") async throws {
    let script = """
      import sys, json, pathlib, pydicom
      for number, path in enumerate(sorted(pathlib.Path(sys.argv[1]).rglob("*.dcm"))):
          d = pydicom.dcmread(path)
          for key, value in json.loads(sys.argv[2]).items(): setattr(d, key, value)
          \(change)
          d.save_as(path)
      """
    let identity = String(decoding: try JSONEncoder().encode(Self.identity), as: UTF8.self)
    let result = try await runProcess(testPython, ["-c", script, folder.path, identity])
    #expect(result.status == 0, "\(result.output)")
  }

  private func auditLog(of setup: DaemonSetup) throws -> String {
    let folder = setup.state.appendingPathComponent("audit")
    return try FileManager.default.contentsOfDirectory(atPath: folder.path).map {
      try String(contentsOf: folder.appendingPathComponent($0), encoding: .utf8)
    }.joined()
  }

  private static let token = ["-H", "Authorization: Bearer token-of-a-test"]

  private static func sections(_ port: Int, traces: Int) async throws -> String {
    let hash = try await runProcess(
      "/bin/bash", ["-c", "echo token-of-a-test | \(segmentdBinary) config hash-password"]
    ).output.trimmingCharacters(in: .newlines)
    return """
      web:
        port: \(port)
        stow: true
        dashboard: true
        tokens: [{name: test, tokenHash: "\(hash)", role: operator}]
      tracing: {url: "http://127.0.0.1:\(traces)/v1/traces"}
      log: {level: debug}
      """
  }

  /// The titles of pages that show the patient, and what the API says.
  private func pages(_ port: Int, _ study: String) async throws -> (titles: String, api: String) {
    func get(_ path: String) async throws -> String {
      try await runProcess(
        "/usr/bin/curl", ["-sSf"] + Self.token + ["http://127.0.0.1:\(port)/\(path)"]
      ).output
    }
    var (titles, api) = ("", "")
    for path in [
      "", "studies", "studies/\(study)", "queue", "held", "refused", "destinations", "models",
      "rules?uid=\(study)", "system", "jobs/1/viewer",
    ] {
      let page = try await get(path)
      let title = try #require(page.firstMatch(of: /<title>(.*)<\/title>/)?.output.1, "\(path)")
      titles += "\(title)\n"
      if path.hasPrefix("studies/") { #expect(page.contains("ZZSURNAME")) }
    }
    for path in [
      "studies", "studies/\(study)", "jobs", "jobs/1", "refused", "pending", "senders/refused",
      "associations", "destinations", "rules", "system",
    ] { api += try await get("api/v1/\(path)") }
    return (titles, api)
  }

  @Test func isNotInTheLogAndNotInMetrics() async throws {
    let watched = try TemporaryFolder()
    let web = try freePort()
    let receiver = try await TraceReceiver()
    let setup = try DaemonSetup(
      more: try await Self.sections(web, traces: receiver.port), watch: watched.url)
    let orthanc = try await Orthanc(dicomPort: setup.destinationPort)
    let daemon = try await setup.start()

    // One that is segmented and delivered, and again with another patient.
    let good = setup.folder.url.appendingPathComponent("good")
    let (study, _) = try await makeSeries(at: good, "--slices", "8")
    try await identify(good)
    #expect(try await setup.send(good).status == 0)
    try await waitUntil("the delivery") {
      try await setup.jobs().first?.deliveries.first?.state == "delivered"
    }
    try await identify(good, "d.PatientID = 'ZZPATIENT78' if number == 0 else d.PatientID")
    _ = try await setup.send(good)

    let named = watched.url.appendingPathComponent("ZZSURNAME^ZZGIVEN")
    try FileManager.default.createDirectory(at: named, withIntermediateDirectories: true)
    let letter = named.appendingPathComponent("letter to ZZDOCTOR.dcm")
    try (Data(count: 128) + Data("DICM".utf8)).write(to: letter)
    try FileManager.default.createSymbolicLink(
      at: watched.url.appendingPathComponent("ZZGIVEN"), withDestinationURL: letter)

    // Ones that are held or refused: a gap, a value that is none, a file that is cut off.
    for (name, change) in [
      ("gap", "d.ImagePositionPatient[2] += 40 if number > 4 else 0"),
      ("value", "d.PixelSpacing = ['0', 'ZZSTREET 9'] if False else [0, 0]"),
      ("class", "d.file_meta.MediaStorageSOPClassUID = d.SOPClassUID = '1.2.3.4'"),
    ] {
      let folder = setup.folder.url.appendingPathComponent(name)
      try await makeSeries(at: folder, "--slices", "8", "--seed", "\(name.count + 7)")
      try await identify(folder, change)
      _ = try await setup.send(folder)
      for file in try FileManager.default.contentsOfDirectory(
        at: folder, includingPropertiesForKeys: nil)
      {
        let cut = try Data(contentsOf: file).prefix(1500)
        // As sites name them.
        try cut.write(
          to: named.appendingPathComponent("\(name)-ZZPATIENT77-\(file.lastPathComponent)"))
        let body = setup.folder.url.appendingPathComponent("body")
        try cut.write(to: body)
        _ = try await runProcess(
          "/usr/bin/curl",
          [
            "-sS", "-H", "Content-Type: application/dicom", "--data-binary", "@\(body.path)",
          ] + Self.token + ["http://127.0.0.1:\(web)/dicom-web/studies"])
      }
    }
    try await waitUntil("an end of all jobs") {
      let jobs = try await setup.jobs()
      return jobs.count >= 3
        && jobs.allSatisfy { ["completed", "held", "cancelled"].contains($0.state) }
    }
    try await waitUntil("the traces of what was held") {
      receiver.spans.contains { $0.attributes["segmentd.outcome"] == "held" }
        || receiver.spans.filter { $0.name == "receive" }.count >= 3
    }
    let metrics = try await runProcess(
      "/usr/bin/curl", ["-sS"] + Self.token + ["http://127.0.0.1:\(web)/metrics"])
    let pages = try await pages(web, study)
    let jobs = try await segmentd("jobs", "--config", setup.configuration, "--json")
    let refused = try await segmentd("jobs", "--config", setup.configuration, "--refused", "--json")
    let table = try await segmentd("jobs", "--config", setup.configuration, "--refused")
    let story = try await segmentd("explain", "--config", setup.configuration, "--study", study)
    #expect(try await daemon.end() == 0)

    #expect(daemon.output.contains(study) || daemon.output.contains("series complete"))
    #expect(metrics.output.contains("segmentd_studies"))
    let time = try Regex(#""time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z""#)
    #expect(daemon.output.contains(time), "\(daemon.output.prefix(300))")
    // The whole configuration is in none of its lines, not even at level debug.
    #expect(daemon.output.contains(#""level":"debug""#))
    #expect(!daemon.output.contains("pbkdf2") && !daemon.output.contains("tokenHash"))
    // Where there is no terminal each line is a JSON object.
    for line in daemon.output.split(separator: "\n") {
      let event = try? JSONDecoder().decode([String: String].self, from: Data(line.utf8))
      #expect(
        event.map { ["time", "level", "module", "message"].allSatisfy($0.keys.contains) } == true,
        "\(line)")
      // What is about a study says which one.
      let isOfStudy = ["series", "job", "instance"].contains { event?[$0] != nil }
      let message = event?["message"] ?? ""
      let isOfObject = ["not taken", "was reading", "came again", "refused with"].contains {
        message.contains($0)
      }
      if let event, isOfStudy || isOfObject {
        #expect(event["study"] != nil, "\(line)")
      }
    }
    // An administrator at a terminal finds the file by the hash that the log has.
    #expect(table.output.contains("\(letter.path) (file "), "\(table.output)")
    let hashes = table.output.matches(of: /file [0-9a-f]{16}/).map { String($0.output) }
    #expect(!hashes.isEmpty && hashes.allSatisfy(daemon.output.contains))
    for (what, text) in [
      ("log", daemon.output), ("metrics", metrics.output), ("jobs", jobs.output),
      ("refused instances", refused.output), ("story", story.output),
      ("titles of pages", pages.titles), ("API", pages.api),
      ("audit log", try auditLog(of: setup)),
      ("traces", receiver.spans.map { "\($0)\n" }.joined()),
    ] {
      #expect(!text.isEmpty, "\(what)")
      for value in Self.values + ["ZZ"] where text.contains(value) {
        let line = text.split(separator: "\n").first { $0.contains(value) } ?? ""
        Issue.record("\(what) has \(value): \(line)")
      }
    }
    try await receiver.stop()
    try await orthanc.stop()
  }
}
