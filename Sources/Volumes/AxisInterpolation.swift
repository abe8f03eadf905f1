import Foundation

/// Interpolation along one axis of an array: the separable part of ``Resampling``.
struct AxisInterpolation: Sendable {
  /// Lines that are worked on side by side, so that the recursion along a line runs over all of
  /// them at once.
  static let lanes = 16

  let count: Int
  let newCount: Int
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
      if isCubic {
        let place = Self.place(index, count: count, newCount: newCount)
        let below = place.rounded(.down)
        starts.append(Int(below) - 1 + padding)
        weights += Self.splineWeights(place - below)
      } else {
        let (below, share) = Self.linearTap(index, count: count, newCount: newCount)
        starts.append(below)
        weights += [1 - share, share]
      }
    }
    self.starts = starts
    self.weights = weights
  }

  /// Where a result is among the samples, in samples.
  private static func place(_ index: Int, count: Int, newCount: Int) -> Double {
    (Double(index) + 0.5) * (Double(count) / Double(newCount)) - 0.5
  }

  /// The sample at or before a result, edges repeated, and the share of the one after it.
  static func linearTap(_ index: Int, count: Int, newCount: Int) -> (below: Int, share: Double) {
    let inside = min(max(place(index, count: count, newCount: newCount), 0), Double(count - 1))
    let below = min(Int(inside), max(count - 2, 0))
    return (below, inside - Double(below))
  }

  /// Values of the four cubic B-splines over the interval, `t` from its start.
  private static func splineWeights(_ t: Double) -> [Double] {
    let u = 1 - t
    return [
      u * u * u / 6, (4 - 6 * t * t + 3 * t * t * t) / 6,
      (4 - 6 * u * u + 3 * u * u * u) / 6, t * t * t / 6,
    ]
  }

  /// The doubles that `apply` needs as scratch.
  var scratchCount: Int { (count + 2 * padding) * Self.lanes }

  /// Interpolates `lines` lines.
  ///
  /// - Parameters:
  ///   - source: the first sample of the first line; `step` is the distance of samples, `lineStep`
  ///     that of lines.
  ///   - target: as `source`, for the results.
  ///   - lines: how many lines there are.
  ///   - scratch: room for `scratchCount` values.
  func apply(
    _ source: Lines<UnsafePointer<Double>>, _ target: Lines<UnsafeMutablePointer<Double>>,
    lines: Int, scratch: UnsafeMutablePointer<Double>
  ) {
    for first in stride(from: 0, to: lines, by: Self.lanes) {
      let used = min(Self.lanes, lines - first)
      load(source, from: first, used, scratch)
      if padding > 0 { fitSpline(scratch, count: count + 2 * padding) }
      store(scratch, target, from: first, used)
    }
  }

  private func load(
    _ source: Lines<UnsafePointer<Double>>, from first: Int, _ used: Int,
    _ values: UnsafeMutablePointer<Double>
  ) {
    let lanes = Self.lanes
    let inner = values + padding * lanes
    let base = source.base + first * source.lineStep
    if source.lineStep == 1, used == lanes {
      for index in 0..<count {
        let (from, to) = (base + index * source.step, inner + index * lanes)
        for lane in 0..<lanes { to[lane] = from[lane] }
      }
    } else {
      // Lanes beyond the last line compute something finite that nobody reads.
      for lane in 0..<lanes {
        let from = base + min(lane, used - 1) * source.lineStep
        for index in 0..<count { inner[index * lanes + lane] = from[index * source.step] }
      }
    }
    let last = inner + (count - 1) * lanes
    for index in 0..<padding {
      for lane in 0..<lanes {
        values[index * lanes + lane] = inner[lane]
        last[(index + 1) * lanes + lane] = last[lane]
      }
    }
  }

  private func store(
    _ values: UnsafeMutablePointer<Double>, _ target: Lines<UnsafeMutablePointer<Double>>,
    from first: Int, _ used: Int
  ) {
    let lanes = Self.lanes
    let base = target.base + first * target.lineStep
    // A line of one sample has no second tap; its weight is zero.
    let second = min(count - 1, 1) * lanes
    starts.withUnsafeBufferPointer { starts in
      weights.withUnsafeBufferPointer { weights in
        for index in 0..<newCount {
          let samples = values + starts[index] * lanes
          let (to, step) = (base + index * target.step, target.lineStep)
          if taps == 4 {
            let (a, b) = (weights[4 * index], weights[4 * index + 1])
            let (c, d) = (weights[4 * index + 2], weights[4 * index + 3])
            for lane in 0..<used {
              to[lane * step] =
                a * samples[lane] + b * samples[lanes + lane] + c * samples[2 * lanes + lane]
                + d * samples[3 * lanes + lane]
            }
          } else {
            let (a, b) = (weights[2 * index], weights[2 * index + 1])
            for lane in 0..<used {
              to[lane * step] = a * samples[lane] + b * samples[second + lane]
            }
          }
        }
      }
    }
  }

  /// Turns samples into coefficients of cubic B-splines: a forward and a backward recursion with
  /// the pole √3 - 2, the line mirrored about the outer edges of its end samples.
  private func fitSpline(_ values: UnsafeMutablePointer<Double>, count: Int) {
    let pole = 3.0.squareRoot() - 2
    let lanes = Self.lanes
    for lane in 0..<lanes {
      var start = values[lane]
      var power = pole
      // The pole's powers vanish in double precision well before the 40th.
      for index in 0..<min(count, 40) {
        start += power * values[index * lanes + lane]
        power *= pole
      }
      values[lane] = 6 * start
    }
    for index in 1..<count {
      let (here, before) = (values + index * lanes, values + (index - 1) * lanes)
      for lane in 0..<lanes { here[lane] = 6 * here[lane] + pole * before[lane] }
    }
    let last = values + (count - 1) * lanes
    for lane in 0..<lanes { last[lane] *= pole / (pole - 1) }
    for index in stride(from: count - 2, through: 0, by: -1) {
      let (here, after) = (values + index * lanes, values + (index + 1) * lanes)
      for lane in 0..<lanes { here[lane] = pole * (after[lane] - here[lane]) }
    }
  }
}

/// Lines of samples in memory.
struct Lines<Base> {
  let base: Base
  /// From one sample of a line to the next, and from one line to the next.
  let step: Int
  let lineStep: Int
}

/// Runs the work over `0..<count` in as many ranges as there are cores, or in one.
package func inParallel(_ count: Int, worthwhile: Bool, _ work: @Sendable (Range<Int>) -> Void) {
  let workers = worthwhile ? min(count, ProcessInfo.processInfo.activeProcessorCount) : 1
  guard workers > 1 else { return work(0..<count) }
  DispatchQueue.concurrentPerform(iterations: workers) { worker in
    work(count * worker / workers..<count * (worker + 1) / workers)
  }
}
