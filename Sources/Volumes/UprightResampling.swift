import Foundation

/// The way from the source planes of a stack to an upright, regular grid and back, for stacks that
/// are tilted, uneven or lack slices.
///
/// The grid has the directions of the source's rows and columns; its slices are straight above each
/// other at one step. Values are interpolated linearly, within each source plane and between the
/// two next to a slice. Labels return to each source pixel as the label that has the most weight
/// among the voxels around it. All comes from Image Position (Patient); no attribute of tilt or
/// spacing is used.
public struct UprightResampling: Sendable, Equatable {
  /// The grid of the source arrays: ``SliceStack/sourceGrid``.
  public let source: VolumeGrid
  /// The upright, regular grid.
  public let grid: VolumeGrid
  private let planes: [Plane]

  /// Where a source plane is on the grid.
  private struct Plane: Equatable {
    /// Column and row of its first pixel on the grid.
    var column: Double
    var row: Double
    /// Index along the grid's slices.
    var slice: Double
  }

  /// - Parameters:
  ///   - stack: the source images.
  ///   - maximumTilt: in degrees between slice axis and normal; a stack tilted by less is upright.
  /// - Returns: nil for a stack that is upright and regular as it is.
  public init?(_ stack: SliceStack, maximumTilt: Double) {
    let affine = stack.grid.affine
    let normal = affine.normal
    let step = dot(affine.slice, normal)
    let shear = length(affine.slice - normal * step)
    guard step > 0, let first = stack.frames.first else { return nil }
    if stack.sliceIndices == nil, shear / step <= tanOfDegrees(maximumTilt) { return nil }
    let origin = position(first)
    let (columnStep, rowStep) = (length(affine.column), length(affine.row))
    var planes = stack.frames.enumerated().map { index, frame -> Plane in
      let way = position(frame) - origin
      let across = way - normal * dot(way, normal)
      return Plane(
        column: snapped(dot(across, affine.column) / (columnStep * columnStep)),
        row: snapped(dot(across, affine.row) / (rowStep * rowStep)),
        slice: stack.sliceIndices?[index] ?? Double(index))
    }
    // As wide as all source planes together.
    let left = (planes.map(\.column).min() ?? 0).rounded(.down)
    let top = (planes.map(\.row).min() ?? 0).rounded(.down)
    let right = (planes.map(\.column).max() ?? 0).rounded(.up)
    let bottom = (planes.map(\.row).max() ?? 0).rounded(.up)
    for index in planes.indices {
      planes[index].column -= left
      planes[index].row -= top
    }
    self.planes = planes
    source = stack.sourceGrid
    grid = VolumeGrid(
      columns: stack.grid.columns + Int(right - left), rows: stack.grid.rows + Int(bottom - top),
      slices: stack.grid.slices,
      affine: Affine(
        column: affine.column, row: affine.row, slice: normal * step,
        origin: origin + affine.column * left + affine.row * top))
  }

  // MARK: Values

  /// The volume on the upright grid.
  ///
  /// - Parameters:
  ///   - volume: on ``source``.
  ///   - outside: the value where no source plane reaches: air.
  public func apply(_ volume: Volume, outside: Float) -> Volume {
    let size = grid.columns * grid.rows
    let values = [Float](unsafeUninitializedCapacity: size * grid.slices) { result, initialized in
      initialized = size * grid.slices
      // Slices are written by one worker each.
      nonisolated(unsafe) let result = result
      inParallel(grid.slices, worthwhile: size * grid.slices > 100_000) { slices in
        for slice in slices {
          let target = UnsafeMutableBufferPointer(
            rebasing: result[slice * size..<(slice + 1) * size])
          target.initialize(repeating: 0)
          for (plane, weight) in neighbours(of: slice) {
            add(volume.storage, plane: plane, weight: weight, outside: outside, to: target)
          }
        }
      }
    }
    return Volume(grid: grid, voxels: values)
  }

  /// The source planes that a slice of the grid is made of, and their shares.
  private func neighbours(of slice: Int) -> [(plane: Int, weight: Float)] {
    let place = Double(slice)
    let above = planes.firstIndex { $0.slice >= place - 1e-6 } ?? planes.count - 1
    guard above > 0, planes[above].slice - place > 1e-6 else { return [(above, 1)] }
    let (low, high) = (planes[above - 1].slice, planes[above].slice)
    let share = Float((place - low) / (high - low))
    return [(above - 1, 1 - share), (above, share)]
  }

  /// Adds a source plane, shifted by less than a pixel against the grid, to a slice.
  private func add(
    _ storage: VoxelStorage, plane: Int, weight: Float, outside: Float,
    to target: UnsafeMutableBufferPointer<Float>
  ) {
    let (left, x) = split(-planes[plane].column)
    let (top, y) = split(-planes[plane].row)
    let start = plane * source.rows * source.columns
    func value(_ row: Int, _ column: Int) -> Float {
      guard row >= 0, row < source.rows, column >= 0, column < source.columns else {
        return outside
      }
      return storage[start + row * source.columns + column]
    }
    for row in 0..<grid.rows {
      for column in 0..<grid.columns {
        let (r, c) = (row + top, column + left)
        var sum = (1 - x) * (1 - y) * value(r, c)
        if x > 0 { sum += x * (1 - y) * value(r, c + 1) }
        if y > 0 { sum += (1 - x) * y * value(r + 1, c) }
        if x > 0, y > 0 { sum += x * y * value(r + 1, c + 1) }
        target[row * grid.columns + column] += weight * sum
      }
    }
  }

  /// The whole number below and what is left.
  private func split(_ offset: Double) -> (Int, Float) {
    let below = offset.rounded(.down)
    return (Int(below), Float(offset - below))
  }

  // MARK: Labels

  /// Labels of the upright grid at the pixels of the source planes.
  public func sourceLabels(_ labels: LabelVolume) -> LabelVolume {
    let size = source.columns * source.rows
    let values = [UInt8](unsafeUninitializedCapacity: size * planes.count) { result, initialized in
      initialized = size * planes.count
      nonisolated(unsafe) let result = result
      inParallel(planes.count, worthwhile: size * planes.count > 100_000) { range in
        for plane in range {
          let target = UnsafeMutableBufferPointer(
            rebasing: result[plane * size..<(plane + 1) * size])
          take(labels, plane: planes[plane], into: target)
        }
      }
    }
    return LabelVolume(grid: source, labels: values)
  }

  private func take(
    _ labels: LabelVolume, plane: Plane, into target: UnsafeMutableBufferPointer<UInt8>
  ) {
    let taps = taps(plane).map { tap in
      (offset: tap.slice * grid.rows * grid.columns + tap.offset, weight: tap.weight)
    }.sorted { $0.weight > $1.weight }
    labels.labels.withUnsafeBufferPointer { values in
      for row in 0..<source.rows {
        for column in 0..<source.columns {
          let place = row * grid.columns + column
          target[row * source.columns + column] = winner(values, taps, at: place)
        }
      }
    }
  }

  /// The voxels around the first pixel of a source plane, by slice and offset in it, and their weights: the
  /// same for all its pixels.
  private func taps(_ plane: Plane) -> [(slice: Int, offset: Int, weight: Float)] {
    let (left, x) = split(plane.column)
    let (top, y) = split(plane.row)
    let (below, z) = split(plane.slice)
    var taps: [(slice: Int, offset: Int, weight: Float)] = []
    for (k, wz) in [(0, 1 - z), (1, z)] where wz > 0 {
      for (j, wy) in [(0, 1 - y), (1, y)] where wy > 0 {
        for (i, wx) in [(0, 1 - x), (1, x)] where wx > 0 {
          let slice = min(below + k, grid.slices - 1)
          taps.append((slice, (top + j) * grid.columns + left + i, wx * wy * wz))
        }
      }
    }
    return taps
  }

  /// Probabilities of the upright grid at the pixels of the source planes, interpolated linearly.
  public func sourceProbabilities(_ upright: ProbabilityVolume) -> ProbabilityVolume {
    var result = ProbabilityVolume(grid: source, classes: upright.classes)
    let size = source.rows * source.columns
    for (slice, plane) in planes.enumerated() {
      let taps = taps(plane)
      for index in 1..<max(1, upright.classes) {
        let found = taps.filter { !upright[class: index, slice: $0.slice].isEmpty }
        guard !found.isEmpty else { continue }
        var sums = [Float](repeating: 0.5, count: size)
        for tap in found {
          let values = upright[class: index, slice: tap.slice]
          for row in 0..<source.rows {
            for column in 0..<source.columns {
              sums[row * source.columns + column] +=
                tap.weight * Float(values[tap.offset + row * grid.columns + column])
            }
          }
        }
        let fractions = sums.map { UInt8(min($0, 255)) }
        if fractions.contains(where: { $0 > 0 }) { result[class: index, slice: slice] = fractions }
      }
    }
    return result
  }

  /// The label with the most weight; of equals the one of the nearest voxel.
  private func winner(
    _ values: UnsafeBufferPointer<UInt8>, _ taps: [(offset: Int, weight: Float)], at place: Int
  ) -> UInt8 {
    let first = values[taps[0].offset + place]
    guard taps.contains(where: { values[$0.offset + place] != first }) else { return first }
    var best = first
    var most: Float = 0
    for tap in taps {
      let label = values[tap.offset + place]
      let weight = taps.reduce(Float(0)) {
        values[$1.offset + place] == label ? $0 + $1.weight : $0
      }
      if weight > most { (best, most) = (label, weight) }
    }
    return best
  }
}

/// A shift of less than a thousandth of a pixel is rounding of positions.
private func snapped(_ offset: Double) -> Double {
  abs(offset - offset.rounded()) < 1e-3 ? offset.rounded() : offset
}

private func tanOfDegrees(_ degrees: Double) -> Double { tan(degrees * .pi / 180) }
