import Tensors
import Testing

/// Memory and numbers for tests of single operations.
final class TestMemory {
  private var state: UInt64

  init(seed: UInt64 = 1) { state = seed }

  func floats(_ count: Int) throws -> UnsafeMutablePointer<Float> {
    var layout = ArenaLayout()
    let slot = layout.add(count)
    let arena = try Arena(layout)
    // Never freed: the pointer is used after the last use of this object, when Swift may release it.
    _ = Unmanaged.passRetained(arena)
    return arena[slot]
  }

  func floats(_ values: [Float]) throws -> UnsafeMutablePointer<Float> {
    let pointer = try floats(values.count)
    for (i, value) in values.enumerated() { pointer[i] = value }
    return pointer
  }

  /// Numbers in -1...1 that are the same in every run.
  func random(_ count: Int) -> [Float] {
    (0..<count).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Float(Int32(truncatingIfNeeded: state >> 33)) / Float(1 << 30) - 1
    }
  }

  /// Planar values (C, D, H, W) channels-last with a halo.
  func halo(_ planar: [Float], _ grid: Grid, _ channels: Int, _ compute: Compute) throws
    -> HaloActivation
  {
    let data = try floats(HaloActivation.count(grid, channels: channels))
    let halo = HaloActivation(data, grid, channels: channels)
    compute.interleave(try floats(planar), into: halo)
    return halo
  }
}

/// The largest difference, relative to the largest expected value; infinite for NaN.
func relativeError(_ values: [Float], _ expected: [Double]) -> Double {
  guard values.count == expected.count else { return .infinity }
  let scale = expected.reduce(0) { max($0, abs($1)) }
  return zip(values, expected).reduce(0) { worst, pair in
    let error = abs(Double(pair.0) - pair.1) / max(scale, 1e-30)
    return error.isNaN ? .infinity : max(worst, error)
  }
}

/// The values of an activation, channel by channel.
func planar(_ activation: Activation) -> [Float] {
  (0..<activation.channels).flatMap { channel in
    (0..<activation.tokens).map { activation.data[$0 * activation.channels + channel] }
  }
}
