import Foundation
import TestSupport
import Testing

/// The patient, study and time that a result names.
@Suite(.limitedConcurrency) struct ResultIdentityTests {
  private let folder: TemporaryFolder
  private let input: URL
  private let output: URL

  init() throws {
    folder = try TemporaryFolder()
    input = folder.url.appendingPathComponent("series")
    output = folder.url.appendingPathComponent("results")
    try FileManager.default.copyItem(
      at: TestFiles.fixtures.appendingPathComponent("series/synthetic-1"), to: input)
  }

  /// Runs Python statements for each image of the series, `d` at place `k`, and stores it again.
  private func change(_ statements: String) async throws {
    let script = """
      import glob, sys, pydicom
      pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
      pydicom.config.settings.writing_validation_mode = pydicom.config.IGNORE
      for k, path in enumerate(sorted(glob.glob(sys.argv[1] + "/*"))):
          d = pydicom.dcmread(path)
          \(statements)
          d.save_as(path)
      """
    let result = try await runProcess(testPython, ["-c", script, input.path])
    try #require(result.status == 0, "\(result.output)")
  }

  private func run(timeZone: String = "UTC") async throws -> ProcessResult {
    return try await runProcess(
      segmentdBinary,
      ["run", "--model", "hippocampus", "--output", output.path, input.path],
      environment: ["TZ": timeZone])
  }

  /// Values of the result and of a source image, as pydicom reads them.
  private func values(_ keywords: String...) async throws -> (result: [String], source: [String]) {
    let script = """
      import glob, json, sys, pydicom
      pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
      seg, = glob.glob(sys.argv[1] + "/**/segmentation.dcm", recursive=True)
      source = sorted(glob.glob(sys.argv[2] + "/*"))[0]
      print(json.dumps([[str(pydicom.dcmread(p).get(k, "absent")) for k in sys.argv[3:]]
                        for p in (seg, source)]))
      """
    let result = try await runProcess(
      testPython, ["-W", "ignore", "-c", script, output.path, input.path] + keywords)
    try #require(result.status == 0, "\(result.output)")
    let found = try JSONDecoder().decode([[String]].self, from: Data(result.output.utf8))
    return (found[0], found[1])
  }

  @Test func valuesLongerThanTheirRepresentationReachTheResult() async throws {
    try await change(
      """
      d.SpecificCharacterSet = "ISO_IR 192"
          d.PatientName = "Константинопольский^Александр^Владимирович"
          d.PatientID = "ab" * 35; d.AccessionNumber = "20260101-CT-00012345"
          d.StudyID = "1.2.840.40823.1.1.1.198.1403676817.934.365.92"
          d.PatientBirthDate = "1970-01-01"
      """)
    let result = try await run()
    #expect(result.status == 0, "\(result.output)")
    let values = try await values(
      "PatientName", "PatientID", "AccessionNumber", "StudyID", "PatientBirthDate",
      "SpecificCharacterSet")
    #expect(values.result == values.source)
    #expect(values.result[0] == "Константинопольский^Александр^Владимирович")
  }

  /// Two accession numbers in one series: inspect and run name the attribute, and not the values.
  @Test func imagesThatDisagreeAreHeld() async throws {
    try await change("d.AccessionNumber = 'ACC-1' if k < 8 else 'ACC-2'")
    for arguments in [["inspect", input.path], []] {
      let result =
        arguments.isEmpty ? try await run() : try await runProcess(segmentdBinary, arguments)
      #expect(result.output.contains("Accession Number (0008,0050) differs"), "\(result.output)")
      #expect(!result.output.contains("ACC-"))
      #expect(result.status != 0 || !arguments.isEmpty)
    }
    #expect(!FileManager.default.fileExists(atPath: output.path + "/segmentation.dcm"))
  }

  @Test func whatCannotBeCopiedIsHeldByName() async throws {
    try await change(
      "d['PatientID'] = pydicom.DataElement(0x00100020, 'UN', b'Q' * 70000)")
    let result = try await run()
    #expect(result.status == 2, "\(result.output)")
    #expect(result.output.contains("(0010,0020) PatientID"), "\(result.output)")
    #expect(!result.output.contains("QQQ"))
  }

  /// The dates are those of the images, whatever the clock and the time zone of the process.
  @Test(arguments: ["UTC", "America/New_York", "<+0330>-3:30"])
  func timesAreThoseOfTheLatestImage(zone: String) async throws {
    try await change(
      """
      d.StudyDate = d.SeriesDate = d.ContentDate = d.AcquisitionDate = "20260102"
          d.StudyTime = d.SeriesTime = "101112"; d.ContentTime = d.AcquisitionTime = "1013%02d.5" % k
      """)
    let result = try await run(timeZone: zone)
    #expect(result.status == 0, "\(result.output)")
    let values = try await values(
      "SeriesDate", "SeriesTime", "ContentDate", "ContentTime", "TimezoneOffsetFromUTC"
    ).result
    let count = try FileManager.default.contentsOfDirectory(atPath: input.path).count
    let time = String(format: "1013%02d", count - 1)
    #expect(values == ["20260102", time, "20260102", time, "absent"])
  }

  /// Images without any date, as after de-identification.
  @Test func withoutDatesTheDayIsNone() async throws {
    try await change(
      """
      for k in list(d.keys()):
              if d[k].VR in ("DA", "TM", "DT"): del d[k]
      """)
    let result = try await run()
    #expect(result.status == 0, "\(result.output)")
    let values = try await values("SeriesDate", "ContentDate", "ContentTime").result
    #expect(values == ["19000101", "19000101", "000000"])
  }

  @Test func timesFollowTheOffsetOfTheSource() async throws {
    try await change(
      "d.TimezoneOffsetFromUTC = '-0930'; d.ContentDate = '20991231'; d.ContentTime = '2359'")
    let result = try await run(timeZone: "Asia/Tokyo")
    #expect(result.status == 0, "\(result.output)")
    let values = try await values("TimezoneOffsetFromUTC", "ContentDate", "ContentTime").result
    #expect(values == ["-0930", "20991231", "235900"])
  }
}
