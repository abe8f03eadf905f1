import Foundation
import TestSupport
import Testing

/// What `segmentd inspect --json` prints.
struct Inspection: Decodable {
  struct Series: Decodable {
    struct Volume: Decodable {
      var dims: [Int]
      var affine: [[Double]]
      var splitBy: [String: String]
      var sopInstanceUIDs: [String]
    }

    var seriesInstanceUID: String
    var verdict: String
    var reasons: [String]
    var volumes: [Volume]
  }

  var series: [Series]

  static func run(_ arguments: String...) async throws -> [Series] {
    let result = try await runProcess(segmentdBinary, ["inspect", "--json"] + arguments)
    // 2 where no image could be read, which the verdicts say too.
    #expect([0, 2].contains(result.status), "\(result.output.suffix(500))")
    // Standard error comes first: the JSON is printed at the end.
    let json = try #require(result.output.range(of: "{\n  \"series\""))
    return try JSONDecoder().decode(
      Inspection.self, from: Data(result.output[json.lowerBound...].utf8)
    ).series
  }
}

/// A series and what the gate must say of it.
struct ExpectedVerdict: CustomTestStringConvertible, Sendable {
  var folder: String
  var verdict: String
  /// Part of a reason; empty where none is due.
  var says: String
  /// Columns, rows, slices of each volume.
  var dims: [[Int]]

  var testDescription: String { folder }

  init(_ folder: String, _ verdict: String, _ says: String = "", dims: [[Int]] = []) {
    self.folder = folder
    self.verdict = verdict
    self.says = says
    self.dims = dims
  }

  func expect(_ series: Inspection.Series, sourceLocation: SourceLocation = #_sourceLocation) {
    let text = series.reasons.joined(separator: "\n")
    #expect(series.verdict == verdict, "\(text)", sourceLocation: sourceLocation)
    #expect(says.isEmpty || text.contains(says), "\(text)", sourceLocation: sourceLocation)
    #expect(series.volumes.map(\.dims) == dims, sourceLocation: sourceLocation)
    #expect(verdict == "accepted" || !text.isEmpty, sourceLocation: sourceLocation)
  }
}

private let whole = [96, 128, 24]

private let defects = [
  ExpectedVerdict("missing_slice", "held", "(the first at -100.0\\-120.0\\33.0)"),
  // Nothing in the headers tells; the count of a PACS or the coverage of a model does.
  ExpectedVerdict("missing_end_slices", "accepted", dims: [[96, 128, 21]]),
  ExpectedVerdict("dup_position_same_pixels", "repaired", "same pixels", dims: [whole]),
  ExpectedVerdict("resent_same_uid", "repaired", "same pixels", dims: [whole]),
  ExpectedVerdict("gantry_tilt_15deg", "repaired", "tilted by 15.0 degrees", dims: [whole]),
  ExpectedVerdict("variable_spacing", "held", "run from 3.0 to 5.0 mm"),
  ExpectedVerdict("slope_per_slice", "accepted", dims: [whole]),
  ExpectedVerdict("localizers_inside", "repaired", "LOCALIZER", dims: [[96, 128, 22]]),
  ExpectedVerdict(
    "three_phases_one_series", "accepted", "3 volumes", dims: [whole, whole, whole]),
  ExpectedVerdict("pixel_padding", "accepted", dims: [whole]),
  ExpectedVerdict("one_slice_other_matrix", "held", "Rows (0028,0010) differs: 128 in"),
  ExpectedVerdict("one_slice_no_position", "held", "(0020,0032) is absent"),
  ExpectedVerdict("instance_number_reversed", "accepted", dims: [whole]),
  ExpectedVerdict("prone_like_iop", "accepted", dims: [whole]),
  ExpectedVerdict("negated_column_cosine_TS598", "accepted", dims: [whole]),
  // No stored value has its highest bit set: both readings are the same.
  ExpectedVerdict("unsigned", "accepted", dims: [whole]),
  ExpectedVerdict("truncated_pixels", "held", "24476 bytes of pixel data", dims: [whole]),
  ExpectedVerdict("pixel_spacing_jitter", "accepted", dims: [whole]),
  ExpectedVerdict(
    "two_frames_of_reference", "held", "1.2.3.4 in 12 images",
    dims: [[96, 128, 12], [96, 128, 12]]),
  ExpectedVerdict("monochrome1", "accepted", dims: [whole]),
  ExpectedVerdict("patient_id_differs_in_one", "held", "Patient ID (0010,0020) differs: hash"),
]

private let real = [
  ExpectedVerdict("ct_blank_uids_original", "held", "(0008,0016) SOPClassUID is missing or empty"),
  ExpectedVerdict("ct_ge_liver_3slice_dcmqi", "accepted", dims: [[512, 512, 3]]),
  ExpectedVerdict(
    "ct_philips_chest_lidc_jpegls", "repaired", "another one in each of 25 images",
    dims: [[512, 512, 25]]),
  ExpectedVerdict(
    "ct_philips_phantom_tilt", "repaired", "tilted by 18.5 degrees", dims: [[512, 512, 7]]),
  ExpectedVerdict("ct_siemens_abdomen_j2k", "accepted", dims: [[512, 512, 20]]),
  ExpectedVerdict(
    "ct_siemens_tilt_4slice", "repaired", "tilted by 14.0 degrees", dims: [[512, 512, 4]]),
  ExpectedVerdict("ct_siemens_tilt_missing_slice", "held", "where the step is 1.4994 mm"),
  ExpectedVerdict("emr_hyperfine", "accepted", dims: [[112, 138, 8]]),
  ExpectedVerdict("emr_philips_anatomical", "accepted", dims: [[256, 256, 8]]),
  ExpectedVerdict(
    "emr_philips_fmri_4d", "accepted", "TemporalPosition",
    dims: Array(repeating: [64, 64, 8], count: 4)),
  ExpectedVerdict(
    "emr_siemens_xa10_4d", "accepted", "4 volumes", dims: Array(repeating: [64, 64, 6], count: 4)),
  ExpectedVerdict(
    "mr_ge_dti_4d_bvalue", "accepted", "InstanceNumber",
    dims: Array(repeating: [64, 64, 4], count: 4)),
  ExpectedVerdict(
    "mr_mixed_orientation", "held", "2 slices, at least 3",
    dims: [[288, 288, 2], [288, 288, 2]]),
  ExpectedVerdict(
    "mr_mosaic_9_transfer_syntaxes", "repaired", "same pixels", dims: [[64, 64, 35]]),
  ExpectedVerdict("mr_per_slice_rescale_nonisotropic", "accepted", dims: [[64, 28, 4]]),
  ExpectedVerdict(
    "mr_philips_4d_triggertime", "accepted", "8 volumes",
    dims: Array(repeating: [80, 80, 6], count: 8)),
  ExpectedVerdict(
    "mr_sagittal_transfer_syntaxes/compressed_j2k", "accepted", "(0020,0052)",
    dims: [[256, 256, 4]]),
  ExpectedVerdict("mr_sagittal_transfer_syntaxes/explicit_le", "accepted", dims: [[256, 256, 4]]),
  ExpectedVerdict("mr_two_slices", "held", "2 slices, at least 3", dims: [[256, 256, 2]]),
  ExpectedVerdict(
    "seg_bitpacking_23x38x3/image", "held", "(0028,1054) \"US\"", dims: [[23, 38, 3]]),
  ExpectedVerdict("sts_002_tumour/PET", "accepted", "not an original image", dims: [[30, 27, 48]]),
  ExpectedVerdict(
    "sts_002_tumour/MR_T1", "accepted", "not an original image",
    dims: [[115, 90, 35]]),
  ExpectedVerdict("sts_002_tumour/PET_rtstruct", "held", "is not an image"),
]

/// Series on disk through the command that assesses them.
@Suite(
  .limitedConcurrency,
  .enabled(if: TestFiles.shared != nil, Comment(rawValue: TestFiles.sharedIsMissing)))
struct InspectTests {
  @Test func everyDefectGetsItsVerdict() async throws {
    let probes = try #require(TestFiles.shared).appendingPathComponent("probes")
    let folder = try TemporaryFolder()
    for script in ["make_ct_and_seg.py", "series_defects.py"] {
      let path = probes.appendingPathComponent(script).path
      let made = try await runProcess(
        "/bin/sh", ["-c", "cd '\(folder.url.path)' && '\(testPython)' '\(path)'"])
      #expect(made.status == 0, "\(made.output.suffix(500))")
    }
    for defect in defects {
      let path = folder.url.appendingPathComponent("corpus/\(defect.folder)").path
      let series = try await Inspection.run(path)
      #expect(series.count == 1)
      defect.expect(try #require(series.first))
      // Neither name nor birth date nor ID of a patient may leave the gate.
      let text = series.flatMap(\.reasons).joined()
      #expect(!text.contains("Test^One") && !text.contains("19700101") && !text.contains("\"P"))
    }
    let cut = folder.url.appendingPathComponent("corpus/missing_end_slices").path
    let counted = try await Inspection.run("--expected-instances", "24", cut)
    #expect(counted.map(\.verdict) == ["held"])
    #expect(counted[0].reasons[0].contains("21 instances where 24 are due: 3 are missing"))
  }

  @Test(arguments: real) func everyRealSeriesGetsItsVerdict(_ expected: ExpectedVerdict)
    async throws
  {
    let data = try #require(TestFiles.shared).appendingPathComponent("realdata")
    var folder = data.appendingPathComponent(expected.folder)
    let inner = folder.appendingPathComponent("dicom")
    if FileManager.default.fileExists(atPath: inner.path) { folder = inner }
    let series = try await Inspection.run(folder.path)
    #expect(series.count == 1)
    expected.expect(try #require(series.first))
  }
}

/// Objects of every kind, as pydicom ships them: other modalities, reports, plans, waveforms, colour,
/// directories, damaged files.
@Suite(.limitedConcurrency) struct OtherObjectsTests {
  @Test func eachIsNamedOrRefused() async throws {
    let found = try await runProcess(
      testPython, ["-c", "import pydicom.data; print(pydicom.data.DATA_ROOT)"])
    let root = found.output.trimmingCharacters(in: .whitespacesAndNewlines)
    let folder = URL(fileURLWithPath: root).appendingPathComponent("test_files")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      .filter { $0.hasSuffix(".dcm") }.sorted()
    try #require(files.count > 60)
    // Each alone, so that none hides behind another.
    for file in files {
      let path = folder.appendingPathComponent(file).path
      let result = try await runProcess(segmentdBinary, ["inspect", "--json", path])
      #expect((0...2).contains(result.status), "\(file): \(result.output)")
      #expect(!result.output.contains("\"verdict\" : \"accepted\""), "\(file)")
      #expect(result.output.count > 40, "\(file) is passed over in silence")
    }
    // And all together: series of one study, a CT of five slices among them.
    let series = try await Inspection.run(folder.path)
    #expect(series.count > 20)
    let usable = series.filter { $0.verdict != "held" }
    #expect(usable.map { $0.volumes.map(\.dims) } == [[[16, 16, 5]]])
  }
}
