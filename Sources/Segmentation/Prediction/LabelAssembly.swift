import Volumes

/// Makes labels on the source's voxels of the network's probabilities, plane by plane.
///
/// Each class's probabilities are resampled linearly in double precision (the reference
/// implementation's export, order 1) and the most probable class of each voxel is kept; the first
/// class wins ties. Across slices that are far apart the nearest is taken, or, by
/// ``ThroughPlaneInterpolation/linear``, both neighbours weighted by distance. Only two planes of all
/// classes are held, on the source's y and x, and none where no slice is between two planes.
struct LabelAssembly {
  private let plan: PreprocessingPlan
  private let classes: Int
  private let resampling: Resampling
  /// For each source slice of the box the plane at or before it, and the share of the next one.
  private let below: [Int]
  private let share: [Double]
  private let rows: (below: [Int], share: [Double])
  private let columns: (below: [Int], share: [Double])
  private let isResampled: Bool
  /// Whether every source slice is on a plane and none between two.
  private let isOnPlanes: Bool

  private var labels: [UInt8]
  /// Nil where nobody wants them.
  private(set) var probabilities: ProbabilityVolume?
  /// The probabilities of one source slice within the box in 255ths: class, y, x.
  private var fractions: [UInt8] = []
  /// The labels of one source slice within the box.
  private var slice: [UInt8]
  /// The last two planes on the source's y and x: class, y, x.
  private var lower: [Double] = []
  private var upper: [Double] = []
  private var planesSeen = 0
  private var slicesDone = 0

  /// - Parameters:
  ///   - plan: from the source's voxels to the planes.
  ///   - classes: of the network.
  ///   - throughPlane: between planes.
  ///   - keepsProbabilities: whether the probabilities are kept too.
  init(
    _ plan: PreprocessingPlan, classes: Int, throughPlane: ThroughPlaneInterpolation,
    keepsProbabilities: Bool = false
  ) {
    self.plan = plan
    self.classes = classes
    resampling = plan.resampling.back(throughPlane)
    (below, share) = resampling.linearTaps(axis: 0)
    rows = resampling.linearTaps(axis: 1)
    columns = resampling.linearTaps(axis: 2)
    isResampled = resampling.shape != resampling.newShape
    isOnPlanes = Self.isOnPlanes(resampling)
    labels = [UInt8](repeating: 0, count: plan.grid.voxelCount)
    slice = [UInt8](repeating: 0, count: resampling.newShape[1] * resampling.newShape[2])
    if keepsProbabilities {
      probabilities = ProbabilityVolume(grid: plan.grid, classes: classes)
      fractions = [UInt8](repeating: 0, count: classes * slice.count)
    }
  }

  /// What it holds between two planes.
  struct State {
    var planesSeen: Int
    var slicesDone: Int
    var labels: [UInt8]
    var lower: [Double]
    var upper: [Double]
  }

  var state: State {
    State(
      planesSeen: planesSeen, slicesDone: slicesDone, labels: labels, lower: lower, upper: upper)
  }

  /// The same once every plane was added, when the planes are not needed any more.
  var finishedState: State {
    State(planesSeen: planesSeen, slicesDone: slicesDone, labels: labels, lower: [], upper: [])
  }

  /// Whether a state can be one of this assembly.
  func accepts(_ state: State) -> Bool {
    let plane = classes * resampling.newShape[1] * resampling.newShape[2]
    return state.labels.count == plan.grid.voxelCount
      && [state.lower.count, state.upper.count].allSatisfy { $0 == 0 || $0 == plane }
      && (0...resampling.shape[0]).contains(state.planesSeen)
      && (0...below.count).contains(state.slicesDone)
  }

  mutating func restore(_ state: State) {
    planesSeen = state.planesSeen
    slicesDone = state.slicesDone
    labels = state.labels
    lower = state.lower
    upper = state.upper
  }

  /// The bytes held in addition to the labels.
  static func scratchBytes(_ resampling: Resampling, classes: Int) -> Int {
    let (old, new) = (resampling.shape, resampling.newShape)
    let planes = isOnPlanes(resampling) ? 0 : 2
    return new[1] * new[2] * (1 + planes * classes * 8) + 8 * old[2]
  }

  private static func isOnPlanes(_ resampling: Resampling) -> Bool {
    resampling.linearTaps(axis: 0).share.allSatisfy { $0 == 0 }
  }

  /// Takes the next plane: class, y, x.
  mutating func add(_ plane: UnsafeBufferPointer<Float>) {
    let index = planesSeen
    planesSeen += 1
    guard isResampled else {
      chooseDirectly(plane)
      paste(at: index)
      return
    }
    guard slicesDone < below.count else { return }
    // Planes after the last slice are not needed.
    guard index == below[slicesDone] || index == below[slicesDone] + 1 else { return }
    if isOnPlanes {
      chooseResampled(plane)
      while slicesDone < below.count, below[slicesDone] == index {
        paste(at: slicesDone)
        slicesDone += 1
      }
      return
    }
    swap(&lower, &upper)
    resample(plane)
    var chosen: (below: Int, share: Double)?
    while slicesDone < below.count {
      let (place, part) = (below[slicesDone], share[slicesDone])
      guard place + (part > 0 ? 1 : 0) <= index else { return }
      // Slices that take the same plane have the same labels.
      if chosen?.below != place || chosen?.share != part { choose(share: part) }
      chosen = (place, part)
      paste(at: slicesDone)
      slicesDone += 1
    }
  }

  /// The labels of the source, once every plane was added.
  consuming func finish() -> LabelVolume { LabelVolume(grid: plan.grid, labels: labels) }

  private mutating func chooseDirectly(_ plane: UnsafeBufferPointer<Float>) {
    let (count, classes) = (slice.count, classes)
    slice.withUnsafeMutableBufferPointer { slice in
      for voxel in 0..<count {
        var best = plane[voxel]
        var label: UInt8 = 0
        for index in 1..<max(1, classes) where plane[index * count + voxel] > best {
          best = plane[index * count + voxel]
          label = UInt8(index)
        }
        slice[voxel] = label
      }
    }
    let width = resampling.newShape[2]
    nonisolated(unsafe) let source = plane
    keepFractions { index, y, values in
      let first = index * count + y * width
      for x in 0..<width { values[x] = Double(source[first + x]) }
    }
  }

  /// The plane on the source's y and x, into `upper`.
  private mutating func resample(_ plane: UnsafeBufferPointer<Float>) {
    let (newHeight, newWidth) = (resampling.newShape[1], resampling.newShape[2])
    let count = classes * newHeight * newWidth
    if upper.count != count { upper = [Double](repeating: 0, count: count) }
    let rows = RowInterpolation(resampling, rows: rows, columns: columns)
    upper.withUnsafeMutableBufferPointer { result in
      guard let base = result.baseAddress else { return }
      // Each row of the result is written by one thread.
      nonisolated(unsafe) let (result, plane) = (base, plane)
      inParallel(classes * newHeight, worthwhile: count > 100_000) { share in
        let line = UnsafeMutablePointer<Double>.allocate(capacity: rows.scratchCount)
        defer { line.deallocate() }
        for row in share {
          let (index, y) = row.quotientAndRemainder(dividingBy: newHeight)
          rows.interpolate(
            plane, class: index, row: y, scratch: line, into: result + row * newWidth)
        }
      }
    }
  }

  /// The most probable class of each voxel into `slice`, on a plane of the source.
  private mutating func chooseResampled(_ plane: UnsafeBufferPointer<Float>) {
    let (newHeight, newWidth, classes) = (resampling.newShape[1], resampling.newShape[2], classes)
    let rows = RowInterpolation(resampling, rows: rows, columns: columns)
    slice.withUnsafeMutableBufferPointer { slice in
      // Each row is written by one thread.
      nonisolated(unsafe) let (slice, plane) = (slice, plane)
      inParallel(newHeight, worthwhile: classes * slice.count > 100_000) { share in
        let scratch = UnsafeMutablePointer<Double>.allocate(
          capacity: rows.scratchCount + newWidth)
        let best = UnsafeMutablePointer<Float>.allocate(capacity: newWidth)
        defer {
          scratch.deallocate()
          best.deallocate()
        }
        let values = scratch + rows.scratchCount
        for y in share {
          best.update(repeating: -.infinity, count: newWidth)
          for index in 0..<classes {
            rows.interpolate(plane, class: index, row: y, scratch: scratch, into: values)
            for x in 0..<newWidth {
              let value = Float(values[x])
              guard value > best[x] else { continue }
              best[x] = value
              slice[y * newWidth + x] = UInt8(index)
            }
          }
        }
      }
    }
    nonisolated(unsafe) let source = plane
    keepFractions { index, y, values in
      let scratch = UnsafeMutablePointer<Double>.allocate(capacity: rows.scratchCount)
      defer { scratch.deallocate() }
      rows.interpolate(source, class: index, row: y, scratch: scratch, into: values)
    }
  }

  /// The most probable class of each voxel into `slice`: of the upper plane alone, or between both.
  private mutating func choose(share: Double) {
    let (classes, count, width) = (classes, slice.count, resampling.newShape[2])
    let (lower, upper) = (share == 0 ? upper : lower, upper)
    slice.withUnsafeMutableBufferPointer { slice in
      lower.withUnsafeBufferPointer { lower in
        upper.withUnsafeBufferPointer { upper in
          // Each row is written by one thread.
          nonisolated(unsafe) let (lower, upper, slice) = (lower, upper, slice)
          inParallel(count / width, worthwhile: classes * count > 100_000) { rows in
            let best = UnsafeMutablePointer<Float>.allocate(capacity: width)
            defer { best.deallocate() }
            for row in rows {
              best.update(repeating: -.infinity, count: width)
              for index in 0..<classes {
                let first = index * count + row * width
                for x in 0..<width {
                  let value = Float((1 - share) * lower[first + x] + share * upper[first + x])
                  guard value > best[x] else { continue }
                  best[x] = value
                  slice[row * width + x] = UInt8(index)
                }
              }
            }
          }
        }
      }
    }
    keepFractions { index, row, values in
      let first = index * count + row * width
      for x in 0..<width {
        values[x] = (1 - share) * lower[first + x] + share * upper[first + x]
      }
    }
  }

  /// Keeps the probabilities of a source slice, where they are wanted.
  ///
  /// - Parameter row: gives those of a class in a row.
  private mutating func keepFractions(
    _ row: @Sendable (_ class: Int, _ row: Int, _ values: UnsafeMutablePointer<Double>) -> Void
  ) {
    guard probabilities != nil else { return }
    let (height, width) = (resampling.newShape[1], resampling.newShape[2])
    let count = fractions.count
    fractions.withUnsafeMutableBufferPointer { fractions in
      // Each row is written by one thread.
      nonisolated(unsafe) let fractions = fractions
      inParallel(count / max(width, 1), worthwhile: count > 100_000) { share in
        let values = UnsafeMutablePointer<Double>.allocate(capacity: width)
        defer { values.deallocate() }
        for line in share {
          row(line / height, line % height, values)
          for x in 0..<width {
            let scaled = 255 * values[x]
            // Also what is no number is 0.
            fractions[line * width + x] =
              scaled >= 255 ? 255 : scaled > 0 ? UInt8(scaled.rounded()) : 0
          }
        }
      }
    }
  }

  /// Writes `slice` to the source's voxels.
  private mutating func paste(at index: Int) {
    let (start, strides) = plan.reorientation.walk(plan.grid)
    let (box, slice) = (plan.box, slice)
    let width = box[2].count
    let first = start + (box[0].lowerBound + index) * strides[0] + box[2].lowerBound * strides[2]
    labels.withUnsafeMutableBufferPointer { labels in
      for (row, y) in box[1].enumerated() {
        var voxel = first + y * strides[1]
        for x in 0..<width {
          labels[voxel] = slice[row * width + x]
          voxel += strides[2]
        }
      }
    }
    guard probabilities != nil else { return }
    for index in 1..<max(1, classes) {
      for (row, y) in box[1].enumerated() {
        let source = (index * box[1].count + row) * width
        for x in 0..<width where fractions[source + x] > 0 {
          probabilities?.set(
            fractions[source + x], class: index, voxel: first + y * strides[1] + x * strides[2])
        }
      }
    }
  }
}

/// Linear interpolation of one row of a plane of all classes, in double precision.
private struct RowInterpolation: Sendable {
  private let height: Int
  private let width: Int
  private let rows: (below: [Int], share: [Double])
  private let columns: (below: [Int], share: [Double])

  init(
    _ resampling: Resampling, rows: (below: [Int], share: [Double]),
    columns: (below: [Int], share: [Double])
  ) {
    (height, width) = (resampling.shape[1], resampling.shape[2])
    (self.rows, self.columns) = (rows, columns)
  }

  /// The doubles that `interpolate` needs as scratch.
  var scratchCount: Int { width + 1 }

  /// Writes row y of the result, `columns.below.count` values.
  func interpolate(
    _ plane: UnsafeBufferPointer<Float>, class index: Int, row y: Int,
    scratch line: UnsafeMutablePointer<Double>, into target: UnsafeMutablePointer<Double>
  ) {
    let first = (index * height + rows.below[y]) * width
    let part = rows.share[y]
    let second = part > 0 ? first + width : first
    for x in 0..<width {
      line[x] = (1 - part) * Double(plane[first + x]) + part * Double(plane[second + x])
    }
    // The last sample has no next one; its share is 0.
    line[width] = 0
    columns.below.withUnsafeBufferPointer { below in
      columns.share.withUnsafeBufferPointer { share in
        for x in below.indices {
          let (place, part) = (below[x], share[x])
          target[x] = (1 - part) * line[place] + part * line[place + 1]
        }
      }
    }
  }
}
