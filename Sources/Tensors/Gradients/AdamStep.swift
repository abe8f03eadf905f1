import CKernels

/// The constants of one step of AdamW (Loshchilov and Hutter, ICLR 2019).
public struct AdamStep: Sendable {
  let constants: AdamW

  /// - Parameters:
  ///   - keep: what decay leaves of a value.
  ///   - gradientScale: factor of the gradients.
  ///   - share1: what a gradient counts in the first moment.
  ///   - beta2: what stays of the second moment.
  ///   - share2: what a gradient's square counts in it.
  ///   - size: learning rate over the first moment's correction for the start.
  ///   - correction: square root of the second moment's.
  ///   - epsilon: added to the deviation.
  public init(
    keep: Float, gradientScale: Float, share1: Float, beta2: Float, share2: Float, size: Float,
    correction: Float, epsilon: Float
  ) {
    constants = AdamW(
      keep: keep, scale: gradientScale, share1: share1, beta2: beta2, share2: share2, size: size,
      correction: correction, epsilon: epsilon)
  }
}

extension Compute {
  /// The step on `count` values, their gradients and moments, on the calling thread.
  public func apply(
    _ step: AdamStep, to values: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>,
    _ first: UnsafeMutablePointer<Float>, _ second: UnsafeMutablePointer<Float>, count: Int
  ) {
    var constants = step.constants
    kernels.adamW(&constants, Int64(count), values, gradients, first, second)
  }

  /// The sum of squares of values in double precision, sixteen sums side by side, on the calling thread.
  public func sumOfSquares(_ values: Slice<UnsafeMutableBufferPointer<Float>>) -> Double {
    let values = UnsafeMutableBufferPointer(rebasing: values)
    let width = 16
    let rows = values.count / width
    var result = 0.0
    for index in rows * width..<values.count {
      result += Double(values[index]) * Double(values[index])
    }
    guard let base = values.baseAddress else { return result }
    return withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * width) { sums in
      sums.initialize(repeating: 0)
      guard let sums = sums.baseAddress else { return result }
      kernels.channelSums(base, Int64(rows), Int64(width), sums, sums + width)
      return (width..<2 * width).reduce(result) { $0 + sums[$1] }
    }
  }
}
