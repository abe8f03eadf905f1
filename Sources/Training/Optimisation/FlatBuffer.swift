import Tensors

/// Single-precision numbers in one piece of memory, zero at first: an optimiser's moments, or
/// averaged weights, in the layout of the parameters they belong to. The memory is there as long as the
/// buffer: whoever works on ``values`` holds it (`withExtendedLifetime`).
public final class FlatBuffer {
  public let values: UnsafeMutableBufferPointer<Float>
  private let memory: Parameters

  public init(count: Int) {
    memory = Parameters(zeros: count)
    values = UnsafeMutableBufferPointer(start: memory.pointer, count: count)
  }
}

/// A stretch of the parameters.
public struct ParameterRange: Sendable, Equatable {
  public let range: Range<Int>
  /// Whether weight decay applies.
  public let isDecayed: Bool

  public init(_ range: Range<Int>, isDecayed: Bool) {
    self.range = range
    self.isDecayed = isDecayed
  }
}

/// The parameters in blocks of fixed size: each is worked on by one thread.
struct ParameterBlocks {
  private static let count = 1 << 14
  let blocks: [ParameterRange]

  init(_ ranges: [ParameterRange]) {
    blocks = ranges.flatMap { range in
      stride(from: range.range.lowerBound, to: range.range.upperBound, by: Self.count).map {
        ParameterRange(
          $0..<min($0 + Self.count, range.range.upperBound), isDecayed: range.isDecayed)
      }
    }
  }

  func run(_ compute: Compute, _ body: (Range<Int>, _ isDecayed: Bool) -> Void) {
    compute.run(blocks: blocks.count) { block, _ in
      body(blocks[block].range, blocks[block].isDecayed)
    }
  }
}
