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

  /// Whoever sends a segmentation decides what is in it; `Scripts/fuzz.sh` does this for longer.
  @Test func randomDamageIsSurvived() throws {
    let phantom = try PhantomSeries(.init(rows: 7, columns: 5))
    let (path, labels) = try write(phantom) { [0, 1, 7, 0, 7][$0 % 5] }
    let whole = try Array(Data(contentsOf: URL(fileURLWithPath: path)))
    var damage = RandomDamage()
    var read = 0
    for _ in 0..<300 {
      try Data(damage.damaged(whole)).write(to: URL(fileURLWithPath: path))
      guard let found = try? SegmentationLabels.read(path, onto: labels.grid, label: byType) else {
        continue
      }
      read += 1
      #expect(found.labels.count == labels.labels.count)
    }
    #expect(read > 0 && read < 300)
  }

  /// Of 8 bits as we write them, and of 16 as others may.
  @Test func aLabelMapIsReadToo() throws {
    let phantom = try PhantomSeries(.init(rows: 7, columns: 5))
    let grid = phantom.stack.grid
    let labels = LabelVolume(
      grid: grid, labels: (0..<grid.voxelCount).map { [0, 1, 7, 0, 7][$0 % 5] })
    let path = phantom.folder.url.appendingPathComponent("labelmap.dcm").path
    let object = phantom.segmentation(
      labels, segments: [1, 3, 7].map(segment), form: .labelMap)
    _ = try object.write(to: path)
    #expect(try SegmentationLabels.read(path, onto: grid, label: byType) == labels)
    #expect(try SegmentationLabels.grid(covering: [path]).coincides(with: grid))

    var (dataset, pixels) = try DICOMFile.withNativePixels(path: path)
    dataset.set(.bitsAllocated, .US, 16)
    dataset.set(.bitsStored, .US, 16)
    dataset.set(.highBit, .US, 15)
    dataset.set(.pixelPaddingValue, .US, 300)
    // The background as it pads, and segment 2 as number 258.
    let wide = pixels.prefix(grid.voxelCount).flatMap { value -> [UInt8] in
      value == 0 ? [44, 1] : value == 2 ? [2, 1] : [value, 0]
    }
    dataset.change(2, of: .segmentSequence) { $0.set(.segmentNumber, .US, 258) }
    pixels = wide
    dataset.set(.pixelData, .OW, bytes: pixels)
    try dataset.write(to: path)
    #expect(try SegmentationLabels.read(path, onto: grid, label: byType) == labels)

    // A number without a segment is said, with the frame.
    pixels[2 * 35 * 2] = 9
    pixels[2 * 35 * 2 + 1] = 0
    dataset.set(.pixelData, .OW, bytes: pixels)
    try dataset.write(to: path)
    #expect(throws: SegmentationLabelsError.unknownSegment(file: path, frame: 3, number: 9)) {
      try SegmentationLabels.read(path, onto: grid, label: byType)
    }
    dataset.set(.pixelData, .OW, bytes: Array(pixels.dropLast(2)))
    try dataset.write(to: path)
    #expect(throws: SegmentationLabelsError.self) {
      try SegmentationLabels.read(path, onto: grid, label: byType)
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
