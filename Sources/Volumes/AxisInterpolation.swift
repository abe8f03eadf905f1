import Foundation

/// Interpolation along one axis of an array: the separable part of ``Resampling``.
struct AxisInterpolation: Sendable {
  private let count: Int
  private let newCount: Int
  /// Samples repeated beyond each end before the spline is fitted.
  private let padding: Int
  private let taps: Int
  /// For each result the first sample it is made of, and `taps` weights.
  private let starts: [Int]
  private let weights: [Double]

  init(count: Int, newCount: Int, interpolation: Interpolation) {
    self.count = count
    self.newCount = newCount
    let isCubic = interpolation == .cubic
    padding = isCubic ? 12 : 0
    taps = isCubic ? 4 : 2
    var starts: [Int] = []
    var weights: [Double] = []
    for index in 0..<newCount {
      let place = (Double(index) + 0.5) * (Double(count) / Double(newCount)) - 0.5
      if isCubic {
        let below = place.rounded(.down)
        starts.append(Int(below) - 1 + padding)
        weights += Self.splineWeights(place - below)
      } else {
        let inside = min(max(place, 0), Double(count - 1))
        let below = min(Int(inside), max(count - 2, 0))
        starts.append(below)
        weights += [1 - (inside - Double(below)), inside - Double(below)]
      }
    }
    self.starts = starts
    self.weights = weights
  }

  /// Values of the four cubic B-splines over the interval, `t` from its start.
  private static func splineWeights(_ t: Double) -> [Double] {
    let u = 1 - t
    return [
      u * u * u / 6, (4 - 6 * t * t + 3 * t * t * t) / 6,
      (4 - 6 * u * u + 3 * u * u * u) / 6, t * t * t / 6,
    ]
  }

  /// The array with `shape[axis]` values along `axis` turned into `newCount`.
  func apply(_ array: [Double], shape: [Int], axis: Int) -> [Double] {
    let inner = shape[(axis + 1)...].reduce(1, *)
    let lines = array.count / count
    let lanes = LineBuffer.lanes
    return [Double](unsafeUninitializedCapacity: lines * newCount) { result, initialized in
      initialized = lines * newCount
      array.withUnsafeBufferPointer { source in
        // Blocks read and write disjoint lines.
        nonisolated(unsafe) let source = source
        nonisolated(unsafe) let result = result
        inParallel((lines + lanes - 1) / lanes, worthwhile: array.count > 100_000) { blocks in
          let buffer = LineBuffer(count: count + 2 * padding)
          defer { buffer.deallocate() }
          for block in blocks {
            let block = block * lanes..<min((block + 1) * lanes, lines)
            load(source, lines: block, inner: inner, buffer)
            if padding > 0 { buffer.fitSpline() }
            store(buffer, lines: block, inner: inner, result)
          }
        }
      }
    }
  }

  /// Where each of the lines begins in an array with `count` values along the axis.
  private func starts(of lines: Range<Int>, count: Int, inner: Int) -> [Int] {
    lines.map { $0 / inner * count * inner + $0 % inner }
  }

  private func load(
    _ source: UnsafeBufferPointer<Double>, lines: Range<Int>, inner: Int, _ buffer: LineBuffer
  ) {
    let lanes = LineBuffer.lanes
    let values = buffer.values
    starts(of: lines, count: count, inner: inner).withUnsafeBufferPointer { starts in
      for index in 0..<count {
        let target = (index + padding) * lanes
        for lane in starts.indices { values[target + lane] = source[starts[lane] + index * inner] }
      }
    }
    let last = (padding + count - 1) * lanes
    for index in 0..<padding {
      for lane in 0..<lanes {
        values[index * lanes + lane] = values[padding * lanes + lane]
        values[last + (index + 1) * lanes + lane] = values[last + lane]
      }
    }
  }

  private func store(
    _ buffer: LineBuffer, lines: Range<Int>, inner: Int,
    _ result: UnsafeMutableBufferPointer<Double>
  ) {
    let lanes = LineBuffer.lanes
    let (values, sum) = (buffer.values, buffer.sum)
    // A line of one sample has no second tap; its weight is zero.
    let usedTaps = min(taps, buffer.count)
    weights.withUnsafeBufferPointer { weights in
      starts(of: lines, count: newCount, inner: inner).withUnsafeBufferPointer { targets in
        for index in 0..<newCount {
          for lane in 0..<lanes { sum[lane] = 0 }
          for tap in 0..<usedTaps {
            let weight = weights[index * taps + tap]
            let samples = values + (starts[index] + tap) * lanes
            for lane in 0..<lanes { sum[lane] += weight * samples[lane] }
          }
          for lane in targets.indices { result[targets[lane] + index * inner] = sum[lane] }
        }
      }
    }
  }
}

/// Several lines side by side: `values[index * lanes + lane]`, so that the recursion along a line
/// runs over all lanes at once.
private struct LineBuffer {
  static let lanes = 16
  let count: Int
  let values: UnsafeMutablePointer<Double>
  /// Room for one sample of each line.
  let sum: UnsafeMutablePointer<Double>

  init(count: Int) {
    self.count = count
    values = .allocate(capacity: (count + 1) * Self.lanes)
    values.initialize(repeating: 0, count: (count + 1) * Self.lanes)
    sum = values + count * Self.lanes
  }

  func deallocate() { values.deallocate() }

  /// Turns samples into coefficients of cubic B-splines: a forward and a backward recursion with
  /// the pole √3 - 2, the line mirrored about the outer edges of its end samples.
  func fitSpline() {
    let pole = 3.0.squareRoot() - 2
    let lanes = Self.lanes
    for index in 0..<count * lanes { values[index] *= 6 }
    for lane in 0..<lanes {
      var start = values[lane]
      var power = pole
      // The pole's powers vanish in double precision well before the 40th.
      for index in 0..<min(count, 40) {
        start += power * values[index * lanes + lane]
        power *= pole
      }
      values[lane] = start
    }
    for index in lanes..<count * lanes { values[index] += pole * values[index - lanes] }
    for index in (count - 1) * lanes..<count * lanes { values[index] *= pole / (pole - 1) }
    for index in stride(from: (count - 1) * lanes - 1, through: 0, by: -1) {
      values[index] = pole * (values[index + lanes] - values[index])
    }
  }
}

/// Runs the work over `0..<count` in as many ranges as there are cores, or in one.
package func inParallel(_ count: Int, worthwhile: Bool, _ work: @Sendable (Range<Int>) -> Void) {
  let workers = worthwhile ? min(count, ProcessInfo.processInfo.activeProcessorCount) : 1
  guard workers > 1 else { return work(0..<count) }
  DispatchQueue.concurrentPerform(iterations: workers) { worker in
    work(count * worker / workers..<count * (worker + 1) / workers)
  }
}
