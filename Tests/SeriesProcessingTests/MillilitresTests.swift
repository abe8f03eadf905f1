import Testing
import Volumes

@testable import SeriesProcessing

@Suite struct MillilitresTests {
  private let grid = VolumeGrid(
    columns: 10, rows: 10, slices: 3,
    affine: Affine(
      column: [1, 0, 0], row: [0, 2, 0], slice: [0, 1.5, 4], origin: [0, 0, 0]))

  /// Slices are as far apart as their planes, however far they are tilted.
  @Test func slicesAtOneStepHaveTheGridsDepth() {
    var labels = LabelVolume(grid: grid, labels: [UInt8](repeating: 0, count: 300))
    for index in 0..<100 { labels.labels[index] = 7 }
    #expect(abs(labels.millilitres()[7] - 100 * 2 * 4 / 1000) < 1e-12)
    #expect(abs(labels.millilitres()[0] - 200 * 2 * 4 / 1000) < 1e-12)
  }

  /// At uneven steps each slice reaches half-way to its neighbours.
  @Test func slicesAtUnevenStepsHaveTheirOwnDepth() {
    var stack = SliceStack(
      grid: grid, frames: [ImageFrame](repeating: ImageFrame(), count: 3),
      sliceIndices: [0, 1, 4])
    stack.grid.slices = 5
    var labels = LabelVolume(grid: stack.sourceGrid, labels: [UInt8](repeating: 0, count: 300))
    for index in 200..<300 { labels.labels[index] = 1 }
    for index in 0..<50 { labels.labels[index] = 2 }
    let volumes = labels.millilitres(depths: stack.sliceDepths)
    #expect(abs(volumes[1] - 100 * 2 * 12 / 1000) < 1e-12)
    #expect(abs(volumes[2] - 50 * 2 * 4 / 1000) < 1e-12)
  }
}
