import Testing

@testable import Volumes

@Suite struct VolumeOntoGridTests {
  /// Oblique, of other spacing and reversed axes, shifted.
  private static let grids: [VolumeGrid] = [
    VolumeGrid(
      columns: 20, rows: 22, slices: 18,
      affine: Affine(
        column: [1.5, 0.1, 0], row: [-0.1, 1.4, 0.2], slice: [0, -0.3, 1.6],
        origin: [-14, -13, -12]
      )),
    VolumeGrid(
      columns: 30, rows: 12, slices: 40,
      affine: Affine(
        column: [0, 0, 1], row: [0, -2.5, 0], slice: [-0.8, 0, 0], origin: [16, 14, -14])),
    // Sheared, as with a tilted gantry.
    VolumeGrid(
      columns: 16, rows: 16, slices: 12,
      affine: Affine(
        column: [2, 0, 0], row: [0, 2, 0], slice: [0, 0.6, 2.4], origin: [-15, -18, -13])),
  ]

  /// Linear interpolation gives a linear function of the place in the patient exactly.
  private func value(_ point: SIMD3<Double>) -> Double {
    300 + 7 * point.x - 5 * point.y + 3 * point.z
  }

  private func volume(on grid: VolumeGrid) -> Volume {
    Volume(
      grid: grid,
      voxels: (0..<grid.voxelCount).map { Float(value(grid.affine.point(place($0, grid)))) })
  }

  private func place(_ index: Int, _ grid: VolumeGrid) -> SIMD3<Double> {
    SIMD3(
      Double(index % grid.columns), Double(index / grid.columns % grid.rows),
      Double(index / grid.columns / grid.rows))
  }

  @Test(arguments: [0, 1, 2], [0, 1, 2])
  func valuesKeepTheirPlaceInThePatient(_ source: Int, _ target: Int) throws {
    let (from, to) = (Self.grids[source], Self.grids[target])
    let placed = try #require(volume(on: from).resampled(onto: to))
    #expect(placed.volume.grid == to)
    let counts = SIMD3(Double(from.columns), Double(from.rows), Double(from.slices))
    var inside = 0
    for index in 0..<to.voxelCount {
      let point = to.affine.point(place(index, to))
      let position = try #require(from.affine.index(of: point))
      let isInner = (0..<3).allSatisfy { position[$0] >= 0 && position[$0] <= counts[$0] - 1 }
      let isOutside = (0..<3).contains {
        position[$0] < -0.501 || position[$0] > counts[$0] - 0.499
      }
      let found = Double(placed.volume.voxels[index])
      if isInner {
        #expect(abs(found - value(point)) < 1e-3)
        inside += 1
      } else if isOutside {
        #expect(found == 0)
      }
    }
    #expect(inside > to.voxelCount / 5)
    #expect(placed.coverage >= Double(inside) / Double(to.voxelCount))
  }

  @Test func theSameGridKeepsItsValues() throws {
    let grid = Self.grids[0]
    let volume = Volume(
      grid: grid, storage: .int16((0..<grid.voxelCount).map { Int16($0 % 999) }))
    var shifted = grid
    shifted.affine.origin.x += 0.001
    let placed = try #require(volume.resampled(onto: shifted))
    #expect(placed.volume.storage == volume.storage && placed.coverage == 1)
    #expect(placed.volume.grid == shifted)
  }

  @Test func theIndexOfAPointIsWhereItCameFrom() throws {
    for grid in Self.grids {
      let index = SIMD3(3.25, 7.5, 2)
      let found = try #require(grid.affine.index(of: grid.affine.point(index)))
      #expect(length(found - index) < 1e-9)
    }
    let flat = Affine(column: [1, 0, 0], row: [2, 0, 0], slice: [0, 0, 1], origin: [0, 0, 0])
    #expect(flat.index(of: [0, 0, 0]) == nil)
  }
}
