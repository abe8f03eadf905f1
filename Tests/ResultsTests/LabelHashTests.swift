import Foundation
import TestSupport
import Testing
import Volumes

@testable import Results

/// The hash of a golden check follows from the labels alone.
@Suite struct LabelHashTests {
  private let series: PhantomSeries
  private let labels: LabelVolume

  init() throws {
    series = try PhantomSeries()
    labels = PhantomLabels.volume(on: series.stack.grid)
  }

  private func file(_ object: SegmentationObject, _ name: String) throws -> String {
    let path = series.folder.url.appendingPathComponent(name).path
    #expect(try object.write(to: path) == .written)
    return path
  }

  @Test func formDoesNotChangeIt() throws {
    let hash = try LabelHash.of([file(series.segmentation(labels), "plain.dcm")])
    #expect(hash.count == 64)
    var options = ResultOptions()
    options.keepsEmptyFrames = true
    #expect(
      try LabelHash.of([file(series.segmentation(labels, options: options), "empty.dcm")]) == hash)
    options = ResultOptions()
    options.maximumFrames = 1
    let parts = SegmentationObject.parts(
      of: labels, segments: PhantomLabels.segments, options: options)
    let files = try parts.enumerated().map { index, held in
      try file(
        SegmentationObject(
          labels, stack: series.stack, segments: PhantomLabels.segments, holding: held,
          origin: PhantomLabels.origin, identifiers: PhantomLabels.identifiers, options: options),
        "part-\(index).dcm")
    }
    #expect(files.count == 2)
    #expect(try LabelHash.of(files.reversed()) == hash)
    #expect(try LabelHash.of([files[0]]) != hash)
  }

  @Test func aVoxelChangesIt() throws {
    let hash = try LabelHash.of([file(series.segmentation(labels), "plain.dcm")])
    let found = labels.labels.indices.filter { labels.labels[$0] != 0 }
    for voxel in [found.first, found.last].compactMap(\.self) {
      var changed = labels.labels
      changed[voxel] = 0
      let other = LabelVolume(grid: labels.grid, labels: changed)
      #expect(
        try LabelHash.of([file(series.segmentation(other), "\(voxel).dcm")]) != hash, "\(voxel)")
    }
    // Nor are structures exchanged unnoticed.
    let exchanged = LabelVolume(
      grid: labels.grid, labels: labels.labels.map { $0 == 1 ? 5 : $0 == 5 ? 1 : $0 })
    #expect(try LabelHash.of([file(series.segmentation(exchanged), "exchanged.dcm")]) != hash)
  }

  /// What is no segmentation is an error, and nothing found has a hash too.
  @Test func noSegmentation() throws {
    let image = series.folder.url.appendingPathComponent("0.dcm").path
    #expect(throws: SegmentationLabelsError.self) { try LabelHash.of([image]) }
    #expect(try LabelHash.of([]).hasPrefix("e3b0c442"))
  }
}
