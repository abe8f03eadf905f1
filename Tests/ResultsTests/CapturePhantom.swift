import DICOM
import Foundation
import Terminology
import TestSupport
import Volumes

@testable import Results

/// A phantom whose images are nowhere alike, with structures that touch, one of three voxels, and the captures
/// of them.
struct CapturePhantom {
  let series: PhantomSeries
  let labels: LabelVolume
  let captures: CaptureSeries

  static let segments = PhantomLabels.segments
  static let shape = PhantomSeries.Shape(rows: 24, columns: 20, slices: 7)

  /// - Parameters:
  ///   - change: of each source image.
  ///   - labels: nil for those of the phantom.
  init(
    _ shape: PhantomSeries.Shape = shape, segments: [SegmentDescription] = segments,
    origin: ResultOrigin = PhantomLabels.origin,
    change: @escaping (inout Dataset) -> Void = { _ in },
    labels: ((VolumeGrid) -> LabelVolume)? = nil
  ) throws {
    var number = 0
    try self.init(
      PhantomSeries(shape) { dataset in
        number += 1
        Self.fill(&dataset, number: number)
        change(&dataset)
      }, segments: segments, origin: origin, labels: labels)
  }

  /// Captures of a series that is there already.
  init(
    _ series: PhantomSeries, segments: [SegmentDescription] = segments,
    origin: ResultOrigin = PhantomLabels.origin,
    labels: ((VolumeGrid) -> LabelVolume)? = nil
  ) throws {
    self.series = series
    self.labels = (labels ?? Self.labels)(series.stack.sourceGrid)
    captures = try CaptureSeries(
      self.labels, stack: series.stack, segments: segments,
      origin: PhantomModel(segments).described(origin),
      identity: ResultIdentity(fingerprint: String(repeating: "a", count: 64)))
  }

  /// As whoever makes a page knows them.
  let millilitres = ["Right kidney": 4.5, "Œsophagus": 12.25, "Spleen": 0.0028]

  /// The page of the captures, as it is laid out without words.
  var page: KeyPage {
    KeyPage(
      captures.volume, captures.palette,
      KeyPage.Content(title: "", warnings: [], millilitres: [:]))
  }

  /// Writes and proves an object.
  ///
  /// - Returns: its path.
  func write(_ object: CaptureObject, _ name: String = "capture.dcm") throws -> String {
    let folder = series.folder.url.appendingPathComponent("results")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let path = folder.appendingPathComponent(name).path
    _ = try object.write(to: path)
    try object.prove(path)
    return path
  }

  /// Values that rise across, down and from slice to slice, with a pattern on them.
  private static func fill(_ dataset: inout Dataset, number: Int) {
    let (rows, columns) = (dataset.integer(.rows) ?? 0, dataset.integer(.columns) ?? 0)
    let plane = rows * columns
    let values = (0..<plane * (dataset.integer(.numberOfFrames) ?? 1)).flatMap {
      index -> [UInt8] in
      let (frame, row, column) = (
        number + index / plane, index % plane / columns, index % columns
      )
      let value = 900 + 9 * column + 4 * row + 11 * frame + (column * 7 + row * 13) % 5 * 9
      return [UInt8(value & 0xFF), UInt8(value >> 8)]
    }
    dataset.set(.pixelData, .OW, bytes: values)
  }

  /// Label 5 in slices 1 to 4, label 1 beside it and alone in the last of them, label 2 in three voxels.
  private static func labels(on grid: VolumeGrid) -> LabelVolume {
    var labels = LabelVolume(
      grid: grid, labels: [UInt8](repeating: 0, count: grid.voxelCount))
    func set(_ label: UInt8, _ slices: Range<Int>, _ rows: Range<Int>, _ columns: Range<Int>) {
      for slice in slices where slice < grid.slices {
        for row in rows where row < grid.rows {
          for column in columns where column < grid.columns {
            labels.labels[(slice * grid.rows + row) * grid.columns + column] = label
          }
        }
      }
    }
    set(5, 1..<5, 4..<12, 3..<9)
    set(1, 2..<6, 7..<17, 9..<14)
    set(2, 3..<4, 19..<20, 4..<7)
    return labels
  }
}
