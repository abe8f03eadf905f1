import DICOM
import Foundation
import TestSupport
import Testing
import Volumes

@testable import Results

@Suite struct SegmentationObjectTests {
  private func write(
    _ labels: LabelVolume, _ series: PhantomSeries, _ name: String = "seg.dcm"
  ) throws -> (path: String, outcome: WriteOutcome) {
    let path = series.folder.url.appendingPathComponent(name).path
    return (path, try series.segmentation(labels).write(to: path))
  }

  @Test func absentLabelsAreLeftOutAndEmptyFramesToo() throws {
    let series = try PhantomSeries()
    let labels = PhantomLabels.volume(on: series.stack.grid)
    let (path, outcome) = try write(labels, series)
    #expect(outcome == .written)
    try series.segmentation(labels).prove(path)
    let dataset = try DICOMFile(path: path).dataset
    #expect(dataset.integer(.numberOfFrames) == 4 + 5)
    #expect(
      dataset.items(.segmentSequence).compactMap { $0.text(.segmentLabel) }
        == ["Right kidney", "?sophagus"])
    #expect(dataset.text(.seriesDescription) == "phantom (research use only)")
    #expect(dataset.integer(.seriesNumber).map { (1...999).contains($0) } == true)
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    #expect(attributes[.posixPermissions] as? Int == 0o600)
  }

  @Test func positionsAndSpacingsAreCopiedAsStored() throws {
    let series = try PhantomSeries()
    let (path, _) = try write(PhantomLabels.volume(on: series.stack.grid), series)
    let dataset = try DICOMFile(path: path).dataset
    let measures = dataset.items(.sharedFunctionalGroups)[0].items(.pixelMeasuresSequence)[0]
    #expect(measures.text(.pixelSpacing) == "0.50\\0.750")
    #expect(measures.text(.sliceThickness) == "3")
    #expect(measures.text(.spacingBetweenSlices) == "2.5")
    let plane = dataset.items(.perFrameFunctionalGroups)[0].items(.planePositionSequence)[0]
    #expect(plane.text(.imagePosition) == "-17.250000\\30.000000\\104.000000")
  }

  @Test func nothingFoundWritesNoFile() throws {
    let series = try PhantomSeries()
    let empty = LabelVolume(
      grid: series.stack.grid,
      labels: [UInt8](repeating: 0, count: series.stack.grid.voxelCount))
    let (path, outcome) = try write(empty, series)
    #expect(outcome == .nothingFound)
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test func writingAgainGivesTheSameBytes() throws {
    let series = try PhantomSeries()
    let labels = PhantomLabels.volume(on: series.stack.grid)
    let first = try Data(contentsOf: URL(fileURLWithPath: write(labels, series).path))
    let second = try Data(contentsOf: URL(fileURLWithPath: write(labels, series, "again.dcm").path))
    #expect(first == second)
  }

  @Test func whatCannotBeTrueIsRefused() throws {
    let series = try PhantomSeries()
    var labels = PhantomLabels.volume(on: series.stack.grid)
    labels.labels[7] = 9
    #expect(throws: SegmentationError.unknownLabel(value: 9)) { try write(labels, series) }
    labels.grid.affine.origin.x += 1
    #expect(throws: SegmentationError.gridsDiffer(reason: "other grid")) {
      try write(labels, series)
    }
  }

  @Test(arguments: [
    // Colours that DCMTK, highdicom and dcmjs agree on.
    ([157, 108, 162] as [UInt8], [34340, 40315, 27406]), ([224, 50, 40], [32659, 49606, 45218]),
    ([0, 151, 206], [38398, 29410, 23263]), ([255, 230, 60], [59545, 30759, 53318]),
  ])
  func coloursAreScaledCIELab(rgb: [UInt8], lab: [Int]) {
    let found = CIELab.scaled(red: rgb[0], green: rgb[1], blue: rgb[2])
    #expect(zip(found, lab).allSatisfy { abs($0 - $1) <= 8 }, "\(found)")
  }

  @Test func decimalStringsFitSixteenCharacters() {
    #expect(PlainText.decimal(2.5) == "2.5")
    for value in [2.370809116495252, -1.0 / 3e7, 123_456.789_012_345] {
      let text = PlainText.decimal(value)
      #expect(text.utf8.count <= 16)
      #expect(abs((Double(text) ?? 0) - value) <= 1e-9 * max(1, abs(value)))
    }
  }
}
