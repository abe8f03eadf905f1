import Foundation
import TestSupport
import Testing

/// A study that an archive corrects and sends again: the same instances with the same pixels and
/// another header.
@Suite(.serialized, .limitedConcurrency) struct CorrectionTests {
  private let setup: DaemonSetup
  private var series: URL { setup.folder.url.appendingPathComponent("series") }

  init() throws { setup = try DaemonSetup(hasDestination: false) }

  /// Sets an attribute of some files of the series, or of all.
  private func correct(_ attribute: String, _ value: String, first count: Int = .max) async throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: series.path).sorted()
      .prefix(count).map { series.appendingPathComponent($0).path }
    let result = try await runProcess(
      "/usr/bin/dcmodify", ["-nb", "-m", "\(attribute)=\(value)"] + files)
    try #require(result.status == 0, "\(result.output)")
  }

  /// Sends the series, or a part of it, and waits for the job that it makes.
  private func send(first count: Int = .max, expecting jobs: Int) async throws -> JobRow {
    let files = try FileManager.default.contentsOfDirectory(atPath: series.path).sorted()
      .prefix(count).map { series.appendingPathComponent($0).path }
    let sent = try await runProcess(
      "/usr/bin/storescu", ["-R", "-aec", "SEGMENTD", "127.0.0.1", "\(setup.port)"] + files)
    #expect(sent.status == 0, "\(sent.output)")
    return try #require(try await setup.endedJobs(jobs).last)
  }

  /// The value of an attribute in the result of a job.
  private func value(_ attribute: String, of job: JobRow) async throws -> String {
    #expect(job.state == "completed", "\(job.reason ?? "")")
    let file = setup.state.appendingPathComponent(try #require(job.segmentations.first).path)
    let dump = try await runProcess("/usr/bin/dcmdump", ["+P", attribute, file.path])
    // The object's own comes last: those of sequences have lower tags.
    let line = dump.output.split(separator: "\n").last { $0.contains("[") }
    return String(line?.split(separator: "[", maxSplits: 1).last?.split(separator: "]").first ?? "")
  }

  private func expectNoGaps(_ job: JobRow) {
    for reason in job.verdictReasons + [job.reason ?? ""] {
      #expect(!reason.contains("missing") && !reason.contains("steps"), "\(reason)")
    }
  }

  @Test(arguments: ["AccessionNumber", "PatientName", "PatientID", "PatientBirthDate", "StudyID"])
  func theHeaderThatCameLastWins(attribute: String) async throws {
    let daemon = try await setup.start()
    try await makeSeries(at: series)
    var job = try await send(expecting: 1)
    for number in 1...2 {
      let corrected = attribute == "PatientBirthDate" ? "1970010\(number)" : "NEW\(number)"
      try await correct(attribute, corrected)
      job = try await send(expecting: number + 1)
      #expect(try await value(attribute, of: job) == corrected)
      #expect(job.verdict == "repaired" && job.instances == 16)
      expectNoGaps(job)
    }
    try await daemon.end()
  }

  @Test func aCorrectionThatIsTakenBackIsTakenBackHereToo() async throws {
    let daemon = try await setup.start()
    try await makeSeries(at: series)
    let original = setup.folder.url.appendingPathComponent("original")
    try FileManager.default.copyItem(at: series, to: original)
    _ = try await send(expecting: 1)
    try await correct("AccessionNumber", "WRONG")
    #expect(try await value("AccessionNumber", of: send(expecting: 2)) == "WRONG")
    try FileManager.default.removeItem(at: series)
    try FileManager.default.copyItem(at: original, to: series)
    let job = try await send(expecting: 3)
    #expect(try await value("AccessionNumber", of: job) != "WRONG")
    // Nothing changes any more, and nothing is done again.
    try await correct("AccessionNumber", "RIGHT")
    #expect(try await value("AccessionNumber", of: send(expecting: 4)) == "RIGHT")
    _ = try await setup.send(series)
    try await Task.sleep(for: .seconds(3))
    #expect(try await setup.jobs().count == 4)
    try await daemon.end()

    // A job that is asked for by hand sees the same.
    let study = try await readStudy()
    let again = try await segmentd("reprocess", "--config", setup.configuration, "--study", study)
    #expect(again.status == 0, "\(again.output)")
    let reprocessed = try #require(try await setup.jobs().last)
    #expect(try await value("AccessionNumber", of: reprocessed) == "RIGHT")
  }

  private func readStudy() async throws -> String {
    let file = try #require(
      try FileManager.default.contentsOfDirectory(atPath: series.path).first)
    let dump = try await runProcess(
      "/usr/bin/dcmdump", ["+P", "StudyInstanceUID", series.appendingPathComponent(file).path])
    return String(
      dump.output.split(separator: "[", maxSplits: 1).last?.split(separator: "]").first ?? "")
  }

  /// A part of the correction came, and then nothing for longer than the quiet period.
  @Test(arguments: ["PatientID", "PatientName", "StudyInstanceUID", "AccessionNumber", "StudyID"])
  func anIncompleteCorrectionIsHeldUntilTheRestComes(attribute: String) async throws {
    let daemon = try await setup.start()
    try await makeSeries(at: series)
    _ = try await send(expecting: 1)
    let corrected = attribute == "StudyInstanceUID" ? "1.2.3.4.5" : "NEW"
    try await correct(attribute, corrected, first: 5)
    let held = try await send(first: 5, expecting: 2)
    #expect(held.state == "held" && held.verdict == "held")
    let reason = try #require(held.reason)
    #expect(reason.contains("only some images were received again"), "\(reason)")
    let tags = [
      "PatientID": "(0010,0020)", "PatientName": "(0010,0010)", "StudyInstanceUID": "(0020,000D)",
      "AccessionNumber": "(0008,0050)", "StudyID": "(0020,0010)",
    ]
    #expect(try reason.contains(#require(tags[attribute])), "\(reason)")
    #expect(reason.contains("11 images") && reason.contains("5 images"), "\(reason)")
    #expect(attribute == "StudyInstanceUID" || !reason.contains(corrected), "\(reason)")
    expectNoGaps(held)

    try await correct(attribute, corrected)
    let job = try await send(expecting: 3)
    #expect(try await value(attribute, of: job) == corrected)
    try await daemon.end()
  }

  /// An archive moved the series to another study.
  @Test func aMovedSeriesIsFoundInItsNewStudy() async throws {
    let daemon = try await setup.start()
    try await makeSeries(at: series)
    _ = try await send(expecting: 1)
    try await correct("StudyInstanceUID", "1.2.3.4.5")
    let job = try await send(expecting: 2)
    #expect(try await value("StudyInstanceUID", of: job) == "1.2.3.4.5")
    let listed = try await segmentd(
      "jobs", "--config", setup.configuration, "--study", "1.2.3.4.5", "--json")
    #expect(
      try JSONDecoder().decode([JobRow].self, from: Data(listed.output.utf8)).last?.id == job.id)
    try await daemon.end()
  }

  /// Other pixels under one SOP Instance UID are no correction.
  @Test func otherPixelsAreHeld() async throws {
    let daemon = try await setup.start()
    try await makeSeries(at: series)
    _ = try await send(expecting: 1)
    let file = try #require(
      try FileManager.default.contentsOfDirectory(atPath: series.path).sorted().first)
    var bytes = try Data(contentsOf: series.appendingPathComponent(file))
    bytes[bytes.count - 1] ^= 1
    try bytes.write(to: series.appendingPathComponent(file))
    let job = try await send(expecting: 2)
    #expect(job.state == "held")
    #expect(
      job.reason?.contains("SOP Instance UID (0008,0018) was received more than once") == true,
      "\(job.reason ?? "")")
    try await daemon.end()
  }

  /// In a folder nothing tells which of two copies is the newer one.
  @Test func copiesThatContradictAreHeldByInspect() async throws {
    try await makeSeries(at: series)
    let copies = setup.folder.url.appendingPathComponent("all")
    try FileManager.default.createDirectory(at: copies, withIntermediateDirectories: false)
    try FileManager.default.copyItem(at: series, to: copies.appendingPathComponent("a"))
    try await correct("PatientName", "CORRECTED^NAME")
    try FileManager.default.copyItem(at: series, to: copies.appendingPathComponent("b"))
    let inspected = try await segmentd("inspect", copies.path)
    #expect(inspected.output.contains("held"), "\(inspected.output)")
    #expect(
      inspected.output.contains("Patient's Name (0010,0010) differs between copies of one image"),
      "\(inspected.output)")
    #expect(!inspected.output.contains("CORRECTED"))
  }
}
