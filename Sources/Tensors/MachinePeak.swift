import CKernels
import Foundation

/// What this machine can do, measured: the floor of a layer's time is its work over this.
public struct MachinePeak: Sendable {
  /// Floating-point operations a second of the kernels' instruction set, a multiplication with
  /// addition counted as two.
  public let operations: Double
  /// Bytes a second, read and written, from and to memory.
  public let bandwidth: Double

  /// Measures all threads of `compute` together, for about a third of a second.
  public init(of compute: Compute) {
    let threads = compute.threads
    let repetitions: Int64 = 2_000_000
    var best = Double.infinity
    for _ in 0..<5 {
      let elapsed = ContinuousClock().measure {
        compute.run(blocks: threads) { _, _ in _ = compute.kernels.multiplyAdds(repetitions) }
      }
      best = min(best, elapsed / .seconds(1))
    }
    operations =
      Double(threads) * Double(repetitions) * Double(compute.kernels.multiplyAddsEach) * 2 / best

    // Larger than the caches of any machine that this is likely to meet.
    let count = 32 << 20
    let memory = UnsafeMutablePointer<Float>.allocate(capacity: 2 * count)
    defer { memory.deallocate() }
    memory.initialize(repeating: 1, count: 2 * count)
    best = .infinity
    for _ in 0..<4 {
      let elapsed = ContinuousClock().measure {
        compute.run(blocks: threads) { block, _ in
          let (first, end) = (count * block / threads, count * (block + 1) / threads)
          (memory + count + first).update(from: memory + first, count: end - first)
        }
      }
      best = min(best, elapsed / .seconds(1))
    }
    bandwidth = Double(2 * count * MemoryLayout<Float>.size) / best
  }
}
