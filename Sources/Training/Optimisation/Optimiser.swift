import Foundation
import Tensors

/// How weights follow their gradients.
public enum OptimiserRule: Sendable, Equatable {
  /// Stochastic gradient descent with Nesterov momentum; weight decay is added to the gradient.
  /// nnU-Net and the reference: momentum 0.99, decay 3e-5 on every parameter.
  case sgd(momentum: Double = 0.99, decay: Double = 3e-5)
  /// Adam with decay apart from the gradient (Loshchilov and Hutter, ICLR 2019).
  case adamW(
    beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, decay: Double = 1e-2)
}

/// Steps on a flat buffer of parameters, with the arithmetic of PyTorch's SGD (Nesterov, no
/// dampening) and AdamW in single precision.
///
/// ```swift
/// let norm = try GradientNorm.finite(gradients, compute)
/// optimiser.step(
///   values, gradients, rate: schedule.rate(step: step), gradientScale: norm.scale(most: 12), compute)
/// ```
public final class Optimiser {
  public let rule: OptimiserRule
  /// What the optimiser remembers, by name: `momentum`, or `moment1` and `moment2`. A checkpoint
  /// holds these and ``steps``.
  public let moments: [(name: String, buffer: FlatBuffer)]
  /// Steps made; AdamW's corrections for the start depend on it.
  public var steps = 0
  private let blocks: ParameterBlocks

  /// - Parameters:
  ///   - rule: the method and its constants.
  ///   - count: length of the buffers.
  ///   - ranges: the parameters within the buffers.
  public init(_ rule: OptimiserRule, count: Int, ranges: [ParameterRange]) {
    self.rule = rule
    let names = Self.momentNames(rule)
    moments = names.map { ($0, FlatBuffer(count: count)) }
    blocks = ParameterBlocks(ranges)
  }

  private static func momentNames(_ rule: OptimiserRule) -> [String] {
    switch rule {
    case .sgd: ["momentum"]
    case .adamW: ["moment1", "moment2"]
    }
  }

  /// The bytes of the moments.
  public static func bytes(_ rule: OptimiserRule, count: Int) -> Int {
    momentNames(rule).count * count * MemoryLayout<Float>.size
  }

  /// One step.
  ///
  /// - Parameters:
  ///   - values: the parameters.
  ///   - gradients: finite; see ``GradientNorm``.
  ///   - rate: the learning rate.
  ///   - gradientScale: factor of the gradients, as clipping needs it.
  ///   - compute: the threads.
  public func step(
    _ values: UnsafeMutableBufferPointer<Float>, _ gradients: UnsafeMutableBufferPointer<Float>,
    rate: Double, gradientScale: Double = 1, _ compute: Compute
  ) {
    steps += 1
    guard let values = values.baseAddress, let gradients = gradients.baseAddress else { return }
    let memories = moments.compactMap { $0.buffer.values.baseAddress }
    let scale = Float(gradientScale)
    switch rule {
    case .sgd(let momentum, let decay):
      blocks.run(compute) { range, isDecayed in
        Self.sgd(
          range, values, gradients, memories[0], rate: Float(rate), scale: scale,
          momentum: Float(momentum), decay: isDecayed ? Float(decay) : 0)
      }
    case .adamW(let beta1, let beta2, let epsilon, let decay):
      let (correction1, correction2) = (
        1 - pow(beta1, Double(steps)), (1 - pow(beta2, Double(steps))).squareRoot()
      )
      blocks.run(compute) { range, isDecayed in
        let first = range.lowerBound
        compute.apply(
          AdamStep(
            keep: Float(isDecayed ? 1 - rate * decay : 1), gradientScale: scale,
            share1: Float(1 - beta1), beta2: Float(beta2), share2: Float(1 - beta2),
            size: Float(rate / correction1), correction: Float(correction2),
            epsilon: Float(epsilon)),
          to: values + first, gradients + first, memories[0] + first, memories[1] + first,
          count: range.count)
      }
    }
  }

  private static func sgd(
    _ range: Range<Int>, _ values: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>,
    _ momenta: UnsafeMutablePointer<Float>, rate: Float, scale: Float, momentum: Float,
    decay: Float
  ) {
    for index in range {
      let gradient = gradients[index] * scale + decay * values[index]
      let moved = momentum * momenta[index] + gradient
      momenta[index] = moved
      values[index] -= rate * (gradient + momentum * moved)
    }
  }
}
