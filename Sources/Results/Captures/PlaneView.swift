import Foundation
import Volumes

/// How a plane of voxels is turned where people look at it: the patient's right and front on the left, head
/// and front above.
package struct PlaneView: Sendable, Equatable {
  /// An array axis (z, y, x: 0, 1, 2) that runs across or down the picture.
  package struct Axis: Sendable, Equatable {
    package var axis: Int
    package var isReversed: Bool
  }

  /// The array axis at a right angle to the plane.
  package let normal: Int
  package let across: Axis
  package let down: Axis

  /// The better of the eight ways of turning the plane. The images themselves are left as they are stored
  /// where that is nearly as good, as of the oblique planes of the heart, whose readers are used to them.
  ///
  /// - Parameters:
  ///   - grid: of the voxels.
  ///   - normal: the array axis at a right angle to the plane.
  package init(_ grid: VolumeGrid, normal: Int) {
    let steps = [grid.affine.slice, grid.affine.row, grid.affine.column]
    let axes = [2, 1, 0].filter { $0 != normal }
    let perpendicular = cross(steps[axes[0]], steps[axes[1]])
    let wanted = Self.wanted(perpendicular)
    func score(_ across: Axis, _ down: Axis) -> Double {
      [(across, wanted.across), (down, wanted.down)].map { axis, direction in
        let step = steps[axis.axis] * (axis.isReversed ? -1 : 1)
        return dot(step, direction) / max(length(step), .leastNormalMagnitude)
      }.reduce(0, +)
    }
    var best = (Axis(axis: axes[0], isReversed: false), Axis(axis: axes[1], isReversed: false))
    let stored = score(best.0, best.1)
    // What is stored wins where it is nearly right.
    var most = stored + (normal == 0 && stored > 0 ? 0.7 : 1e-9)
    for order in [axes, [axes[1], axes[0]]] {
      for flips in 0..<4 {
        let across = Axis(axis: order[0], isReversed: flips & 1 != 0)
        let down = Axis(axis: order[1], isReversed: flips & 2 != 0)
        let score = score(across, down)
        if score > most { (best, most) = ((across, down), score) }
      }
    }
    self.normal = normal
    (across, down) = best
  }

  /// The directions of the patient in which a picture of a plane should run.
  ///
  /// - Parameter perpendicular: to the plane.
  private static func wanted(
    _ perpendicular: SIMD3<Double>
  ) -> (across: SIMD3<Double>, down: SIMD3<Double>) {
    let sizes = [abs(perpendicular.x), abs(perpendicular.y), abs(perpendicular.z)]
    if sizes[2] >= sizes[0] * 0.999, sizes[2] >= sizes[1] * 0.999 {
      return ([1, 0, 0], [0, 1, 0])
    }
    return sizes[1] >= sizes[0] ? ([1, 0, 0], [0, 0, -1]) : ([0, 1, 0], [0, 0, -1])
  }

  /// A plane of a volume as it is looked at.
  func image(of volume: some ShownVoxels, at index: Int) -> PlaneImage {
    let shape = volume.grid.shape
    let strides = [shape[1] * shape[2], shape[2], 1]
    let (columns, rows) = (shape[across.axis], shape[down.axis])
    func place(_ column: Int, _ row: Int) -> [Int] {
      var place = [0, 0, 0]
      place[normal] = index
      place[across.axis] = across.isReversed ? columns - 1 - column : column
      place[down.axis] = down.isReversed ? rows - 1 - row : row
      return place
    }
    func point(_ column: Int, _ row: Int) -> SIMD3<Double> {
      let place = place(column, row)
      return volume.point(slice: place[0], row: place[1], column: place[2])
    }
    let first = zip(place(0, 0), strides).map { $0 * $1 }.reduce(0, +)
    let right = strides[across.axis] * (across.isReversed ? -1 : 1)
    let below = strides[down.axis] * (down.isReversed ? -1 : 1)
    func turned(_ values: [UInt8]) -> [UInt8] {
      values.withUnsafeBufferPointer { values in
        (0..<rows).flatMap { row in
          (0..<columns).map { values[first + row * below + $0 * right] }
        }
      }
    }
    let steps = [volume.grid.affine.slice, volume.grid.affine.row, volume.grid.affine.column]
    return PlaneImage(
      columns: columns, rows: rows, gray: turned(volume.gray), labels: turned(volume.labels),
      origin: point(0, 0),
      across: steps[across.axis] * (across.isReversed ? -1 : 1),
      down: steps[down.axis] * (down.isReversed ? -1 : 1))
  }
}

/// A plane of voxels with gray levels and labels, and where it is in the patient.
struct PlaneImage {
  let columns: Int
  let rows: Int
  let gray: [UInt8]
  let labels: [UInt8]
  /// Centre of the first voxel in mm.
  let origin: SIMD3<Double>
  /// Steps in mm to the next column and row; not at a right angle where the slices are tilted.
  let across: SIMD3<Double>
  let down: SIMD3<Double>
}

/// The patient's directions as letters (PS3.3 C.7.6.1.1.1): R, L, A, P, H and F.
package enum PatientLetters {
  /// The direction of a vector: one letter, or two where it is oblique, the nearer one first.
  package static func text(_ vector: SIMD3<Double>) -> String {
    let size = max(length(vector), .leastNormalMagnitude)
    let parts = [("L", "R", vector.x), ("P", "A", vector.y), ("H", "F", vector.z)]
      .map { (letter: $0.2 > 0 ? $0.0 : $0.1, share: abs($0.2) / size) }
      .filter { $0.share > 0.34 }.sorted { $0.share > $1.share }
    return parts.prefix(2).map(\.letter).joined()
  }

  /// Where a plane is: the distance of its middle from the origin of the patient's axes, as "H 101.5 mm"
  /// for an axial one, and along all axes for one between them.
  package static func place(_ point: SIMD3<Double>, normal: SIMD3<Double>) -> String {
    let parts = [
      ("sagittal", "L", "R", point.x, normal.x), ("coronal", "P", "A", point.y, normal.y),
      ("axial", "H", "F", point.z, normal.z),
    ]
    func text(_ positive: String, _ negative: String, _ value: Double, _ digits: Int) -> String {
      "\(value < 0 ? negative : positive) " + String(format: "%.\(digits)f", abs(value))
    }
    let size = max(length(normal), .leastNormalMagnitude)
    if let along = parts.first(where: { abs($0.4) / size > 0.86 }) {
      let tilt = abs(along.4) / size > 0.98 ? "" : "oblique "
      return "\(tilt)\(along.0), \(text(along.1, along.2, along.3, 1)) mm"
    }
    return "oblique, " + parts.map { text($0.1, $0.2, $0.3, 0) }.joined(separator: " ") + " mm"
  }
}
