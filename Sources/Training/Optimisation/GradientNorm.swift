import Tensors

/// A gradient with a component that is infinite or not a number: the step is left out.
public struct GradientNotFinite: Error, Sendable, Equatable, CustomStringConvertible {
  public init() {}

  public var description: String {
    "the gradient is not finite; the weights are kept; a lower learning rate prevents it"
  }
}

/// The Euclidean norm of all gradients, by which they are clipped.
public struct GradientNorm: Sendable, Equatable {
  private static let blockCount = 1 << 14

  public let value: Double

  /// Sums in double precision over blocks of fixed size, added up in their order: the norm does not
  /// depend on the number of threads.
  ///
  /// - Parameters:
  ///   - gradients: the flat buffer; padding within it is zero.
  ///   - compute: the threads.
  /// - Throws: ``GradientNotFinite``.
  public init(_ gradients: UnsafeMutableBufferPointer<Float>, _ compute: Compute)
    throws(GradientNotFinite)
  {
    let blocks = (gradients.count + Self.blockCount - 1) / Self.blockCount
    var sums = [Double](repeating: 0, count: blocks)
    sums.withUnsafeMutableBufferPointer { sums in
      compute.run(blocks: blocks) { block, _ in
        let start = block * Self.blockCount
        sums[block] = compute.sumOfSquares(
          gradients[start..<min(start + Self.blockCount, gradients.count)])
      }
    }
    let norm = sums.reduce(0, +).squareRoot()
    guard norm.isFinite else { throw GradientNotFinite() }
    value = norm
  }

  /// The factor that brings the gradients to a norm of at most `limit`, as PyTorch's
  /// `clip_grad_norm_`; 1 where they are within it.
  public func scale(limit: Double) -> Double { min(1, limit / (value + 1e-6)) }
}
