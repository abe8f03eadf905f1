import Foundation
import TestSupport
import Testing

/// The same images, model and settings give the same object, byte for byte, and a PACS has it once.
@Suite(.serialized, .limitedConcurrency) struct DeterminismTests {
  private let folder: TemporaryFolder
  private var series: URL { folder.url.appendingPathComponent("series") }

  init() throws { folder = try TemporaryFolder() }

  /// The object that `run` makes of the series, with its picture.
  private func run(
    _ name: String, threads: Int = 1, model: String = "untrained-tiny", timeZone: String = "UTC",
    options: [String] = [], environment: [String: String] = [:]
  ) async throws -> (object: Data, picture: Data) {
    let output = folder.url.appendingPathComponent(name)
    let models = TestFiles.fixtures.appendingPathComponent("models").path
    let result = try await runProcess(
      segmentdBinary,
      [
        "run", "--models", models, "--model", model, "--threads", "\(threads)", "--output",
        output.path, series.path,
      ] + options, environment: ["TZ": timeZone].merging(environment) { $1 })
    #expect(result.status == 0, "\(result.output)")
    let made = try #require(
      try FileManager.default.contentsOfDirectory(
        at: output, includingPropertiesForKeys: nil
      ).first)
    return (
      try Data(contentsOf: made.appendingPathComponent("segmentation.dcm")),
      try Data(contentsOf: made.appendingPathComponent("contours.png"))
    )
  }

  private func object(_ setup: DaemonSetup, _ job: JobRow?) throws -> Data {
    let path = try #require(job?.segmentations.first).path
    return try Data(contentsOf: setup.state.appendingPathComponent(path))
  }

  private func reprocess(_ setup: DaemonSetup, _ study: String, _ options: String...) async throws {
    let result = try await runProcess(
      segmentdBinary,
      ["reprocess", "--config", setup.configuration, "--study", study] + options)
    #expect(result.status == 0, "\(result.output)")
  }

  /// UIDs of an object, and of the series that it replaces, as pydicom reads them.
  private struct UIDs: Decodable {
    var series: String
    var own: [String]
    var replaces: [String]
  }

  private func uids(_ object: Data) async throws -> UIDs {
    let file = folder.url.appendingPathComponent("\(UUID().uuidString).dcm")
    try object.write(to: file)
    let script = """
      import json, sys, pydicom
      d = pydicom.dcmread(sys.argv[1])
      own = [d.SeriesInstanceUID, d.SOPInstanceUID,
             d.DimensionOrganizationSequence[0].DimensionOrganizationUID]
      print(json.dumps({"series": d.SeriesInstanceUID, "own": own, "replaces":
          [item.SeriesInstanceUID for item in d.get("RelatedSeriesSequence", [])]}))
      """
    let result = try await runProcess(testPython, ["-c", script, file.path])
    return try JSONDecoder().decode(UIDs.self, from: Data(result.output.utf8))
  }

  @Test func whoeverMakesAResultMakesTheSameAndSendsItOnce() async throws {
    let uids = try await makeSeries(at: series, "--slices", "60", "--size", "160")
    let wanted = try await run("one", threads: 1)
    let other = try await run("two", threads: 2, timeZone: "Asia/Kathmandu")
    #expect(other.object == wanted.object && other.picture == wanted.picture)

    let setup = try DaemonSetup(more: JobGate.everyPatch)
    let pacs = try await Orthanc(dicomPort: setup.destinationPort)
    let gate = try await JobGate(setup, at: .second)
    var daemon = try await setup.start(environment: gate.environment)
    #expect(try await setup.send(series).status == 0)
    try await gate.job()
    try await daemon.end(SIGKILL)
    daemon = try await setup.start(environment: ["TZ": "America/New_York"])
    #expect(try await object(setup, setup.endedJobs().first) == wanted.object)
    try await setup.delivered()
    let held = try await pacs.segmentations()
    #expect(held.count == 1)

    // Sent again and asked for again: what is there is the result.
    #expect(try await setup.send(series).status == 0)
    try await reprocess(setup, uids.study)
    var jobs = try await setup.endedJobs(2)
    #expect(jobs.count == 2 && jobs.allSatisfy { $0.state == "completed" })
    #expect(try await daemon.end() == 0)
    // Lost here, and made again: the PACS has it.
    try FileManager.default.removeItem(at: setup.state.appendingPathComponent("results/1"))
    try await reprocess(setup, uids.study)
    jobs = try await setup.endedJobs(3)
    #expect(try object(setup, jobs.last) == wanted.object)
    #expect(jobs.flatMap(\.deliveries).allSatisfy { $0.state == "delivered" && $0.attempts == 1 })
    #expect(try await pacs.segmentations() == held)

    try await reprocess(setup, uids.study, "--force")
    let forced = try object(setup, try await setup.endedJobs(4).last)
    #expect(try await pacs.segmentations().count == 2)
    let before = try await self.uids(wanted.object)
    let after = try await self.uids(forced)
    #expect(before.replaces == [] && after.replaces == [before.series])
    #expect(Set(before.own + after.own).count == 6)
  }

  /// Those that this processor has, but for the fastest one of many.
  private static let commonSets: [String] = {
    let processor = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let flags = Set(processor.split { $0 == " " || $0 == "\n" })
    return ["portable"] + (flags.isSuperset(of: ["avx2", "fma"]) ? ["avx2"] : [])
  }()

  /// As on a site with processors of several kinds: neither what the program would choose by itself, nor what OpenBLAS
  /// or the C library find, changes a byte, by `run` and by the daemon.
  @Test(arguments: commonSets)
  func theInstructionSetOfTheConfigurationIsTheOnlyOneThatCounts(set: String) async throws {
    // Several patches; probabilities show what labels of so few voxels would not.
    try await makeSeries(at: series, "--slices", "40", "--size", "96")
    let setup = try DaemonSetup(
      more: "inference: {instructionSet: \(set)}\nresults: {fractional: true}",
      hasDestination: false)
    let options = ["--config", setup.configuration]
    func fractional(_ name: String) throws -> Data {
      let output = folder.url.appendingPathComponent(name)
      let made = try #require(
        try FileManager.default.contentsOfDirectory(at: output, includingPropertiesForKeys: nil)
          .first)
      return try Data(contentsOf: made.appendingPathComponent("fractional.dcm"))
    }
    let wanted = try await run("one", options: options)
    let probabilities = try fractional("one")
    for (number, environment) in [
      ["OPENBLAS_CORETYPE": "Prescott", "SEGMENTD_ISA": "portable"],
      [
        "OPENBLAS_CORETYPE": "Haswell", "SEGMENTD_ISA": "avx2",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW",
      ],
    ].enumerated() {
      let other = try await run(
        "other-\(number)", threads: 2, options: options, environment: environment)
      #expect(other.object == wanted.object, "\(environment)")
      #expect(try fractional("other-\(number)") == probabilities, "\(environment)")
    }
    let daemon = try await setup.start(environment: ["OPENBLAS_CORETYPE": "Nehalem"])
    #expect(try await setup.send(series).status == 0)
    let job = try #require(try await setup.endedJobs().first)
    #expect(try object(setup, job) == wanted.object)
    let path = try #require(job.objects.first { $0.kind == "fractional" }).path
    #expect(try Data(contentsOf: setup.state.appendingPathComponent(path)) == probabilities)
    #expect(try await daemon.end() == 0)

    // Results of before keep their UIDs.
    func rewrite(_ old: String, _ new: String) throws {
      try String(contentsOfFile: setup.configuration, encoding: .utf8)
        .replacingOccurrences(of: old, with: new)
        .write(toFile: setup.configuration, atomically: true, encoding: .utf8)
    }
    try rewrite("instructionSet: \(set)", "instructionSet: fastest")
    let fastest = try await run("fastest", options: options)
    let other = try await run(
      "free", options: options,
      environment: ["SEGMENTD_ISA": set == "avx2" ? "portable" : set])
    #expect(other.object.count == fastest.object.count)
    if set == "avx2" {
      // That the comparisons above can fail.
      #expect(try fractional("free") != fractional("fastest"))
    }
    try rewrite("inference: {instructionSet: fastest}", "")
    let unnamed = try await run("unnamed", options: options)
    #expect(try await uids(fastest.object).series == uids(unnamed.object).series)
    #expect(try await uids(wanted.object).series != uids(unnamed.object).series)
  }

  @Test func anotherModelOrAnotherHeaderGivesOtherUIDs() async throws {
    let uids = try await makeSeries(at: series)
    let models = folder.url.appendingPathComponent("models")
    try FileManager.default.copyItem(
      at: TestFiles.fixtures.appendingPathComponent("models"), to: models)
    let setup = try DaemonSetup()
    let text = try String(contentsOfFile: setup.configuration, encoding: .utf8)
    try text.replacingOccurrences(
      of: TestFiles.fixtures.appendingPathComponent("models").path, with: models.path
    ).write(toFile: setup.configuration, atomically: true, encoding: .utf8)
    let pacs = try await Orthanc(dicomPort: setup.destinationPort)
    var daemon = try await setup.start()
    #expect(try await setup.send(series).status == 0)
    let first = try await object(setup, setup.endedJobs().first)
    try await setup.delivered()
    #expect(try await daemon.end() == 0)

    // A new version of the model.
    let document = models.appendingPathComponent("untrained-tiny/model.yaml")
    let model = try String(contentsOf: document, encoding: .utf8)
    try model.replacingOccurrences(of: "version: 1.0.0", with: "version: 1.0.1")
      .write(to: document, atomically: true, encoding: .utf8)
    daemon = try await setup.start()
    try await reprocess(setup, uids.study)
    _ = try await setup.endedJobs(2)
    try await reprocess(setup, uids.study)
    let second = try await object(setup, setup.endedJobs(3).last)
    try await setup.delivered()
    #expect(try await pacs.segmentations().count == 2)
    let (before, after) = (try await self.uids(first), try await self.uids(second))
    #expect(before.replaces == [] && after.replaces == [before.series])
    #expect(Set(before.own + after.own).count == 6)
    #expect(try await daemon.end() == 0)

    // A header of one image: other UIDs, by `run` too.
    let original = try await run("original")
    let file = try #require(
      try FileManager.default.contentsOfDirectory(atPath: series.path).sorted().first)
    let changed = try await runProcess(
      "/usr/bin/dcmodify",
      ["-nb", "-i", "ImageComments=corrected", series.appendingPathComponent(file).path])
    try #require(changed.status == 0, "\(changed.output)")
    let corrected = try await run("corrected")
    let others = try await self.uids(original.object).own + self.uids(corrected.object).own
    #expect(Set(others).count == 6)
  }
}
