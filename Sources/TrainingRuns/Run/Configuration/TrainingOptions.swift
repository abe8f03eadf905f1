import Training

/// How a network is trained: keys of `train.yaml`, with their defaults.
public struct TrainingOptions: Codable, Sendable, Equatable {
  public var steps: Int
  /// Patches of a step.
  public var batch = 2
  public var seed: UInt64 = 1
  public var optimiser = OptimiserSettings()
  public var schedule = ScheduleSettings()
  /// The norm to which gradients are clipped.
  public var clip = 12.0
  /// The share of the weights' average that stays in a step.
  public var average = 0.999
  public var loss = LossSettings()
  /// Whether coarser resolutions have a loss of their own.
  public var deepSupervision = true
  /// The probability with which a channel is dropped at the end of a transformer block.
  public var dropout = 0.0
  public var validation = ValidationSettings()
  /// Between checkpoints.
  public var checkpointSeconds = 300.0
  public var weights = WeightSettings()

  /// What `steps` may be.
  public static let stepCounts = 1...100_000_000
  /// What `batch` may be.
  public static let batches = 1...256

  private enum Keys: String, CodingKey, CaseIterable {
    case steps, batch, seed, optimiser, schedule, clip, average, loss, deepSupervision, dropout
    case validation, checkpointSeconds, weights
  }

  static let keys = Keys.allCases.map(\.rawValue)

  public init(steps: Int) { self.steps = steps }

  /// Of a mapping that may have other keys too.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Keys.self)
    self.init(steps: try values.number(.steps, in: Self.stepCounts))
    batch = try values.number(.batch, in: Self.batches, or: batch)
    seed = UInt64(try values.number(.seed, in: 0...Int.max, or: 1))
    optimiser = try values.decodeIfPresent(OptimiserSettings.self, forKey: .optimiser) ?? optimiser
    schedule = try values.decodeIfPresent(ScheduleSettings.self, forKey: .schedule) ?? schedule
    clip = try values.number(.clip, in: 1e-6...1e12, or: clip)
    average = try values.number(.average, in: 0...0.999999, or: average)
    loss = try values.decodeIfPresent(LossSettings.self, forKey: .loss) ?? loss
    deepSupervision = try values.decodeIfPresent(Bool.self, forKey: .deepSupervision) ?? true
    dropout = try values.number(.dropout, in: 0...0.9, or: dropout)
    validation =
      try values.decodeIfPresent(ValidationSettings.self, forKey: .validation) ?? validation
    checkpointSeconds = try values.number(.checkpointSeconds, in: 0...86_400, or: checkpointSeconds)
    weights = try values.decodeIfPresent(WeightSettings.self, forKey: .weights) ?? weights
    if weights.choice == .best, validation.everySteps > steps {
      throw DecodingError.dataCorruptedError(
        forKey: .weights, in: values,
        debugDescription: "choice: best needs a validation, but validation.everySteps is "
          + "\(validation.everySteps) and steps \(steps)")
    }
  }
}
