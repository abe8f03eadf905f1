/// A direction in the patient, in DICOM's letters (PS3.3 C.7.6.1.1.1).
public enum PatientDirection: String, Sendable, Equatable, Codable, CaseIterable {
  case left = "L"
  case right = "R"
  case anterior = "A"
  case posterior = "P"
  case superior = "S"
  case inferior = "I"

  /// Unit vector in patient space (x left, y posterior, z head).
  public var vector: SIMD3<Double> {
    switch self {
    case .left: [1, 0, 0]
    case .right: [-1, 0, 0]
    case .posterior: [0, 1, 0]
    case .anterior: [0, -1, 0]
    case .superior: [0, 0, 1]
    case .inferior: [0, 0, -1]
    }
  }
}

/// An exchange and reversal of array axes that brings a volume near to a stated orientation.
///
/// Voxels are only reordered, never interpolated, so that labels return to exactly the voxels
/// they belong to. Axes are named in array order z, y, x (0, 1, 2).
///
/// ```swift
/// if let turn = Reorientation(of: volume.grid, to: [.superior, .posterior, .left]) {
///   let turned = turn.apply(volume)  // its array axes z, y, x grow towards S, P, L
///   let labels = turn.undo(segment(turned), to: volume.grid)
/// }
/// ```
public struct Reorientation: Sendable, Equatable {
  /// Which axis of the source each axis of the result runs along.
  public let axes: [Int]
  /// Whether the axis of the result runs backwards along it.
  public let reversed: [Bool]

  /// The reordering after which array axis z, y, x grows towards the given directions, as nearly
  /// as the grid's own axes allow.
  ///
  /// - Parameters:
  ///   - grid: the grid whose axes are reordered.
  ///   - directions: three directions, one of each pair L/R, A/P, S/I; else nil.
  public init?(of grid: VolumeGrid, to directions: [PatientDirection]) {
    guard directions.count == 3,
      (0..<3).allSatisfy({ component in
        directions.filter { $0.vector[component] != 0 }.count == 1
      })
    else { return nil }
    let steps = [grid.affine.slice, grid.affine.row, grid.affine.column]
    let cosines = directions.map { direction in
      steps.map { step in dot(direction.vector, step) / max(length(step), .leastNormalMagnitude) }
    }
    let permutations = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
    func agreement(_ axes: [Int]) -> Double {
      (0..<3).map { abs(cosines[$0][axes[$0]]) }.reduce(0, +)
    }
    var best = permutations[0]
    for axes in permutations where agreement(axes) > agreement(best) + 1e-9 { best = axes }
    axes = best
    reversed = (0..<3).map { cosines[$0][best[$0]] < 0 }
  }

  /// Leaves the array as it is.
  public static let none = Reorientation(axes: [0, 1, 2], reversed: [false, false, false])

  private init(axes: [Int], reversed: [Bool]) {
    self.axes = axes
    self.reversed = reversed
  }

  /// This reordering followed by an exchange of axes, as numpy's `transpose`: axis i of the result
  /// is axis `order[i]` of this one's.
  ///
  /// - Parameter order: 0, 1 and 2 in any order.
  public func transposed(_ order: [Int]) -> Reorientation {
    Reorientation(axes: order.map { axes[$0] }, reversed: order.map { reversed[$0] })
  }

  /// The grid after reordering; every voxel keeps its place in the patient.
  public func apply(_ grid: VolumeGrid) -> VolumeGrid {
    let shape = grid.shape
    let steps = [grid.affine.slice, grid.affine.row, grid.affine.column]
    var origin = grid.affine.origin
    var newSteps: [SIMD3<Double>] = []
    for (axis, isReversed) in zip(axes, reversed) {
      newSteps.append(isReversed ? -steps[axis] : steps[axis])
      if isReversed { origin += Double(shape[axis] - 1) * steps[axis] }
    }
    return VolumeGrid(
      columns: shape[axes[2]], rows: shape[axes[1]], slices: shape[axes[0]],
      affine: Affine(
        column: newSteps[2], row: newSteps[1], slice: newSteps[0], origin: origin))
  }

  public func apply(_ volume: Volume) -> Volume {
    Volume(grid: apply(volume.grid), voxels: reordered(volume.voxels, of: volume.grid))
  }

  public func apply(_ labels: LabelVolume) -> LabelVolume {
    LabelVolume(grid: apply(labels.grid), labels: reordered(labels.labels, of: labels.grid))
  }

  private func reordered<Value>(_ values: [Value], of grid: VolumeGrid) -> [Value] {
    let (start, strides) = walk(grid)
    return [Value](unsafeUninitializedCapacity: values.count) { result, initialized in
      initialized = values.count
      values.withUnsafeBufferPointer { source in
        forEachVoxel(shape: apply(grid).shape, start: start, strides: strides) {
          result.initializeElement(at: $0, to: source[$1])
        }
      }
    }
  }

  /// Labels of the reordered grid brought back to the original one.
  ///
  /// - Parameters:
  ///   - labels: on the reordered grid, order z, y, x.
  ///   - grid: the grid that the reordering was made for.
  public func undo(_ labels: LabelVolume, to grid: VolumeGrid) -> LabelVolume {
    let (start, strides) = walk(grid)
    var original = [UInt8](repeating: 0, count: labels.labels.count)
    labels.labels.withUnsafeBufferPointer { source in
      original.withUnsafeMutableBufferPointer { result in
        forEachVoxel(shape: labels.grid.shape, start: start, strides: strides) {
          result[$1] = source[$0]
        }
      }
    }
    return LabelVolume(grid: grid, labels: original)
  }

  /// Where the result's first voxel is in the source, and how far its axes step there.
  package func walk(_ grid: VolumeGrid) -> (start: Int, strides: [Int]) {
    let shape = grid.shape
    let sourceStrides = [shape[1] * shape[2], shape[2], 1]
    var start = 0
    var strides: [Int] = []
    for (axis, isReversed) in zip(axes, reversed) {
      strides.append(isReversed ? -sourceStrides[axis] : sourceStrides[axis])
      if isReversed { start += (shape[axis] - 1) * sourceStrides[axis] }
    }
    return (start, strides)
  }
}

/// Calls the body with each index of an array of `shape` and its index in the strided source.
private func forEachVoxel(
  shape: [Int], start: Int, strides: [Int], _ body: (_ result: Int, _ source: Int) -> Void
) {
  var index = 0
  for z in 0..<shape[0] {
    for y in 0..<shape[1] {
      var source = start + z * strides[0] + y * strides[1]
      for _ in 0..<shape[2] {
        body(index, source)
        index += 1
        source += strides[2]
      }
    }
  }
}

extension VolumeGrid {
  /// Slices, rows, columns: the array order z, y, x.
  public var shape: [Int] { [slices, rows, columns] }

  /// Distance in mm between voxel centres along z, y, x.
  public var spacing: [Double] {
    [length(affine.slice), length(affine.row), length(affine.column)]
  }
}
