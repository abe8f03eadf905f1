import Foundation

/// How values between voxels are found.
public enum Interpolation: Sendable, Equatable {
  case linear
  /// Cubic B-spline through the voxel values.
  case cubic
}

/// Resampling of a three-dimensional array (z, y, x) from one spacing to another, and back.
///
/// Follows the preprocessing of the reference implementation (nnU-Net's, with the semantics of
/// scikit-image 0.19 and later): voxel i of the result lies at `(i + 0.5) * old / new - 0.5`, edges
/// are repeated, the arithmetic is in double precision and results keep to the range of the
/// input. Where slices are far apart, each is resampled in its plane and the nearest is taken
/// across.
public struct Resampling: Sendable, Equatable {
  public let shape: [Int]
  public let newShape: [Int]
  /// The axis along which the nearest slice is taken; nil where all three are interpolated.
  public let separateAxis: Int?

  public init(shape: [Int], newShape: [Int], separateAxis: Int?) {
    self.shape = shape
    self.newShape = newShape
    self.separateAxis = separateAxis
  }

  /// - Parameters:
  ///   - shape: voxels along z, y, x.
  ///   - spacing: mm along z, y, x.
  ///   - targetSpacing: mm along z, y, x of the result.
  public init(shape: [Int], spacing: [Double], targetSpacing: [Double]) {
    let newShape = (0..<3).map { axis in
      let count = (spacing[axis] / targetSpacing[axis] * Double(shape[axis]))
      return max(1, Int(count.rounded(.toNearestOrEven)))
    }
    self.init(
      shape: shape, newShape: newShape,
      separateAxis: Self.separateAxis(spacing: spacing, targetSpacing: targetSpacing))
  }

  /// From the result's shape back to the source's.
  public var inverse: Resampling {
    Resampling(shape: newShape, newShape: shape, separateAxis: separateAxis)
  }

  /// The axis of the largest spacing where it exceeds three times the least, in the source or
  /// else in the target; nil where two axes share the largest.
  static func separateAxis(spacing: [Double], targetSpacing: [Double]) -> Int? {
    for candidate in [spacing, targetSpacing] {
      guard let most = candidate.max(), let least = candidate.min(), most / least > 3 else {
        continue
      }
      let axes = candidate.indices.filter { most / candidate[$0] == 1 }
      return axes.count == 1 ? axes[0] : nil
    }
    return nil
  }

  /// Values on the new shape. `values.count` is the product of `shape`.
  public func apply(_ values: [Float], _ interpolation: Interpolation) -> [Float] {
    resampled(values, interpolation)
  }

  /// Labels on the new shape: the label whose share of the surrounding voxels reaches one half;
  /// of two that do, the higher one. `labels.count` is the product of `shape`.
  public func apply(labels: [Int16]) -> [Int16] {
    guard shape != newShape else { return labels }
    var result = [Int16](repeating: 0, count: newShape.reduce(1, *))
    for label in Set(labels).sorted() {
      let share: [Double] = resampled(labels.map { $0 == label ? 1 : 0 }, .linear)
      for index in result.indices where share[index] >= 0.5 { result[index] = label }
    }
    return result
  }

  private func resampled<Value: BinaryFloatingPoint>(
    _ values: [Value], _ interpolation: Interpolation
  ) -> [Value] {
    guard shape != newShape else { return values }
    guard let axis = separateAxis else {
      let clip = ValueRange(values)
      var array = values.map { Double($0) }
      interpolateAxes(&array, interpolation)
      return clip.applied(to: array)
    }
    return applyBySlice(values, across: axis, interpolation)
  }

  /// All axes that change, those that shrink the array most first.
  private func interpolateAxes(_ array: inout [Double], _ interpolation: Interpolation) {
    var current = shape
    let order = (0..<3).filter { shape[$0] != newShape[$0] }.sorted {
      newShape[$0] * shape[$1] < newShape[$1] * shape[$0]
    }
    for axis in order {
      let pass = AxisInterpolation(
        count: current[axis], newCount: newShape[axis], interpolation: interpolation)
      array = pass.apply(array, shape: current, axis: axis)
      current[axis] = newShape[axis]
    }
  }

  /// Every slice interpolated in its plane alone, clipped to its own range, then the nearest
  /// taken along `axis`.
  private func applyBySlice<Value: BinaryFloatingPoint>(
    _ values: [Value], across axis: Int, _ interpolation: Interpolation
  ) -> [Value] {
    let plane = (0..<3).map { $0 == axis ? shape[axis] : newShape[$0] }
    var resampled = [Value](repeating: 0, count: plane.reduce(1, *))
    let wanted = nearestSlices(count: shape[axis], newCount: newShape[axis])
    for index in Set(wanted).sorted() {
      let slice = extractSlice(values, shape: shape, axis: axis, index: index)
      var sliceShape = shape
      sliceShape[axis] = 1
      var newSliceShape = newShape
      newSliceShape[axis] = 1
      let resized = Resampling(shape: sliceShape, newShape: newSliceShape, separateAxis: nil)
        .resampled(slice, interpolation)
      insertSlice(resized, into: &resampled, shape: plane, axis: axis, index: index)
    }
    guard shape[axis] != newShape[axis] else { return resampled }
    var result = [Value](repeating: 0, count: newShape.reduce(1, *))
    for (index, source) in wanted.enumerated() {
      insertSlice(
        extractSlice(resampled, shape: plane, axis: axis, index: source), into: &result,
        shape: newShape, axis: axis, index: index)
    }
    return result
  }
}

/// For each new slice the old one that it takes.
private func nearestSlices(count: Int, newCount: Int) -> [Int] {
  let scale = Double(count) / Double(newCount)
  return (0..<newCount).map { index in
    min(max(Int((scale * (Double(index) + 0.5)).rounded(.down)), 0), count - 1)
  }
}

private func extractSlice<Value>(_ values: [Value], shape: [Int], axis: Int, index: Int)
  -> [Value]
{
  let inner = shape[(axis + 1)...].reduce(1, *)
  let outer = shape[..<axis].reduce(1, *)
  var slice: [Value] = []
  slice.reserveCapacity(inner * outer)
  for block in 0..<outer {
    let start = (block * shape[axis] + index) * inner
    slice.append(contentsOf: values[start..<start + inner])
  }
  return slice
}

private func insertSlice<Value>(
  _ slice: [Value], into values: inout [Value], shape: [Int], axis: Int, index: Int
) {
  let inner = shape[(axis + 1)...].reduce(1, *)
  let outer = shape[..<axis].reduce(1, *)
  for block in 0..<outer {
    let start = (block * shape[axis] + index) * inner
    values.replaceSubrange(
      start..<start + inner, with: slice[block * inner..<(block + 1) * inner])
  }
}

/// The range of an array's values, to which interpolated values are held.
private struct ValueRange {
  private let least: Double
  private let most: Double

  init<Value: BinaryFloatingPoint>(_ values: [Value]) {
    (least, most) = values.withUnsafeBufferPointer { buffer in
      var low = Value.infinity
      var high = -Value.infinity
      for value in buffer {
        low = min(low, value)
        high = max(high, value)
      }
      return (Double(low), Double(high))
    }
  }

  func applied<Value: BinaryFloatingPoint>(to array: [Double]) -> [Value] {
    array.withUnsafeBufferPointer { source in
      [Value](unsafeUninitializedCapacity: source.count) { result, count in
        for index in source.indices {
          result.initializeElement(at: index, to: Value(min(max(source[index], least), most)))
        }
        count = source.count
      }
    }
  }
}
