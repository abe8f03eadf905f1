import Foundation
import GeometryGate
import TestSupport
import Testing

@testable import Volumes

@Suite struct UprightResamplingTests {
  /// What the phantom holds at a point: linear, so that linear interpolation is exact.
  private func value(_ p: SIMD3<Double>) -> Double { 100 + 3 * p.x - 2 * p.y + 5 * p.z }

  private func volume(_ stack: SliceStack) -> Volume {
    let affine = stack.grid.affine
    let voxels = stack.frames.flatMap { frame in
      (0..<frame.rows).flatMap { row in
        (0..<frame.columns).map { column in
          Float(
            value(position(frame) + Double(column) * affine.column + Double(row) * affine.row))
        }
      }
    }
    return Volume(grid: stack.sourceGrid, voxels: voxels)
  }

  private func stack(_ change: (inout ImageFrame, Int) -> Void, _ rules: GeometryRules = .init())
    throws -> SliceStack
  {
    var frames = regularSeries()
    for index in frames.indices { change(&frames[index], index) }
    let assessment = assess(frames: frames, rules: rules)
    return try #require(assessment.volumes.first?.stack, "\(assessment.reasons)")
  }

  private static var mending: GeometryRules {
    var rules = GeometryRules()
    rules.resamplesUnevenSpacing = true
    rules.fillsGapsUpTo = 6
    return rules
  }

  @Test func aRegularUprightStackNeedsNone() throws {
    #expect(UprightResampling(try stack { _, _ in }, maximumTilt: 0.2) == nil)
  }

  /// Tilted, uneven, with a gap, and two of these at once.
  @Test(arguments: [(0.93, 0.0, 1), (0, 0.7, 1), (0, 0, 2), (0.61, 0.45, 1), (-0.8, 0, 2)])
  func valuesAreWhereTheyWereMeasured(shear: Double, uneven: Double, gap: Int) throws {
    let stack = try stack(
      { frame, index in
        frame.imagePosition[1] += shear * frame.imagePosition[2]
        guard index >= 4 else { return }
        let added = uneven * Double(index - 3) + 2.5 * Double(gap - 1)
        frame.imagePosition[2] += added
        frame.imagePosition[1] += shear * added
      }, Self.mending)
    let resampling = try #require(UprightResampling(stack, maximumTilt: 0.2))
    let result = resampling.apply(volume(stack), outside: -1024)
    let grid = resampling.grid
    #expect(result.grid == grid && result.storage.count == grid.voxelCount)
    let axes = [grid.affine.column, grid.affine.row, grid.affine.slice]
    for (a, b) in [(0, 1), (0, 2), (1, 2)] { #expect(abs(dot(axes[a], axes[b])) < 1e-9) }
    var inside = 0
    var worst = 0.0
    for slice in 0..<grid.slices {
      for row in 0..<grid.rows {
        for column in 0..<grid.columns {
          let found = result.storage[(slice * grid.rows + row) * grid.columns + column]
          // Voxels that no source plane reaches hold air, in whole or in part.
          let place = grid.affine.point([Double(column), Double(row), Double(slice)])
          let way = place.z - stack.frames[0].imagePosition[2]
          let top = stack.frames[0].imagePosition[1] + shear * way
          // Between two planes both must reach it.
          let margin = uneven != 0 || gap > 1 ? abs(shear) * 5 : 0
          guard place.y >= top + margin + 1e-6, place.y <= top + 27 * 4 - margin - 1e-6 else {
            continue
          }
          inside += 1
          worst = max(worst, abs(Double(found) - value(place)))
        }
      }
    }
    #expect(inside > grid.voxelCount / 2)
    // Between two planes that are shifted against each other interpolation is not exact.
    #expect(worst < (shear != 0 && (uneven != 0 || gap > 1) ? 0.02 : 0.01), "\(worst)")
  }

  @Test func labelsReturnVoxelForVoxel() throws {
    // Shifted by whole pixels: one row of 4 mm for each slice.
    let stack = try stack { frame, index in frame.imagePosition[1] += 4 * Double(index) }
    let resampling = try #require(UprightResampling(stack, maximumTilt: 0.2))
    #expect(resampling.grid.rows == 28 + 7)
    let source = Volume(
      grid: stack.sourceGrid,
      voxels: (0..<stack.sourceGrid.voxelCount).map { Float($0 % 251) })
    let upright = resampling.apply(source, outside: 255)
    let labels = LabelVolume(
      grid: resampling.grid, labels: upright.voxels.map { UInt8($0) })
    let back = resampling.sourceLabels(labels)
    #expect(back.grid == stack.sourceGrid)
    #expect(back.labels == source.voxels.map { UInt8($0) })
  }

  /// Where no voxel is, nothing is probable; else what is probable in the voxels around, by their distance.
  @Test func probabilitiesAreInterpolatedBetweenTheVoxelsAround() throws {
    // By half a row for each slice.
    let stack = try stack { frame, index in frame.imagePosition[1] += 2 * Double(index) }
    let resampling = try #require(UprightResampling(stack, maximumTilt: 0.2))
    let grid = resampling.grid
    let size = grid.rows * grid.columns
    var upright = ProbabilityVolume(grid: grid, classes: 3)
    // Rising by ten with each row in the first four slices.
    for voxel in 0..<4 * size {
      upright.set(UInt8(min(255, 10 * (voxel % size / grid.columns))), class: 2, voxel: voxel)
    }
    let back = resampling.sourceProbabilities(upright)
    #expect(back.grid == stack.sourceGrid && back.classes == 3)
    for slice in 0..<stack.sourceGrid.slices {
      #expect(back[class: 1, slice: slice].isEmpty)
      let values = back[class: 2, slice: slice]
      guard slice < 4 else {
        #expect(values.isEmpty)
        continue
      }
      for row in 0..<5 {
        // The row on the grid is half a row further for each slice.
        let due = 10 * (Double(row) + 0.5 * Double(slice))
        #expect(abs(Double(values[row * stack.sourceGrid.columns]) - due) <= 0.501)
      }
    }
  }

  @Test func labelsGoToTheNearestSourcePlane() throws {
    // One label for each slice of a grid whose steps are finer than some of the source's.
    let stack = try stack(
      { frame, index in if index >= 4 { frame.imagePosition[2] += 1.1 * Double(index - 3) } },
      Self.mending)
    let resampling = try #require(UprightResampling(stack, maximumTilt: 0.2))
    let grid = resampling.grid
    let size = grid.rows * grid.columns
    let labels = LabelVolume(
      grid: grid, labels: (0..<grid.voxelCount).map { UInt8($0 / size) })
    let back = resampling.sourceLabels(labels)
    let indices = try #require(stack.sliceIndices)
    for (slice, index) in indices.enumerated() {
      #expect(abs(Double(back.labels[slice * size]) - index) <= 0.5 + 1e-6)
    }
  }

  @Test func depthsAddUpToTheStack() throws {
    let stack = try stack(
      { frame, index in if index >= 4 { frame.imagePosition[2] += 1.1 * Double(index - 3) } },
      Self.mending)
    let span = stack.frames[7].imagePosition[2] - stack.frames[0].imagePosition[2]
    // Half a step more at each end.
    #expect(abs(stack.sliceDepths.reduce(0, +) - (span + 1.25 + 1.8)) < 1e-9)
  }
}
