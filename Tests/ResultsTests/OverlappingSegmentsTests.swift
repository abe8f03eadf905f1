import DICOM
import Foundation
import Terminology
import TestSupport
import Testing
import Volumes

@testable import Results

/// Segments that share labels, such as the whole tumour and its core.
@Suite struct OverlappingSegmentsTests {
  private let series: PhantomSeries
  private let labels: LabelVolume
  private let path: String

  /// The union of labels 1 and 5, label 5 alone, and one that is nowhere.
  private static let segments = [
    segment(1, [1, 5], "Whole"), segment(2, [5], "Core"), segment(3, [2], "Absent"),
  ]

  private static func segment(_ value: UInt8, _ labels: Set<UInt8>, _ name: String)
    -> SegmentDescription
  {
    SegmentDescription(
      value: value, labels: labels, name: name, category: PhantomLabels.anatomy,
      type: CodedConcept(value: "108369006", scheme: "SCT", meaning: "Neoplasm"),
      color: [value, 100, 200])
  }

  init() throws {
    series = try PhantomSeries()
    labels = PhantomLabels.volume(on: series.stack.grid)
    path = series.folder.url.appendingPathComponent("seg.dcm").path
  }

  private func write(_ segments: [SegmentDescription]) throws -> WriteOutcome {
    try series.segmentation(labels, segments: segments).write(to: path)
  }

  private func prove(_ labels: LabelVolume? = nil) throws {
    try series.segmentation(labels ?? self.labels, segments: Self.segments).prove(path)
  }

  @Test func everyVoxelOfEverySegmentIsProved() throws {
    #expect(try write(Self.segments) == .written)
    let items = try DICOMFile(path: path).dataset.items(.segmentSequence)
    #expect(items.map { $0.text(.segmentLabel) } == ["Whole", "Core"])
    try prove()
    // Label 1 in place of 5 changes the core alone; label 2 in place of 1 the whole as well.
    for (from, to) in [(UInt8(5), UInt8(1)), (1, 2), (1, 0)] {
      var other = labels
      let voxel = try #require(other.labels.firstIndex(of: from))
      other.labels[voxel] = to
      #expect(throws: ProofError.self) { try prove(other) }
    }
    let (dataset, pixels) = try DICOMFile.withNativePixels(path: path)
    #expect(dataset.text(.segmentsOverlap) == "YES")
    for byte in stride(from: 0, to: pixels.count - 1, by: 3) {
      var (changed, bits) = (dataset, pixels)
      bits[byte] ^= 1
      changed.set(.pixelData, .OB, bytes: bits)
      try changed.write(to: path)
      #expect(throws: ProofError.self, "byte \(byte)") { try prove() }
    }
  }

  @Test func unionsThatShareNothingDoNotOverlap() throws {
    let segments = [Self.segment(1, [1, 2], "A"), Self.segment(2, [5], "B")]
    _ = try write(segments)
    let dataset = try DICOMFile.withNativePixels(path: path).0
    #expect(dataset.text(.segmentsOverlap) == "NO")
    try series.segmentation(labels, segments: segments).prove(path)
  }

  @Test func labelsThatNoSegmentHoldsAreAnError() {
    #expect(throws: SegmentationError.unknownLabel(value: 1)) {
      try write([Self.segment(1, [5], "Core")])
    }
    #expect(throws: SegmentationError.self) { try write([Self.segment(1, [], "None")]) }
    #expect(throws: SegmentationError.self) { try write([Self.segment(1, [0, 1, 5], "All")]) }
  }

  @Test func highdicomReadsEachSegment() async throws {
    _ = try write(Self.segments)
    let script = """
      import sys, highdicom as hd
      seg = hd.seg.segread(sys.argv[1])
      uids = [u[2] for u in seg.get_source_image_uids()]
      for number in (1, 2):
          print(int(seg.get_pixels_by_source_instance(uids, segment_numbers=[number]).sum()))
      """
    let result = try await runProcess(testPython, ["-c", script, path])
    #expect(result.status == 0, "\(result.output)")
    let counts = [[UInt8(1), 5], [5]].map { wanted in
      "\(labels.labels.count { wanted.contains($0) })"
    }
    #expect(result.output.split(whereSeparator: \.isNewline).suffix(2).map(String.init) == counts)
  }
}
