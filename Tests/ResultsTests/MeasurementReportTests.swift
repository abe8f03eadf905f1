import DICOM
import Foundation
import TestSupport
import Testing
import Volumes

@testable import Results

/// Other programs read our reports, and measure the same.
@Suite struct MeasurementReportTests {
  /// dciodvfy finds no error, dsrdump a Comprehensive 3D SR without a warning.
  private func expectValid(_ path: String) async throws -> String {
    let check = try await runProcess("/usr/bin/dciodvfy", [path])
    #expect(check.output.split(separator: "\n").filter { $0.hasPrefix("Error") } == [])
    #expect(check.output.contains("Comprehensive3DSR"))
    // Converted, it is in a character set that DCMTK's checker does not know.
    let dump = try await runProcess("/usr/bin/dsrdump", ["+U8", "+Pl", path])
    #expect(dump.status == 0)
    let complaints = dump.output.split(separator: "\n").filter {
      ($0.hasPrefix("W: ") || $0.hasPrefix("E: ")) && !$0.contains("Specific Character Set")
    }
    #expect(complaints == [])
    return dump.output
  }

  private func expectReader(_ written: ReportSeries) async throws -> [String] {
    let script = TestFiles.package.appendingPathComponent(
      "Scripts/test-support/readers/read_report.py")
    let result = try await runProcess(
      testPython,
      [script.path, written.path, try written.images.path, written.segmentation.path])
    #expect(result.status == 0, "\(result.output)")
    return result.output.split(separator: "\n").map(String.init)
  }

  @Test func measurementsAreThoseOfAnotherProgram() async throws {
    let written = try ReportSeries()
    try written.write()
    try written.report.prove(written.path)
    _ = try await expectValid(written.path)
    #expect(
      try await expectReader(written)
        == [
          "Right kidney: cm3 [hnsf'U] mm equal", "OEsophagus: cm3 [hnsf'U] mm equal",
        ].map { $0.replacingOccurrences(of: "OE", with: "?") })
  }

  @Test func obliquePlanesAreMeasuredAlongTheirNormal() async throws {
    let written = try ReportSeries(
      .init(slices: 5, orientation: ["0.8", "0.6", "0", "0", "0", "-1"]))
    try written.write()
    try written.report.prove(written.path)
    _ = try await expectReader(written)
  }

  @Test func framesOfAMultiFrameSourceAreMeasured() async throws {
    let written = try ReportSeries(.init(isMultiFrame: true))
    try written.write()
    try written.report.prove(written.path)
    let dump = try await expectValid(written.path)
    #expect(dump.contains("MR signal intensity") && dump.contains("[arb'U]"))
  }

  /// One voxel, a row of voxels and a plane of them have no extent across.
  @Test func smallRegionsHaveNoExtentAcross() async throws {
    let written = try ReportSeries(labels: { grid in
      var labels = LabelVolume(grid: grid, labels: [UInt8](repeating: 0, count: grid.voxelCount))
      labels.labels[47] = 5
      for column in 0..<5 { labels.labels[90 + column] = 1 }
      for pixel in 0..<45 { labels.labels[180 + pixel] = 2 }
      return labels
    })
    let found = written.report.segmentations[0].segments.map(\.measurement)
    #expect(found.map(\.voxels) == [1, 45, 5])
    #expect(found[0].axes == [0, 0, 0] && found[0].standardDeviation == 0)
    #expect(found[1].axes[2] == 0 && found[1].axes[1] > 0)
    #expect(Array(found[2].axes[1...]) == [0, 0])
    // Five voxels at 0.75 mm: the variance of 0 to 4 is 2.
    #expect(abs(found[2].axes[0] - 4 * 0.75 * 2.0.squareRoot()) < 1e-9)
    #expect(abs(found[1].millilitres - 45 * 0.5 * 0.75 * 2.5 / 1000) < 1e-12)
    try written.write()
    try written.report.prove(written.path)
    _ = try await expectReader(written)
  }

  @Test func aUnitIsNamedOnlyWhereItIsKnown() async throws {
    let other = try ReportSeries(change: { $0.set(.rescaleType, .LO, "US") })
    try other.write()
    try other.report.prove(other.path)
    let dump = try await runProcess("/usr/bin/dsrdump", ["+U8", other.path]).output
    #expect(dump.contains("[arb'U]") && !dump.contains("hnsf"))
    let stated = try ReportSeries(change: { $0.set(.rescaleType, .LO, "HU") })
    try stated.write()
    try stated.report.prove(stated.path)
    #expect(
      try await runProcess("/usr/bin/dsrdump", ["+U8", stated.path]).output.contains("[hnsf'U]"))
  }

  /// A reader can tell that the model ran, on which images, and what it did not find.
  @Test func nothingFoundIsSaid() async throws {
    var origin = PhantomLabels.origin
    origin.remarks = ["brighter than any training volume"]
    let written = try ReportSeries(
      labels: { LabelVolume(grid: $0, labels: [UInt8](repeating: 0, count: $0.voxelCount)) },
      origin: origin)
    #expect(written.report.segmentations == [])
    try written.write()
    try written.report.prove(written.path)
    let dump = try await expectValid(written.path)
    #expect(dump.contains("All algorithms succeeded; without findings"))
    #expect(dump.contains("phantom 1.0.0 found none of: Right kidney, Spleen, ?sophagus"))
    #expect(dump.contains("Warning: brighter than any training volume"))
    #expect(dump.components(separatedBy: "CT image").count == 7)
    #expect(!dump.contains("Imaging Measurements"))
    let dataset = try DICOMFile(path: written.path).dataset
    #expect(dataset.text(.seriesDescription)?.hasSuffix("(research use only)") == true)
  }

  @Test func theHeartsFunctionFollowsFromItsVolumes() async throws {
    let heart = try HeartReport()
    let path = heart.path
    let report = heart.report()
    #expect(try report.write(to: path) == .written)
    try report.prove(path)
    let dump = try await expectValid(path)
    let voxel = HeartReport.voxel
    for line in [
      "\"Left Ventricular ED Volume\")=\"\(ReportNumber.text(80 * voxel))\" (ml,",
      "\"Left Ventricular ES Volume\")=\"\(ReportNumber.text(20 * voxel))\" (ml,",
      "\"Stroke Volume\")=\"\(ReportNumber.text(60 * voxel))\" (ml,",
      "\"Left ventricular ejection fraction by CT\")=\"75\" (%,",
      "\"Left Ventricle Mass\")=\"\(ReportNumber.text(40 * voxel * 1.05))\" (g,",
      "(416190007,SCT,\"End diastole\")", "(416430001,SCT,\"End Systole\")",
    ] { #expect(dump.contains(line), "\(line)") }
    // A volume that is not that of the written object.
    var other = heart.measured
    other[1].segments[0].measurement.millilitres *= 1.01
    let wrong = heart.report(other)
    #expect(try wrong.write(to: path) == .written)
    #expect(throws: ProofError.self) { try wrong.prove(path) }
  }

  @Test func theSameReportHasTheSameBytes() throws {
    let first = try ReportSeries()
    try first.write()
    let bytes = try Data(contentsOf: URL(fileURLWithPath: first.path))
    try first.write()
    #expect(try Data(contentsOf: URL(fileURLWithPath: first.path)) == bytes)
    var origin = PhantomLabels.origin
    origin.remarks = ["unusual"]
    let other = try ReportSeries(origin: origin)
    #expect(
      first.report.identifiers.seriesInstanceUID == other.report.identifiers.seriesInstanceUID)
    #expect(first.report.identifiers.sopInstanceUID != other.report.identifiers.sopInstanceUID)
    #expect(
      first.report.identifiers.seriesInstanceUID
        != PhantomLabels.identifiers.seriesInstanceUID)
  }

  /// UIDs of anonymisers may have leading zeros.
  @Test func sourceUIDsAreTakenAsTheyAre() throws {
    var number = 0
    let written = try ReportSeries(change: { dataset in
      number += 1
      dataset.set(.sopInstanceUID, .UI, "1.2.00\(number)")
      dataset.set(.seriesInstanceUID, .UI, "1.02.3")
      dataset.set(.frameOfReferenceUID, .UI, "1.02.4")
    })
    try written.write()
    try written.report.prove(written.path)
  }
}
