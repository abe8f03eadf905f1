import Foundation
import Terminology
import TestSupport
import Testing
import Volumes

@testable import Results

/// The left ventricle and its myocardium at end-diastole and end-systole, and the report on what they do.
struct HeartReport {
  let series: PhantomSeries
  let segments: [SegmentDescription]
  let measured: [MeasuredSegmentation]
  let path: String

  /// Volume of a voxel in ml.
  static let voxel = 0.5 * 0.75 * 2.5 / 1000
  /// Voxels of the cavity and of the myocardium.
  static let counts = (diastole: 80, systole: 20, myocardium: 40)

  init() throws {
    series = try ReportSeries().series
    let grid = series.stack.sourceGrid
    segments = [
      SegmentDescription(
        value: 1, name: "LV cavity", category: PhantomLabels.anatomy,
        type: CodedConcept(value: "87878005", scheme: "SCT", meaning: "Left ventricle"),
        color: [1, 2, 3]),
      SegmentDescription(
        value: 2, name: "Myocardium", category: PhantomLabels.anatomy,
        type: CodedConcept(value: "74281007", scheme: "SCT", meaning: "Myocardium"),
        color: [3, 2, 1]),
    ]
    path = series.folder.url.appendingPathComponent("heart.dcm").path
    var measured: [MeasuredSegmentation] = []
    let points = [
      (CyclePoint.endDiastole, Self.counts.diastole), (.endSystole, Self.counts.systole),
    ]
    for (point, count) in points {
      var labels = LabelVolume(grid: grid, labels: [UInt8](repeating: 0, count: grid.voxelCount))
      for voxel in 0..<count { labels.labels[voxel] = 1 }
      for voxel in 0..<Self.counts.myocardium { labels.labels[100 + voxel] = 2 }
      let object = series.segmentation(
        labels, segments: segments,
        identifiers: ResultIdentifiers(
          seriesInstanceUID: "2.25.1", sopInstanceUID: "2.25.2\(count)"))
      let path = series.folder.url.appendingPathComponent("\(point).seg").path
      #expect(try object.write(to: path) == .written)
      var one = try object.measured(at: path)
      (one.cyclePoint, one.subject) = (point, "\(point)")
      measured.append(one)
    }
    self.measured = measured
  }

  /// The report on what was measured.
  func report(_ measured: [MeasuredSegmentation]? = nil) -> MeasurementReport {
    MeasurementReport(
      measured ?? self.measured, of: [series.stack], segments: segments,
      heart: HeartStructures(cavities: [segments[0]], myocardium: segments[1], density: 1.05),
      origin: PhantomModel(segments).described(PhantomLabels.origin),
      identity: ResultIdentity(fingerprint: "heart"))
  }
}
