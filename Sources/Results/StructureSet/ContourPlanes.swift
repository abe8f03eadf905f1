import Volumes

/// The planes of a grid that closed contours are on, whichever of its axes is their normal, and the pixels that the
/// contours enclose.
struct ContourPlanes {
  /// Why a contour is not on the pixels.
  struct OffGrid: Error {
    let reason: String
  }

  private struct Axis {
    /// From one voxel to the next, in mm.
    var step: SIMD3<Double>
    var count: Int
    /// Places from one voxel to the next in the grid's order.
    var stride: Int

    /// Programs round coordinates: to a twentieth of a step, or a tenth of a millimetre where planes are near.
    var tolerance: Double { max(0.05, min(0.25, 0.1 / (step * step).sum().squareRoot())) }
  }

  private let origin: SIMD3<Double>
  private let across: Axis
  private let down: Axis
  private let normal: Axis

  /// How many pixels a plane has.
  var pixelCount: Int { across.count * down.count }

  /// - Parameters:
  ///   - grid: of voxels at right angles.
  ///   - contour: points in mm of one of the contours; the axis along which they are at one place is the normal, of
  ///     several the slices'.
  init(of grid: VolumeGrid, through contour: [SIMD3<Double>]) {
    let (affine, size) = (grid.affine, grid.columns * grid.rows)
    let axes = [
      Axis(step: affine.column, count: grid.columns, stride: 1),
      Axis(step: affine.row, count: grid.rows, stride: grid.columns),
      Axis(step: affine.slice, count: grid.slices, stride: size),
    ]
    func isFlat(_ axis: Axis) -> Bool {
      let places = contour.map { Self.place($0 - affine.origin, axis) }
      return (places.max() ?? 0) - (places.min() ?? 0) <= 2 * axis.tolerance
    }
    let flat = [2, 1, 0].first { isFlat(axes[$0]) } ?? 2
    let others = axes.indices.filter { $0 != flat }
    origin = affine.origin
    (across, down, normal) = (axes[others[0]], axes[others[1]], axes[flat])
  }

  private static func place(_ way: SIMD3<Double>, _ axis: Axis) -> Double {
    (way * axis.step).sum() / (axis.step * axis.step).sum()
  }

  /// The plane that a contour is on, and its points in pixels of it, whose centres are whole numbers.
  func place(
    _ contour: [SIMD3<Double>]
  ) throws(OffGrid) -> (plane: Int, points: [SIMD2<Double>]) {
    let plane = contour.first.map { Self.place($0 - origin, normal).rounded() } ?? 0
    var pixels: [SIMD2<Double>] = []
    pixels.reserveCapacity(contour.count)
    for point in contour {
      guard abs(Self.place(point - origin, normal) - plane) <= normal.tolerance else {
        throw OffGrid(reason: "is not on the plane of an image")
      }
      let pixel = SIMD2(Self.place(point - origin, across), Self.place(point - origin, down))
      // A pixel beyond the border is drawing; more is not of these images.
      guard (-1.5...Double(across.count) + 0.5).contains(pixel.x),
        (-1.5...Double(down.count) + 0.5).contains(pixel.y)
      else { throw OffGrid(reason: "reaches beyond the images") }
      pixels.append(pixel)
    }
    guard plane >= 0, plane < Double(normal.count) else {
      throw OffGrid(reason: "is above or below the images")
    }
    return (Int(plane), pixels)
  }

  /// Toggles the pixels of a plane that a contour encloses: those whose centres have an odd number of its edges on one
  /// side.
  ///
  /// - Parameters:
  ///   - contour: in pixels, as ``place(_:)`` gives it.
  ///   - mask: of the plane.
  func toggle(_ contour: [SIMD2<Double>], in mask: inout [Bool]) {
    guard var from = contour.last, let low = contour.map(\.y).min(),
      let high = contour.map(\.y).max()
    else { return }
    let first = min(down.count, max(0, Int(low.rounded(.up))))
    let rows = first..<max(first, min(down.count, Int(high.rounded(.up))))
    // Whether a pixel has another side of the contour at its left than the one before; a contour may have any number
    // of edges.
    var isCrossed = [Bool](repeating: false, count: rows.count * across.count)
    for to in contour {
      let (upper, lower) = from.y < to.y ? (from, to) : (to, from)
      var row = max(rows.lowerBound, Int(upper.y.rounded(.up)))
      // Rows whose centres are between the ends of the edge.
      while row < rows.upperBound, Double(row) < lower.y {
        let share = (Double(row) - upper.y) / (lower.y - upper.y)
        let column = max(0, Int((upper.x + share * (lower.x - upper.x)).rounded(.up)))
        if column < across.count {
          isCrossed[(row - rows.lowerBound) * across.count + column].toggle()
        }
        row += 1
      }
      from = to
    }
    for row in rows {
      var isInside = false
      let start = (row - rows.lowerBound) * across.count
      for column in 0..<across.count {
        if isCrossed[start + column] { isInside.toggle() }
        if isInside { mask[row * across.count + column].toggle() }
      }
    }
  }

  /// The place of a pixel in the grid's order.
  func voxel(_ pixel: Int, ofPlane plane: Int) -> Int {
    pixel % across.count * across.stride + pixel / across.count * down.stride
      + plane * normal.stride
  }
}
