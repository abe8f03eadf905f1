import Tensors

/// An exponential moving average of weights (and running statistics), with which a trained network
/// is validated and stored.
public struct WeightAverage: Sendable, Equatable {
  /// The share of the old average that stays in a step, late in the training.
  public var decay: Double

  public init(decay: Double = 0.999) { self.decay = decay }

  /// The share of the old average that stays in a step: it grows from 0.1, so that the first values
  /// are soon forgotten.
  ///
  /// - Parameter step: number of the step from 0.
  public func decay(step: Int) -> Double {
    min(decay, (1 + Double(step)) / (10 + Double(step)))
  }

  /// Moves the averages towards the values, as PyTorch's `lerp_`.
  ///
  /// - Parameters:
  ///   - averages: as many as `values`.
  ///   - values: of this step.
  ///   - step: number of the step from 0.
  ///   - compute: the threads.
  public func update(
    _ averages: UnsafeMutableBufferPointer<Float>, with values: UnsafeMutableBufferPointer<Float>,
    step: Int, _ compute: Compute
  ) {
    let count = min(averages.count, values.count)
    guard let averages = averages.baseAddress, let values = values.baseAddress else { return }
    let share = Float(1 - decay(step: step))
    ParameterBlocks([ParameterRange(0..<count, isDecayed: false)]).run(compute) { range, _ in
      if share < 0.5 {
        for index in range { averages[index] += share * (values[index] - averages[index]) }
      } else {
        for index in range {
          averages[index] = values[index] - (values[index] - averages[index]) * (1 - share)
        }
      }
    }
  }
}
