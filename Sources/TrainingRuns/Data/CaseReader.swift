import Evaluation
import Foundation
import GeometryGate
import Segmentation
import SeriesProcessing
import Terminology
import Volumes

/// A case of a data set: what is seen and what is known of it, on one grid.
public struct TrainingCase: Sendable {
  public var name: String
  public var channels: [Volume]
  public var labels: LabelVolume
}

/// Reads cases and checks that they can be trained with.
public struct CaseReader: Sendable {
  /// Channels of the network's input.
  public var channels: Int
  /// Of the network but the background; values 1, 2, …
  public var labels: [SegmentDescription]
  /// Whose modalities and body parts are demanded of DICOM series; nil takes any.
  public var limits: InputLimits?
  /// By which DICOM series are assessed.
  public var geometry: GeometryRules

  public init(
    channels: Int, labels: [SegmentDescription], limits: InputLimits? = nil,
    geometry: GeometryRules = GeometryRules()
  ) {
    self.channels = channels
    self.labels = labels
    self.limits = limits
    self.geometry = geometry
  }

  /// Reads images and labels, which must be on the same voxels: a hundredth of a voxel's size is
  /// tolerated, as the rounding of headers makes it.
  ///
  /// - Throws: ``TrainingDataError``.
  public func read(_ files: CaseFiles) throws(TrainingDataError) -> TrainingCase {
    let volumes: [Volume]
    do {
      volumes = try VolumeInputs.read(
        files.images, limits: limits, geometry: geometry, keepsNonFinite: true)
    } catch {
      throw .unreadable(name: files.name, reason: "\(error)")
    }
    try check(volumes, files)
    let known: LabelVolume
    do {
      known = try KnownLabels.read(files.labels, onto: volumes[0].grid, labels: labels)
    } catch {
      throw .unreadable(name: files.name, reason: "\(error)")
    }
    guard known.grid.isClose(to: volumes[0].grid, tolerance: 0.01) else {
      throw .labelsOnDifferentGrid(
        path: files.labels.path, grid: known.grid, image: files.images[0].path,
        imageGrid: volumes[0].grid)
    }
    try checkValues(known, files)
    return TrainingCase(
      name: files.name, channels: volumes,
      labels: LabelVolume(grid: volumes[0].grid, labels: known.labels))
  }

  private func check(_ volumes: [Volume], _ files: CaseFiles) throws(TrainingDataError) {
    func path(_ channel: Int) -> String {
      files.images[min(channel, files.images.count - 1)].path
    }
    guard volumes.count == channels, let first = volumes.first else {
      throw .channelCount(
        path: files.images.first?.path ?? files.name, found: volumes.count, expected: channels)
    }
    for (channel, volume) in volumes.enumerated() {
      guard volume.grid.isClose(to: first.grid, tolerance: 0.01) else {
        throw .channelsOnDifferentGrids(
          path: path(channel), grid: volume.grid, first: path(0), firstGrid: first.grid)
      }
      let values = volume.voxels
      if let index = values.firstIndex(where: { !$0.isFinite }) {
        let (row, column) = index.quotientAndRemainder(dividingBy: volume.grid.columns)
        throw .notFinite(
          path: path(channel), value: values[index], column: column, row: row % volume.grid.rows,
          slice: row / volume.grid.rows)
      }
      if let value = values.first, values.allSatisfy({ $0 == value }) {
        throw .constant(path: path(channel), value: value)
      }
    }
  }

  private func checkValues(_ known: LabelVolume, _ files: CaseFiles) throws(TrainingDataError) {
    let expected = Set(labels.map(\.value)).union([0])
    do {
      try Evaluation.checkValues(of: known, expected: expected)
    } catch {
      guard case .unknownLabel(let value, _) = error else {
        throw .unreadable(name: files.name, reason: "\(error)")
      }
      throw .unknownLabel(
        path: files.labels.path, value: value, voxels: known.labels.count { $0 == value },
        classes: labels.count + 1)
    }
  }
}
