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
    let lanes = 16
    let blocks = (lines + lanes - 1) / lanes
    return [Double](unsafeUninitializedCapacity: lines * newCount) { result, initialized in
      initialized = lines * newCount
      array.withUnsafeBufferPointer { source in
        // Blocks read and write disjoint lines.
        nonisolated(unsafe) let source = source
        nonisolated(unsafe) let result = result
        let work: @Sendable (Range<Int>) -> Void = { range in
          var buffer = LineBuffer(count: count + 2 * padding, lanes: lanes)
          for block in range {
            let first = block * lanes
            let used = min(lanes, lines - first)
            for lane in 0..<used {
              load(source, line: first + lane, inner: inner, lane: lane, &buffer)
            }
            if padding > 0 { buffer.fitSpline() }
            for lane in 0..<used {
              store(buffer, lane: lane, line: first + lane, inner: inner, result)
            }
          }
        }
        inParallel(blocks, worthwhile: array.count > 100_000, work)
      }
    }
  }

  private func load(
    _ source: UnsafeBufferPointer<Double>, line: Int, inner: Int, lane: Int,
    _ buffer: inout LineBuffer
  ) {
    let start = (line / inner) * count * inner + line % inner
    let lanes = buffer.lanes
    buffer.values.withUnsafeMutableBufferPointer { values in
      for index in 0..<count {
        values[(index + padding) * lanes + lane] = source[start + index * inner]
      }
      for index in 0..<padding {
        values[index * lanes + lane] = source[start]
        values[(padding + count + index) * lanes + lane] = source[start + (count - 1) * inner]
      }
    }
  }

  private func store(
    _ buffer: LineBuffer, lane: Int, line: Int, inner: Int,
    _ result: UnsafeMutableBufferPointer<Double>
  ) {
    let start = (line / inner) * newCount * inner + line % inner
    let lanes = buffer.lanes
    // A line of one sample has no second tap; its weight is zero.
    let usedTaps = min(taps, count + 2 * padding)
    buffer.values.withUnsafeBufferPointer { values in
      weights.withUnsafeBufferPointer { weights in
        for index in 0..<newCount {
          var sum = 0.0
          for tap in 0..<usedTaps {
            sum += weights[index * taps + tap] * values[(starts[index] + tap) * lanes + lane]
          }
          result[start + index * inner] = sum
        }
      }
    }
  }
}

/// Several lines side by side: `values[index * lanes + lane]`, so that the recursion along a line
/// runs over all lanes at once.
private struct LineBuffer {
  let count: Int
  let lanes: Int
  var values: [Double]

  init(count: Int, lanes: Int) {
    self.count = count
    self.lanes = lanes
    values = [Double](repeating: 0, count: count * lanes)
  }

  /// Turns samples into coefficients of cubic B-splines: a forward and a backward recursion with
  /// the pole √3 - 2, the line mirrored about the outer edges of its end samples.
  mutating func fitSpline() {
    let pole = 3.0.squareRoot() - 2
    let (count, lanes) = (count, lanes)
    values.withUnsafeMutableBufferPointer { values in
      for index in values.indices { values[index] *= 6 }
      for lane in 0..<lanes {
        var start = values[lane]
        var power = pole
        for index in 0..<count {
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
}

/// Runs the work over `0..<count` in as many ranges as there are cores, or in one.
package func inParallel(_ count: Int, worthwhile: Bool, _ work: @Sendable (Range<Int>) -> Void) {
  let workers = worthwhile ? min(count, ProcessInfo.processInfo.activeProcessorCount) : 1
  guard workers > 1 else { return work(0..<count) }
  DispatchQueue.concurrentPerform(iterations: workers) { worker in
    work(count * worker / workers..<count * (worker + 1) / workers)
  }
}
