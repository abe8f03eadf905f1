import Foundation

/// How the learning rate changes during a training: it rises over the first steps, is held, and
/// falls polynomially to zero.
///
/// nnU-Net and the reference: 0.01, power 0.9, nothing held, no rise.
public struct LearningRateSchedule: Sendable, Equatable {
  public var rate: Double
  public var power: Double
  /// The part of the training, below 1, before the rate falls.
  public var hold: Double
  /// Steps over which the rate rises.
  public var warmupSteps: Int

  public init(rate: Double, power: Double = 0.9, hold: Double = 0, warmupSteps: Int = 0) {
    self.rate = rate
    self.power = power
    self.hold = hold
    self.warmupSteps = warmupSteps
  }

  /// The rate of a step.
  ///
  /// - Parameters:
  ///   - step: number of the step from 0.
  ///   - progress: the part of the training that is done, 0...1: `step / steps`, or by time.
  public func rate(step: Int, progress: Double) -> Double {
    let rise = warmupSteps > 0 ? min(1, Double(step + 1) / Double(warmupSteps)) : 1
    let left = min(1, max(0, 1 - progress) / max(1 - hold, .leastNormalMagnitude))
    return rate * pow(left, power) * rise
  }
}
