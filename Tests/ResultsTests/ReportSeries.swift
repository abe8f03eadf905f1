import DICOM
import Foundation
import Terminology
import TestSupport
import Testing
import Volumes

@testable import Results

/// A phantom with a written segmentation, and the report on it.
struct ReportSeries {
  let series: PhantomSeries
  let labels: LabelVolume
  let segmentation: URL
  var report: MeasurementReport
  let path: String

  /// - Parameters:
  ///   - labels: nil for those of the phantom.
  ///   - origin: of both objects.
  ///   - change: of each source image.
  init(
    _ shape: PhantomSeries.Shape = .init(), labels: ((VolumeGrid) -> LabelVolume)? = nil,
    origin: ResultOrigin = PhantomLabels.origin,
    change: @escaping (inout Dataset) -> Void = { _ in }
  ) throws {
    var number = 0
    series = try PhantomSeries(shape) { dataset in
      number += 1
      Self.fill(&dataset, seed: number)
      change(&dataset)
    }
    let stack = series.stack
    self.labels = labels?(stack.sourceGrid) ?? PhantomLabels.volume(on: stack.sourceGrid)
    let results = series.folder.url.appendingPathComponent("results")
    try FileManager.default.createDirectory(at: results, withIntermediateDirectories: true)
    segmentation = results.appendingPathComponent("segmentation.dcm")
    path = results.appendingPathComponent("report.dcm").path
    let object = series.segmentation(self.labels, origin: origin)
    var measured: [MeasuredSegmentation] = []
    if try object.write(to: segmentation.path) == .written {
      try object.prove(segmentation.path)
      measured = [try object.measured(at: segmentation.path)]
    }
    report = MeasurementReport(
      measured, of: [stack], segments: PhantomLabels.segments,
      origin: PhantomModel(PhantomLabels.segments).described(origin),
      identity: ResultIdentity(fingerprint: String(repeating: "a", count: 64)))
  }

  /// Values that differ from voxel to voxel, and images of one folder.
  private static func fill(_ dataset: inout Dataset, seed: Int) {
    let rows = dataset.integer(.rows) ?? 0
    let columns = dataset.integer(.columns) ?? 0
    let frames = dataset.integer(.numberOfFrames) ?? 1
    let values = (0..<rows * columns * frames).flatMap { index -> [UInt8] in
      let value = (index * 37 + seed * 211) % 1800 + 200
      return [UInt8(value & 0xFF), UInt8(value >> 8)]
    }
    dataset.set(.pixelData, .OW, bytes: values)
  }

  /// The folder of the source images alone.
  var images: URL {
    get throws {
      let folder = series.folder.url.appendingPathComponent("images")
      if !FileManager.default.fileExists(atPath: folder.path) {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for frame in series.stack.frames {
          let file = URL(fileURLWithPath: frame.file)
          let copy = folder.appendingPathComponent(file.lastPathComponent)
          if FileManager.default.fileExists(atPath: copy.path) { continue }
          try FileManager.default.copyItem(at: file, to: copy)
        }
      }
      return folder
    }
  }

  func write() throws { #expect(try report.write(to: path) == .written) }
}
