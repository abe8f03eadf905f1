import Testing

@testable import Volumes

@Suite struct ReorientationTests {
  /// A grid whose axes are near, not along, the patient's.
  private let grid = VolumeGrid(
    columns: 4, rows: 3, slices: 2,
    affine: Affine(
      column: [0.9, 0.1, -0.05], row: [-0.2, 1.4, 0.3], slice: [0.1, -0.4, 2.9],
      origin: [-7, 11, 40]))

  private static let orientations: [[PatientDirection]] = {
    let pairs: [[PatientDirection]] = [
      [.left, .right], [.anterior, .posterior], [.superior, .inferior],
    ]
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
    return orders.flatMap { order in
      (0..<8).map { bits in (0..<3).map { pairs[order[$0]][(bits >> $0) & 1] } }
    }
  }()

  @Test func directionsOfAGridAreThoseWithin30Degrees() {
    #expect(grid.directions == [.superior, .posterior, .left])
    var oblique = grid
    oblique.affine.row = [0, 1, -0.55]
    oblique.affine.slice = [0, 1.6, 3]
    #expect(oblique.directions == [.superior, .posterior, .left])
    // Short axis: between left, anterior and superior.
    oblique.affine.row = [0, 1, -0.62]
    #expect(oblique.directions == nil)
    let turned = VolumeGrid(
      columns: 1, rows: 1, slices: 1,
      affine: Affine(column: [0, 0, -1], row: [0, -2, 0], slice: [-3, 0, 0], origin: [0, 0, 0]))
    #expect(turned.directions == [.right, .anterior, .inferior])
  }

  @Test func thereAreAll48() { #expect(Set(Self.orientations).count == 48) }

  @Test(arguments: orientations)
  func everyVoxelKeepsItsPlace(_ directions: [PatientDirection]) throws {
    let volume = Volume(grid: grid, voxels: (0..<24).map { Float($0) })
    let reorientation = try #require(Reorientation(of: grid, to: directions))
    let turned = Volume(
      grid: reorientation.apply(grid), voxels: voxels(of: reorientation.view(of: volume)))

    let steps = [turned.grid.affine.slice, turned.grid.affine.row, turned.grid.affine.column]
    for (step, direction) in zip(steps, directions) {
      #expect(dot(step, direction.vector) / length(step) > 0.9)
    }
    for (point, value) in places(turned) {
      let original = places(volume).first { $0.1 == value }
      #expect(length(point - (original?.0 ?? [1e9, 0, 0])) < 1e-9)
    }
    let whole = Volume(grid: grid, storage: .int16((0..<24).map { Int16($0) }))
    #expect(voxels(of: reorientation.view(of: whole)) == turned.voxels)
    let box = [1..<2, 0..<turned.grid.rows, 1..<turned.grid.columns]
    let part = box[1].flatMap { y in
      box[2].map { turned.voxels[(turned.grid.rows + y) * turned.grid.columns + $0] }
    }
    #expect(voxels(of: reorientation.view(of: volume).cropped(to: box)) == part)
  }

  private func voxels(of view: VoxelView) -> [Float] {
    var values = [Float](repeating: 0, count: view.shape.reduce(1, *))
    values.withUnsafeMutableBufferPointer { values in
      guard let base = values.baseAddress else { return }
      for row in 0..<view.shape[0] * view.shape[1] {
        view.read(z: row / view.shape[1], y: row % view.shape[1], into: base + row * view.shape[2])
      }
    }
    return values
  }

  private func places(_ volume: Volume) -> [(SIMD3<Double>, Float)] {
    volume.voxels.enumerated().map { index, value in
      let (columns, rows) = (volume.grid.columns, volume.grid.rows)
      let place = SIMD3(
        Double(index % columns), Double(index / columns % rows), Double(index / columns / rows))
      return (volume.grid.affine.point(place), value)
    }
  }

  @Test(
    arguments: [
      [], [.left, .right, .superior], [.left, .left, .superior], [.superior, .anterior],
    ] as [[PatientDirection]])
  func whatIsNoOrientationIsRefused(_ directions: [PatientDirection]) {
    #expect(Reorientation(of: grid, to: directions) == nil)
  }
}
