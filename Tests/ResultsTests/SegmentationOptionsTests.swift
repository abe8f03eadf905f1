import DICOM
import Foundation
import TestSupport
import Testing
import Volumes

@testable import Results

/// Empty frames, divided results and results that show that nothing was found.
@Suite struct SegmentationOptionsTests {
  private let series: PhantomSeries
  private let labels: LabelVolume

  init() throws {
    series = try PhantomSeries()
    labels = PhantomLabels.volume(on: series.stack.grid)
  }

  private func dataset(_ object: SegmentationObject, _ name: String = "seg.dcm") async throws
    -> Dataset
  {
    let path = series.folder.url.appendingPathComponent(name).path
    #expect(try object.write(to: path) == .written)
    try object.prove(path)
    let result = try await runProcess("/usr/bin/dciodvfy", [path])
    #expect(result.output.split(separator: "\n").filter { $0.hasPrefix("Error") } == [])
    return try DICOMFile(path: path).dataset
  }

  @Test func emptyFramesAreKeptWhereTheyAreAskedFor() async throws {
    var options = ResultOptions()
    options.keepsEmptyFrames = true
    let object = series.segmentation(labels, options: options)
    let dataset = try await dataset(object)
    // Two of three segments are present.
    #expect(dataset.integer(.numberOfFrames) == 2 * 6)
    let places = dataset.items(.perFrameFunctionalGroups).map {
      $0.items(.frameContentSequence)[0].integers(.dimensionIndexValues)
    }
    #expect(places == [1, 2].flatMap { segment in (1...6).map { [segment, $0] } })
    let other = series.segmentation(labels)
    let path = series.folder.url.appendingPathComponent("seg.dcm").path
    #expect(throws: ProofError.self) { try other.prove(path) }
  }

  @Test func aLargeResultIsDividedByWholeSegments() async throws {
    var options = ResultOptions()
    // The segments have four and five frames.
    for (maximum, counts) in [(9, [9]), (8, [4, 5]), (1, [4, 5])] {
      options.maximumFrames = maximum
      let parts = SegmentationObject.parts(
        of: labels, segments: PhantomLabels.segments, options: options)
      var found: [Int] = []
      for (index, held) in parts.enumerated() {
        let object = SegmentationObject(
          labels, stack: series.stack, segments: PhantomLabels.segments, holding: held,
          origin: PhantomModel(PhantomLabels.segments).described(PhantomLabels.origin),
          identifiers: PhantomLabels.identifiers, options: options)
        let dataset = try await dataset(object, "part-\(index).dcm")
        found.append(try #require(dataset.integer(.numberOfFrames)))
        if parts.count > 1 { #expect(dataset.items(.segmentSequence).count == 1) }
      }
      #expect(found == counts)
    }
    #expect(ResultOptions().changes == [])
    #expect(options.changes == ["maximumFrames=1"])
  }

  @Test func nothingFoundIsShownWhereItIsAskedFor() async throws {
    let empty = LabelVolume(
      grid: labels.grid, labels: [UInt8](repeating: 0, count: labels.grid.voxelCount))
    var options = ResultOptions()
    options.nothingFound = .segmentation
    let dataset = try await dataset(series.segmentation(empty, options: options))
    #expect(dataset.items(.segmentSequence).count == 3 && dataset.integer(.numberOfFrames) == 3)
    #expect(dataset.text(.contentDescription)?.contains("nothing found") == true)
    // What was found is written as ever.
    let found = try await self.dataset(series.segmentation(labels, options: options))
    #expect(found.items(.segmentSequence).count == 2)
    // An empty object is no result of what was found.
    let path = series.folder.url.appendingPathComponent("seg.dcm").path
    let wrong = series.segmentation(empty, options: options)
    #expect(throws: ProofError.self) { try wrong.prove(path) }
  }
}
