import Volumes

/// How a plane of voxels becomes a part of a picture in the patient's proportions, and where each of its
/// pixels is in the patient.
struct TileGeometry: Sendable, Equatable {
  /// Pixels for each mm.
  let scale: Double
  /// Size in pixels.
  let columns: Int
  let rows: Int
  /// Pixels of the tile for each column and row of voxels: x = xx · column + xy · row + left,
  /// y = yy · row, counted from the voxels' upper left corners.
  let xx: Double
  let xy: Double
  let yy: Double
  let left: Double
  /// Centre of the tile's first pixel in mm, and the steps to the next pixel on the right and below.
  private(set) var origin: SIMD3<Double>
  private(set) var across: SIMD3<Double>
  private(set) var down: SIMD3<Double>

  /// - Parameters:
  ///   - image: the plane of voxels.
  ///   - scale: pixels for each mm.
  init(_ image: PlaneImage, scale: Double) {
    let size = Self.size(image)
    self.scale = scale
    let right = image.across / max(length(image.across), .leastNormalMagnitude)
    let upright = image.down - dot(image.down, right) * right
    let below = upright / max(length(upright), .leastNormalMagnitude)
    xx = scale * length(image.across)
    xy = scale * dot(image.down, right)
    yy = scale * length(upright)
    left = -min(0, xy * Double(image.rows))
    columns = max(1, Int((scale * size.width - 1e-6).rounded(.up)))
    rows = max(1, Int((scale * size.height - 1e-6).rounded(.up)))
    across = right / scale
    down = below / scale
    let corner = image.origin - 0.5 * image.across - 0.5 * image.down
    origin = corner + (0.5 - left) * across + 0.5 * down
  }

  /// The same pixels at another place, as somebody states it.
  func placed(
    origin: SIMD3<Double>, across: SIMD3<Double>, down: SIMD3<Double>
  ) -> TileGeometry {
    var tile = self
    (tile.origin, tile.across, tile.down) = (origin, across, down)
    return tile
  }

  /// Width and height in mm of what is shown.
  static func size(_ image: PlaneImage) -> (width: Double, height: Double) {
    let right = image.across / max(length(image.across), .leastNormalMagnitude)
    let tilt = dot(image.down, right)
    let upright = length(image.down - tilt * right)
    return (
      Double(image.columns) * length(image.across) + Double(image.rows) * abs(tilt),
      Double(image.rows) * upright
    )
  }

  /// The point in mm in the middle of the tile.
  var middle: SIMD3<Double> {
    origin + Double(columns - 1) / 2 * across + Double(rows - 1) / 2 * down
  }

  var normal: SIMD3<Double> { cross(across, down) }
}

/// A part of a picture that shows a plane of voxels.
struct PlacedTile: Sendable, Equatable {
  /// Upper left pixel in the picture.
  var left: Int
  var top: Int
  var geometry: TileGeometry
  /// The array axis (z, y, x: 0, 1, 2) at a right angle to the plane, and the plane's place on it in the stack.
  var normal: Int
  var index: Int
}
