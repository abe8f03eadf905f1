import DICOM
import Foundation
import Terminology
import TestSupport
import Testing
import Volumes

@testable import Results

@Suite struct SegmentationLabelsTests {
  private func segment(_ value: UInt8) -> SegmentDescription {
    SegmentDescription(
      value: value, name: "Part \(value)",
      category: CodedConcept(value: "91723000", scheme: "SCT", meaning: "Anatomical Structure"),
      type: CodedConcept(value: "10\(value)", scheme: "99TEST", meaning: "Part"), color: [9, 9, 9])
  }

  private func write(_ phantom: PhantomSeries, _ label: (Int) -> UInt8) throws -> (
    String, LabelVolume
  ) {
    let grid = phantom.stack.grid
    let labels = LabelVolume(grid: grid, labels: (0..<grid.voxelCount).map(label))
    let path = phantom.folder.url.appendingPathComponent("seg.dcm").path
    _ = try phantom.segmentation(labels, segments: [1, 3, 7].map(segment)).write(to: path)
    return (path, labels)
  }

  private func byType(_ segment: SegmentationLabels.Segment) -> UInt8? {
    segment.type.flatMap { UInt8($0.value.dropFirst(2)) }
  }

  /// Label 3 is absent, so that segment 2 is label 7: codes tell, numbers do not.
  @Test func labelsComeBackByTheirPlace() throws {
    for orientation in [["1", "0", "0", "0", "1", "0"], ["0.8", "0.6", "0", "0", "0", "-1"]] {
      let phantom = try PhantomSeries(.init(orientation: orientation))
      let (path, labels) = try write(phantom) { [0, 1, 7, 0, 7][$0 % 5] }
      let read = try SegmentationLabels.read(path, onto: labels.grid, label: byType)
      #expect(read == labels)
      let turn = try #require(Reorientation(of: labels.grid, to: [.inferior, .anterior, .right]))
      let turned = turn.apply(labels)
      #expect(try SegmentationLabels.read(path, onto: turned.grid, label: byType) == turned)
      let numbers = try SegmentationLabels.read(path, onto: labels.grid) { UInt8($0.number) }
      #expect(numbers.labels == labels.labels.map { $0 == 7 ? 2 : $0 })
    }
  }

  @Test func placesOffTheGridAreRefused() throws {
    let phantom = try PhantomSeries()
    let (path, labels) = try write(phantom) { _ in 1 }
    var shifted = labels.grid
    shifted.affine.origin += 0.3 * shifted.affine.column
    #expect(throws: SegmentationLabelsError.offGrid(file: path, frame: 1)) {
      try SegmentationLabels.read(path, onto: shifted, label: byType)
    }
    var smaller = labels.grid
    smaller.rows -= 1
    #expect(throws: SegmentationLabelsError.offGrid(file: path, frame: 1)) {
      try SegmentationLabels.read(path, onto: smaller, label: byType)
    }
  }

  @Test func whatIsNoSegmentationIsRefused() throws {
    let phantom = try PhantomSeries()
    let image = phantom.stack.frames[0].file
    #expect(throws: SegmentationLabelsError.self) {
      try SegmentationLabels.read(image, onto: phantom.stack.grid, label: byType)
    }
  }
}
