import DICOM
import Foundation
import TestSupport
import Testing
import Volumes

@testable import Results

/// A proof is worth what it refuses.
@Suite struct SegmentationProofTests {
  let series: PhantomSeries
  let labels: LabelVolume
  let path: String

  init() throws {
    series = try PhantomSeries()
    labels = PhantomLabels.volume(on: series.stack.grid)
    path = series.folder.url.appendingPathComponent("seg.dcm").path
    #expect(try series.segmentation(labels).write(to: path) == .written)
  }

  private func prove(_ labels: LabelVolume? = nil, _ stack: SliceStack? = nil) throws {
    var series = series
    series.stack = stack ?? series.stack
    try series.segmentation(labels ?? self.labels).prove(path)
  }

  /// Writes the object again with one thing changed.
  private func rewrite(_ change: (inout Dataset, inout [UInt8]) -> Void) throws {
    var (dataset, pixels) = try DICOMFile.withNativePixels(path: path)
    change(&dataset, &pixels)
    dataset.set(.pixelData, .OB, bytes: pixels)
    try dataset.write(to: path)
  }

  private func changeFrame(
    _ index: Int, _ dataset: inout Dataset, _ change: (inout Dataset) -> Void
  ) {
    var frames = dataset.items(.perFrameFunctionalGroups)
    change(&frames[index])
    dataset.set(.perFrameFunctionalGroups, frames)
  }

  @Test func theObjectAsWrittenIsProved() throws { try prove() }

  /// It is mapped and not read: what is not there any more must not end the program.
  @Test func anObjectThatWasCutOffFails() throws {
    let whole = try Data(contentsOf: URL(fileURLWithPath: path))
    for count in [0, 1, 131, 140, 400, whole.count / 2, whole.count - 40, whole.count - 1] {
      try whole.prefix(count).write(to: URL(fileURLWithPath: path))
      let error = #expect(throws: ProofError.self, "\(count) of \(whole.count)") { try prove() }
      guard case .unreadable = error else {
        Issue.record("\(count) of \(whole.count): \(String(describing: error))")
        continue
      }
    }
    try FileManager.default.removeItem(atPath: path)
    #expect(throws: ProofError.self) { try prove() }
  }

  @Test func oneOtherVoxelFails() throws {
    var other = labels
    other.labels[50] = other.labels[50] == 1 ? 5 : 1
    #expect(
      throws: ProofError.voxels(
        file: path, slice: 1, row: 1, column: 0, written: labels.labels[50],
        labels: other.labels[50], count: 1)
    ) { try prove(other) }
  }

  @Test func oneOtherBitOnDiskFails() throws {
    try rewrite { _, pixels in pixels[10] ^= 0x10 }
    #expect(throws: ProofError.self) { try prove() }
  }

  @Test func anotherPositionFails() throws {
    try rewrite { dataset, _ in
      changeFrame(3, &dataset) { frame in
        var plane = Dataset()
        plane.set(.imagePosition, .DS, "-17.25\\30\\101.6")
        frame.set(.planePositionSequence, [plane])
      }
    }
    let error = #expect(throws: ProofError.self) { try prove() }
    #expect("\(try #require(error))".contains("(0020,0032) ImagePositionPatient of frame 4"))
  }

  @Test func swappedSegmentNumbersFail() throws {
    try rewrite { dataset, _ in
      changeFrame(0, &dataset) { frame in
        var identification = Dataset()
        identification.set(.referencedSegmentNumber, .US, 2)
        frame.set(.segmentIdentificationSequence, [identification])
      }
    }
    #expect(throws: ProofError.self) { try prove() }
  }

  @Test func anotherStudyOrientationSpacingOrSeriesFails() throws {
    for change in [
      { $0.frames[0].studyInstanceUID = "2.25.9" },
      { $0.frames[0].imageOrientation = [0, 1, 0, 1, 0, 0] },
      { $0.frames[0].pixelSpacing = [0.75, 0.5] },
      { $0.frames[0].seriesInstanceUID = "2.25.9" },
      { $0.frames[2].sopInstanceUID = "2.25.9" },
    ] as [(inout SliceStack) -> Void] {
      var stack = series.stack
      change(&stack)
      #expect(throws: ProofError.self) { try prove(nil, stack) }
    }
  }

  @Test func aCutFileFails() throws {
    let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    try bytes.prefix(bytes.count - 2).write(to: URL(fileURLWithPath: path))
    #expect(throws: ProofError.self) { try prove() }
  }
}
