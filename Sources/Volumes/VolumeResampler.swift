import Synchronization

/// One run of ``Resampling`` over a volume, plane by plane of the result.
///
/// Where z is interpolated this comes first, for all rows: `newShape[0]` planes of the old size in
/// double precision are held in between. All else needs one plane at a time.
struct VolumeResampler {
  private let resampling: Resampling
  private let view: VoxelView
  private let axes: [AxisPass]
  private let ranges: ValueRanges
  /// Planes between z and the other axes; nil where z is not interpolated.
  private var between: [Double]?

  /// - Parameters:
  ///   - resampling: the source's shape and the new one.
  ///   - view: has the resampling's `shape`.
  ///   - interpolation: between the source's voxels.
  init(_ resampling: Resampling, _ view: VoxelView, _ interpolation: Interpolation) {
    self.resampling = resampling
    self.view = view
    axes = (0..<3).map { AxisPass(resampling, axis: $0, interpolation) }
    ranges = ValueRanges(view, separateAxis: resampling.separateAxis)
    between = nil
    if case .interpolated(let pass) = axes[0] { between = interpolateZ(pass) }
  }

  static func scratchBytes(_ resampling: Resampling, threads: Int) -> Int {
    let (old, new) = (resampling.shape, resampling.newShape)
    let hasZ = resampling.separateAxis != 0 && old[0] != new[0]
    let between = hasZ ? new[0] * old[1] * old[2] : 0
    let panel = hasZ ? old[0] * old[2] : 0
    let line = ((old.max() ?? 0) + 24) * AxisInterpolation.lanes
    return 8 * (between + threads * (max(PlaneScratch.count(resampling), panel) + line))
  }

  private func interpolateZ(_ pass: AxisInterpolation) -> [Double] {
    let (rows, width) = (view.shape[1], view.shape[2])
    let count = pass.newCount * rows * width
    return [Double](unsafeUninitializedCapacity: count) { result, initialized in
      initialized = count
      guard let base = result.baseAddress else { return }
      // Each row of all planes is written by one thread.
      nonisolated(unsafe) let target = base
      inParallel(rows, worthwhile: count > 100_000) { rowsOfWorker in
        let panel = UnsafeMutablePointer<Double>.allocate(capacity: pass.count * width)
        let scratch = UnsafeMutablePointer<Double>.allocate(capacity: pass.scratchCount)
        defer {
          panel.deallocate()
          scratch.deallocate()
        }
        for y in rowsOfWorker {
          for z in 0..<pass.count { view.read(z: z, y: y, into: panel + z * width) }
          pass.apply(
            Lines(base: UnsafePointer(panel), step: width, lineStep: 1),
            Lines(base: target + y * width, step: rows * width, lineStep: 1),
            lines: width, scratch: scratch)
        }
      }
    }
  }

  /// Hands over each plane (y, x) of the result, from several threads at a time.
  func forEachPlane(_ sink: @Sendable (_ z: Int, _ values: UnsafePointer<Double>) -> Void) {
    let wanted = axes[0].nearest ?? Array(0..<resampling.newShape[0])
    // Planes that are the same are computed once.
    let sources = Array(Set(wanted)).sorted()
    let targets = Dictionary(grouping: wanted.indices, by: { wanted[$0] })
    let size = resampling.newShape[1] * resampling.newShape[2]
    inParallel(sources.count, worthwhile: size * sources.count > 100_000) { share in
      let scratch = PlaneScratch(resampling)
      defer { scratch.deallocate() }
      for source in sources[share] {
        let plane = interpolatePlane(source, scratch)
        ranges.clip(plane, z: source, y: axes[1].nearest, x: axes[2].nearest, resampling.newShape)
        for z in targets[source] ?? [] { sink(z, UnsafePointer(plane)) }
      }
    }
  }

  private func interpolatePlane(_ z: Int, _ scratch: PlaneScratch)
    -> UnsafeMutablePointer<Double>
  {
    let (height, width) = (view.shape[1], view.shape[2])
    if let between {
      between.withUnsafeBufferPointer { planes in
        guard let base = planes.baseAddress else { return }
        scratch.first.update(from: base + z * height * width, count: height * width)
      }
    } else {
      for y in 0..<height { view.read(z: z, y: y, into: scratch.first + y * width) }
    }
    let (newHeight, newWidth) = (resampling.newShape[1], resampling.newShape[2])
    // The axis that shrinks the plane more comes first.
    if newHeight * width <= newWidth * height {
      let tall = axes[1].apply(
        scratch.first, to: scratch.second, rows: height, columns: width, alongRows: false,
        scratch.line)
      return axes[2].apply(
        tall, to: tall == scratch.first ? scratch.second : scratch.first, rows: newHeight,
        columns: width, alongRows: true, scratch.line)
    }
    let wide = axes[2].apply(
      scratch.first, to: scratch.second, rows: height, columns: width, alongRows: true,
      scratch.line)
    return axes[1].apply(
      wide, to: wide == scratch.first ? scratch.second : scratch.first, rows: height,
      columns: newWidth, alongRows: false, scratch.line)
  }
}

/// What happens along one axis.
private enum AxisPass: Sendable {
  case unchanged
  case interpolated(AxisInterpolation)
  case nearest([Int])

  init(_ resampling: Resampling, axis: Int, _ interpolation: Interpolation) {
    let (count, newCount) = (resampling.shape[axis], resampling.newShape[axis])
    if count == newCount {
      self = .unchanged
    } else if axis == resampling.separateAxis {
      self = .nearest(resampling.nearestSlices(axis))
    } else {
      self = .interpolated(
        AxisInterpolation(count: count, newCount: newCount, interpolation: interpolation))
    }
  }

  var nearest: [Int]? {
    if case .nearest(let slices) = self { return slices }
    return nil
  }

  /// One axis of a plane.
  ///
  /// - Parameter alongRows: whether the axis is x.
  /// - Returns: where the result is: `target`, or `plane` where nothing changes.
  func apply(
    _ plane: UnsafeMutablePointer<Double>, to target: UnsafeMutablePointer<Double>, rows: Int,
    columns: Int, alongRows: Bool, _ scratch: UnsafeMutablePointer<Double>
  ) -> UnsafeMutablePointer<Double> {
    switch self {
    case .unchanged: return plane
    case .interpolated(let pass):
      let source = UnsafePointer(plane)
      if alongRows {
        pass.apply(
          Lines(base: source, step: 1, lineStep: columns),
          Lines(base: target, step: 1, lineStep: pass.newCount), lines: rows, scratch: scratch)
      } else {
        pass.apply(
          Lines(base: source, step: columns, lineStep: 1),
          Lines(base: target, step: columns, lineStep: 1), lines: columns, scratch: scratch)
      }
    case .nearest(let slices):
      if alongRows {
        for row in 0..<rows {
          for (x, source) in slices.enumerated() {
            target[row * slices.count + x] = plane[row * columns + source]
          }
        }
      } else {
        for (y, source) in slices.enumerated() {
          (target + y * columns).update(from: plane + source * columns, count: columns)
        }
      }
    }
    return target
  }
}

/// Two planes and the lines of an axis that is worked on; owned by one thread.
private struct PlaneScratch {
  let first: UnsafeMutablePointer<Double>
  let second: UnsafeMutablePointer<Double>
  let line: UnsafeMutablePointer<Double>

  static func count(_ resampling: Resampling) -> Int { 2 * planeCount(resampling) }

  private static func planeCount(_ resampling: Resampling) -> Int {
    let (old, new) = (resampling.shape, resampling.newShape)
    return max(old[1], new[1]) * max(old[2], new[2])
  }

  init(_ resampling: Resampling) {
    first = .allocate(capacity: Self.planeCount(resampling))
    second = .allocate(capacity: Self.planeCount(resampling))
    let longest = max(resampling.shape[1], resampling.shape[2])
    line = .allocate(capacity: (longest + 24) * AxisInterpolation.lanes)
  }

  func deallocate() {
    first.deallocate()
    second.deallocate()
    line.deallocate()
  }
}

/// The range of a volume's values, or of each of its slices along an axis, to which interpolated
/// values are held.
private struct ValueRanges: Sendable {
  private let separateAxis: Int?
  private var least: [Double]
  private var most: [Double]

  init(_ view: VoxelView, separateAxis: Int?) {
    self.separateAxis = separateAxis
    let count = separateAxis.map { view.shape[$0] } ?? 1
    least = [Double](repeating: .infinity, count: count)
    most = [Double](repeating: -.infinity, count: count)
    let parts = Mutex<[ValueRanges]>([])
    inParallel(view.shape[0], worthwhile: view.shape.reduce(1, *) > 100_000) { share in
      let part = ValueRanges(view, share, separateAxis: separateAxis, count: count)
      parts.withLock { $0.append(part) }
    }
    for part in parts.withLock({ $0 }) {
      for index in 0..<count {
        least[index] = min(least[index], part.least[index])
        most[index] = max(most[index], part.most[index])
      }
    }
  }

  /// Of the slices in a range along z.
  private init(_ view: VoxelView, _ slices: Range<Int>, separateAxis: Int?, count: Int) {
    self.separateAxis = separateAxis
    least = [Double](repeating: .infinity, count: count)
    most = [Double](repeating: -.infinity, count: count)
    var row = [Float](repeating: 0, count: view.shape[2])
    for z in slices {
      for y in 0..<view.shape[1] {
        row.withUnsafeMutableBufferPointer { row in
          guard let base = row.baseAddress else { return }
          view.read(z: z, y: y, into: base)
        }
        if separateAxis == 2 {
          for x in row.indices { extend(x, row[x], row[x]) }
        } else {
          let (low, high) = Self.range(row)
          extend(separateAxis == 0 ? z : separateAxis == 1 ? y : 0, low, high)
        }
      }
    }
  }

  private static func range(_ row: [Float]) -> (Float, Float) {
    row.withUnsafeBufferPointer { row in
      var (low, high) = (Float.infinity, -Float.infinity)
      for value in row {
        low = value < low ? value : low
        high = value > high ? value : high
      }
      return (low, high)
    }
  }

  private mutating func extend(_ index: Int, _ low: Float, _ high: Float) {
    least[index] = min(least[index], Double(low))
    most[index] = max(most[index], Double(high))
  }

  /// Holds a plane of the result to the ranges.
  ///
  /// - Parameters:
  ///   - z: the slice of the source.
  ///   - y, x: the slices of the source where they are taken along these axes.
  func clip(
    _ plane: UnsafeMutablePointer<Double>, z: Int, y: [Int]?, x: [Int]?, _ newShape: [Int]
  ) {
    let (rows, columns) = (newShape[1], newShape[2])
    for row in 0..<rows {
      let line = plane + row * columns
      if separateAxis == 2 {
        for column in 0..<columns {
          let slice = x?[column] ?? column
          line[column] = min(max(line[column], least[slice]), most[slice])
        }
      } else {
        let slice = separateAxis == 0 ? z : separateAxis == 1 ? y?[row] ?? row : 0
        let (low, high) = (least[slice], most[slice])
        for column in 0..<columns {
          let value = line[column]
          line[column] = value < low ? low : value > high ? high : value
        }
      }
    }
  }
}
