import Foundation
import TestSupport
import Testing

/// The verdict on every series that enters, from storescu to the ledger and a real PACS.
@Suite(.serialized, .limitedConcurrency) struct VerdictTests {
  /// `geometry: {…}` sends one series and returns its job.
  private func job(
    _ setup: DaemonSetup, _ options: String..., pacs: Orthanc? = nil
  ) async throws -> JobRow {
    let series = setup.folder.url.appendingPathComponent("series")
    let script = TestFiles.package.appendingPathComponent(
      "Scripts/test-support/generators/make_series.py")
    let made = try await runProcess(testPython, [script.path, series.path] + options)
    try #require(made.status == 0, "\(made.output)")
    let daemon = try await setup.start()
    #expect(try await setup.send(series).status == 0)
    let job = try #require(try await setup.endedJobs().first)
    if pacs != nil { try await setup.delivered() }
    #expect(try await daemon.end() == 0)
    try await expectTheSameOfInspect(job, setup, series)
    return job
  }

  /// `inspect` says of the folder what the ledger says of the job.
  private func expectTheSameOfInspect(_ job: JobRow, _ setup: DaemonSetup, _ folder: URL)
    async throws
  {
    let inspected = try #require(
      try await Inspection.run("--config", setup.configuration, folder.path).first)
    #expect(inspected.verdict == job.verdict)
    #expect(inspected.reasons == job.verdictReasons)
    let text = try await segmentd("jobs", "--config", setup.configuration, "--job", "\(job.id)")
    let verdict = try #require(job.verdict)
    #expect(text.output.contains("series \(job.seriesInstanceUID): \(verdict)\n"))
    for reason in job.verdictReasons { #expect(text.output.contains("\n  \(reason)\n")) }
    let table = try await segmentd("jobs", "--config", setup.configuration)
    #expect(table.output.contains(" \(verdict) "))
    for reason in job.verdictReasons { #expect(table.output.contains(reason)) }
  }

  /// The result is in the PACS and on the grid of the source images.
  private func expectResult(of job: JobRow, _ setup: DaemonSetup, _ pacs: Orthanc) async throws {
    #expect(job.state == "completed", "\(job.reason ?? "")")
    #expect(try await pacs.segmentations() == [try #require(job.sopInstanceUID)])
    let file = setup.state.appendingPathComponent(try #require(job.segmentations.first).path)
    let places = try await SegmentPlaces.read(
      file, sources: setup.folder.url.appendingPathComponent("series"))
    #expect(!places.sources.isEmpty && places.misplaced == 0)
  }

  @Test func unevenStepsAreResampledByConfigurationAndTheLedgerSaysSo() async throws {
    let setup = try DaemonSetup(more: "geometry: {resampleUnevenSpacing: true}")
    let pacs = try await Orthanc(dicomPort: setup.destinationPort)
    let job = try await job(setup, "--modality", "MR", "--shift", "6", "0.6", pacs: pacs)
    #expect(job.verdict == "repaired")
    #expect(job.verdictReasons.contains { $0.contains("2.6 mm") }, "\(job.verdictReasons)")
    try await expectResult(of: job, setup, pacs)
  }

  @Test func aGapIsFilledByConfigurationAndTheLedgerSaysSo() async throws {
    let setup = try DaemonSetup(more: "geometry: {fillGapsUpTo: 5}")
    let pacs = try await Orthanc(dicomPort: setup.destinationPort)
    let job = try await job(setup, "--modality", "MR", "--without", "7", pacs: pacs)
    #expect(job.verdict == "repaired" && job.instances == 15)
    #expect(job.verdictReasons.contains { $0.contains("4.0 mm") }, "\(job.verdictReasons)")
    try await expectResult(of: job, setup, pacs)
  }

  @Test func aSeriesWithoutASliceIsHeldWithThePlace() async throws {
    let setup = try DaemonSetup(hasDestination: false)
    let job = try await job(setup, "--without", "7")
    #expect(job.state == "held" && job.verdict == "held" && job.sopInstanceUID == nil)
    // Slice 7 is 12 mm from the first, which is at 10 mm.
    #expect(job.reason?.contains("-20.0\\-30.0\\22.0") == true, "\(job.reason ?? "")")
  }

  @Test func aSeriesThatNoRuleTakesIsAssessedToo() async throws {
    let setup = try DaemonSetup(models: ["CT": "untrained-tiny"], hasDestination: false)
    let job = try await job(setup, "--modality", "MR")
    #expect(job.state == "held" && job.reason?.contains("no rule") == true)
    #expect(job.verdict == "accepted" && job.verdictReasons.isEmpty)
  }

  /// Only the pixels show it: what the headers promised does not hold.
  @Test func thePixelsAreAssessedByTheJob() async throws {
    let setup = try DaemonSetup(hasDestination: false)
    let series = setup.folder.url.appendingPathComponent("series")
    try await makeSeries(at: series)
    let change = """
      import pathlib, pydicom, sys
      for file in pathlib.Path(sys.argv[1]).iterdir():
          d = pydicom.dcmread(file)
          d.RescaleIntercept = 9000
          d.save_as(file)
      """
    let changed = try await runProcess(testPython, ["-c", change, series.path])
    try #require(changed.status == 0, "\(changed.output)")
    let daemon = try await setup.start()
    #expect(try await setup.send(series).status == 0)
    let job = try #require(try await setup.endedJobs().first)
    #expect(try await daemon.end() == 0)
    #expect(job.state == "held" && job.verdict == "held")
    #expect(job.reason?.contains("Hounsfield") == true, "\(job.reason ?? "")")
    try await expectTheSameOfInspect(job, setup, series)
    let text = try await segmentd("jobs", "--config", setup.configuration, "--job", "\(job.id)")
    // By its headers, then by its pixels.
    #expect(text.output.contains(" assessed: accepted\n"))
    #expect(text.output.contains(" assessed: held: "))
  }
}
