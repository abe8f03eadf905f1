import Foundation
import GeometryGate
import TestSupport
import Testing
import Volumes

@testable import DICOM

/// Real scanners' series against an independent reassembly by pydicom and numpy.
@Suite(.enabled(if: TestFiles.shared != nil, Comment(rawValue: TestFiles.sharedIsMissing)))
struct RealSeriesTests {
  /// One volume as `expected.json` describes it.
  struct Expected: Decodable {
    var dims: [Int]
    var affineLps: [[Double]]
    var slopes: [[Double]]
    var modalityMinMaxMean: [Double]
    var sha256StoredInt32LeKji: String
  }

  /// The images below a folder, by series.
  struct Images {
    var series: [String: [ImageFrame]] = [:]
    var files: [String: String] = [:]
  }

  static let folders = [
    "ct_siemens_abdomen_j2k", "ct_philips_chest_lidc_jpegls", "ct_philips_phantom_tilt",
    "ct_siemens_tilt_4slice", "mr_two_slices",
    "mr_sagittal_transfer_syntaxes/compressed_j2k", "mr_sagittal_transfer_syntaxes/compressed_jpeg",
    "mr_sagittal_transfer_syntaxes/compressed_jpegls",
    "mr_sagittal_transfer_syntaxes/compressed_rle", "mr_sagittal_transfer_syntaxes/explicit_le",
    "mr_per_slice_rescale_nonisotropic", "emr_philips_anatomical", "emr_philips_fmri_4d",
    "emr_hyperfine", "emr_siemens_xa10_4d", "mr_mixed_orientation", "mr_ge_dti_4d_bvalue",
    "mr_philips_4d_triggertime", "sts_002_tumour",
  ]

  @Test(arguments: folders) func gridAndPixelsEqualTheReference(folder: String) throws {
    let images = try images(in: folder)
    var rules = GeometryRules()
    rules.minimumSlices = 2
    rules.acceptsDerivedImages = true
    let assessments = images.series.values.map { assessPlaces(of: $0, rules) }
    let stacks = assessments.flatMap(\.volumes).map(\.stack)
    let expected = try expected(in: folder)
    var digests: [String: SliceStack] = [:]
    for stack in stacks { digests[try digest(stack, images.files)] = stack }
    for reference in expected {
      let problems = images.series.values.flatMap { assessPlaces(of: $0, rules).problems }
      let stack = try #require(
        digests[reference.sha256StoredInt32LeKji],
        "no volume has the stored pixels: \(problems)")
      expectEqual(stack.grid, reference)
      let volume = try PixelReader.read(stack) { images.files[$0] }
      expectEqual(volume, reference, hasPadding: stack.frames[0].pixelPaddingValue != nil)
    }
    #expect(stacks.count == expected.count)
  }

  @Test func nineTransferSyntaxesGiveTheSamePixels() throws {
    let folder = try folder("mr_mosaic_9_transfer_syntaxes/dicom")
    var digests: Set<String> = []
    var syntaxes: Set<TransferSyntax> = []
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      let decoder = try FrameDecoder(path: folder.appendingPathComponent(name).path)
      syntaxes.insert(decoder.file.transferSyntax)
      digests.insert(try sha256(decoder.storedValues(frame: 1)))
    }
    #expect(
      digests == [
        try expected(in: "mr_mosaic_9_transfer_syntaxes")[0]
          .sha256StoredInt32LeKji
      ])
    #expect(syntaxes.count >= 7)
  }

  @Test func enhancedCTAndGESignedPixelsEqualTheReference() throws {
    for (path, folder) in [
      ("emr_ect_small_pydicom/dicom/eCT_Supplemental.dcm", "emr_ect_small_pydicom"),
      ("ct_ge_liver_3slice_dcmqi/dicom", "ct_ge_liver_3slice_dcmqi"),
    ] {
      let images = try images(in: path)
      var rules = GeometryRules()
      rules.minimumSlices = 2
      rules.acceptsDerivedImages = true
      let problems = images.series.values.flatMap { assessPlaces(of: $0, rules).problems }
      let stack = try #require(
        images.series.values.first.flatMap {
          assessPlaces(of: $0, rules).volumes.first?.stack
        }, "\(problems)")
      let reference = try expected(in: folder)[0]
      #expect(try digest(stack, images.files) == reference.sha256StoredInt32LeKji)
      expectEqual(stack.grid, reference)
      let volume = try PixelReader.read(stack) { images.files[$0] }
      #expect(try #require(volume.voxels.min()) == -1024)
    }
  }

  @Test func framesWithoutAPlaceHaveNoPosition() throws {
    let folder = try folder("emr_ect_small_pydicom/dicom")
    var digests: Set<String> = []
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path)
    where name.hasPrefix("emri_small") && !name.contains("too_short") {
      let path = folder.appendingPathComponent(name).path
      let frames = (try? DICOMFile(path: path).imageFrames()) ?? []
      #expect(assess(frames: frames, rules: GeometryRules()).verdict == .held)
      digests.insert(try sha256(FrameDecoder(path: path).storedValues(frame: 10)))
    }
    #expect(digests.count == 1)
  }

  @Test func aCutOffCodestreamIsRefused() throws {
    let path = try folder(
      "emr_ect_small_pydicom/dicom/emri_small_jpeg_2k_lossless_too_short.dcm"
    ).path
    #expect(throws: DICOMError.self) {
      let decoder = try FrameDecoder(path: path)
      for frame in 1...10 { _ = try decoder.storedValues(frame: frame) }
    }
  }

  @Test(arguments: [
    "mr_sagittal_transfer_syntaxes/compressed_j2k", "mr_sagittal_transfer_syntaxes/compressed_jpeg",
    "mr_sagittal_transfer_syntaxes/compressed_jpegls",
    "mr_sagittal_transfer_syntaxes/compressed_rle",
  ])
  func halfACodestreamIsNeverAnImage(folder name: String) throws {
    let source = try folder(name).appendingPathComponent("IM-0001-0001-0001.dcm")
    let structure = try DICOMFile(path: source.path).structure
    var bytes = try Data(contentsOf: source)
    let fragment = try #require(structure.pixelData?.fragments.last)
    // The second half of the codestream is overwritten, as by a sender that lost it.
    let middle = (fragment.lowerBound + fragment.upperBound) / 2
    bytes.replaceSubrange(
      middle..<fragment.upperBound, with: Data(repeating: 0, count: fragment.upperBound - middle))
    let temporary = try TemporaryFolder()
    let path = temporary.url.appendingPathComponent("half.dcm").path
    try bytes.write(to: URL(fileURLWithPath: path))
    #expect(throws: DICOMError.self) { try FrameDecoder(path: path).storedValues(frame: 1) }
  }

  @Test func blankIdentifiersAreRefused() throws {
    let folder = try folder("ct_blank_uids_original/dicom")
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      let file = try DICOMFile(path: folder.appendingPathComponent(name).path)
      #expect(throws: DICOMError.missingAttribute(file: file.path, tag: .sopClassUID)) {
        try file.identity()
      }
    }
  }

  // MARK: Help

  private func folder(_ name: String) throws -> URL {
    try #require(TestFiles.shared).appendingPathComponent("realdata/\(name)")
  }

  private func expected(in name: String) throws -> [Expected] {
    let json = try Data(contentsOf: folder(name).appendingPathComponent("expected.json"))
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode([Expected].self, from: json)
  }

  private func images(in name: String) throws -> Images {
    let root = try folder(name)
    let below = FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil)
    let urls = (below?.compactMap { $0 as? URL } ?? []) + [root]
    var images = Images()
    for url in urls {
      guard let file = try? DICOMFile(path: url.path), file.dataset.contains(.rows) else {
        continue
      }
      for frame in try file.imageFrames() {
        images.series[frame.seriesInstanceUID, default: []].append(frame)
        images.files[frame.sopInstanceUID] = file.path
      }
    }
    return images
  }

  /// The verdict with one frame of reference for all: many of these series lack it or differ in
  /// it slice by slice since they were anonymised, which alone holds them.
  private func assessPlaces(of frames: [ImageFrame], _ rules: GeometryRules) -> SeriesAssessment {
    var original: [String: ImageFrame] = [:]
    let withReference = frames.map { frame in
      original["\(frame.sopInstanceUID)/\(frame.frameNumber ?? 0)"] = frame
      var frame = frame
      frame.frameOfReferenceUID = "2.25.1"
      // The phantom's enhanced CT says "unspecified".
      if frame.rescaleType == "US" { frame.rescaleType = nil }
      return frame
    }
    var assessment = assess(frames: withReference, rules: rules)
    for volume in assessment.volumes.indices {
      assessment.volumes[volume].stack.frames = assessment.volumes[volume].stack.frames.map {
        original["\($0.sopInstanceUID)/\($0.frameNumber ?? 0)"] ?? $0
      }
    }
    return assessment
  }

  private func digest(_ stack: SliceStack, _ files: [String: String]) throws -> String {
    var values: [Int32] = []
    for frame in stack.frames {
      let decoder = try FrameDecoder(path: #require(files[frame.sopInstanceUID]))
      values += try decoder.storedValues(frame: frame.frameNumber ?? 1)
    }
    return try sha256(values)
  }

  private func sha256(_ values: [Int32]) throws -> String {
    let folder = try TemporaryFolder()
    let url = folder.url.appendingPathComponent("values")
    try values.withUnsafeBytes { Data($0) }.write(to: url)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/sha256sum")
    process.arguments = [url.path]
    let output = Pipe()
    defer { try? output.fileHandleForReading.close() }
    process.standardOutput = output
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    return String(text.prefix(64))
  }

  private func expectEqual(_ grid: VolumeGrid, _ reference: Expected) {
    #expect([grid.columns, grid.rows, grid.slices] == reference.dims)
    let axes = [grid.affine.column, grid.affine.row, grid.affine.slice, grid.affine.origin]
    for (column, axis) in axes.enumerated() {
      for row in 0..<3 {
        #expect(abs(axis[row] - reference.affineLps[row][column]) < 1e-3)
      }
    }
  }

  private func expectEqual(_ volume: Volume, _ reference: Expected, hasPadding: Bool) {
    guard !hasPadding else { return }
    let values = volume.voxels.map(Double.init)
    let mean = values.reduce(0, +) / Double(values.count)
    let found = [values.min() ?? 0, values.max() ?? 0, mean]
    for (value, wanted) in zip(found, reference.modalityMinMaxMean) {
      #expect(abs(value - wanted) <= 1e-5 * max(1, abs(wanted)))
    }
  }
}
