import Checkpoints
import Tensors
import Training
import UNETRPP

/// The network, what trains it, and one step of it.
final class Trainer {
  let network: TrainableNetwork
  let state: TrainingState
  let options: TrainingOptions
  private let compute: Compute
  private let loss: SegmentationLoss
  private let schedule: LearningRateSchedule
  private let average: WeightAverage
  /// d(loss)/d(logits), by resolution.
  private let gradients: [FlatBuffer]

  /// - Parameters:
  ///   - description: sizes of the network.
  ///   - weights: what the training begins with; nil for random weights.
  ///   - options: how it is trained.
  ///   - threads: worker threads.
  /// - Throws: `NetworkError`, also where there is not enough memory.
  init(
    _ description: NetworkDescription, weights: SafetensorsFile?, options: TrainingOptions,
    threads: Int
  ) throws(NetworkError) {
    let bytes = try Self.bytes(description, options: options, threads: threads)
    guard let compute = Compute(threads: threads) else { throw .notEnoughMemory(bytes: bytes) }
    do throws(NotEnoughMemory) {
      try ArenaLayout.checkAvailable(bytes: bytes)
    } catch {
      throw .notEnoughMemory(bytes: error.bytes)
    }
    self.compute = compute
    self.options = options
    if let weights {
      network = try TrainableNetwork(
        description: description, batch: options.batch, deepSupervision: options.deepSupervision,
        weights: weights, seed: options.seed, compute: compute)
    } else {
      network = try TrainableNetwork(
        description: description, batch: options.batch, deepSupervision: options.deepSupervision,
        seed: options.seed, compute: compute)
    }
    network.dropoutRate = Float(options.dropout)
    state = TrainingState(network.parameters, rule: options.optimiser.rule)
    loss = SegmentationLoss(
      options.loss.options, batch: options.batch, classes: description.classes,
      shape: description.patch)
    schedule = LearningRateSchedule(
      rate: options.optimiser.rate, power: options.schedule.power, hold: options.schedule.hold,
      warmupSteps: options.schedule.warmupSteps)
    average = WeightAverage(decay: options.average)
    gradients = Self.grids(description, deepSupervision: options.deepSupervision).map {
      FlatBuffer(count: options.batch * description.classes * $0)
    }
  }

  /// The voxels of each resolution with a head.
  private static func grids(
    _ description: NetworkDescription, deepSupervision: Bool
  ) -> [Int] {
    let full = description.patch.reduce(1, *)
    let stem = full / description.stem.reduce(1, *)
    return deepSupervision ? [full, stem, stem / 8] : [full]
  }

  /// The bytes that a training takes in addition to its cases.
  static func bytes(
    _ description: NetworkDescription, options: TrainingOptions, threads: Int
  ) throws(NetworkError) -> Int {
    let network = try TrainableNetwork.bytes(
      description: description, batch: options.batch, threads: threads,
      deepSupervision: options.deepSupervision)
    let parameters = description.stateDictionary().reduce(0) {
      $0 + ($1.shape.reduce(1, *) + 15) / 16 * 16
    }
    let logits = grids(description, deepSupervision: options.deepSupervision).reduce(0, +)
    return network + Optimiser.bytes(options.optimiser.rule, count: parameters) + 4 * parameters
      + 4 * options.batch * description.classes * logits
  }

  /// What a step came to.
  struct StepResult {
    var loss: LossValue
    var rate: Double
    var norm: Double
  }

  /// One step on a batch. Where something is not finite the weights are as before.
  ///
  /// - Throws: `LossError` or `GradientNotFinite`.
  func step(_ batch: PatchBatch) throws -> StepResult {
    let rate = schedule.rate(
      step: state.step, progress: Double(state.step) / Double(options.steps))
    let value = try batch.images.withUnsafeBufferPointer { images in
      try batch.labels.withUnsafeBufferPointer { labels in
        guard let images = images.baseAddress, let labels = labels.baseAddress else {
          throw LossError.shape(level: [], labels: network.description.patch)
        }
        return try forwardAndBackward(images, labels)
      }
    }
    let store = state.store
    let norm = try GradientNorm(store.gradients, compute)
    state.optimiser.step(
      store.values, store.gradients, rate: rate, gradientScale: norm.scale(limit: options.clip),
      compute)
    network.prepareWeights()
    average.update(state.averages.values, with: store.values, step: state.step, compute)
    average.update(state.bufferAverages.values, with: store.buffers, step: state.step, compute)
    state.step += 1
    return StepResult(loss: value, rate: rate, norm: norm.value)
  }

  private func forwardAndBackward(
    _ images: UnsafePointer<Float>, _ labels: UnsafePointer<UInt8>
  ) throws -> LossValue {
    let logits = network.forward(images, step: state.step)
    let levels = zip(logits, gradients).compactMap { level, gradient in
      gradient.values.baseAddress.map {
        LossLevel(
          shape: [level.grid.depth, level.grid.height, level.grid.width],
          logits: UnsafePointer(level.values), gradient: $0)
      }
    }
    let value = try loss.evaluate(levels, labels: labels, compute: compute)
    network.backward(levels.map { UnsafePointer($0.gradient) })
    return value
  }

  /// The averaged weights by which inference works, for a file.
  func averagedTensors() -> [SafetensorsWriter.NamedTensor] {
    network.stateDictionary(
      values: UnsafeBufferPointer(state.averages.values),
      buffers: UnsafeBufferPointer(state.bufferAverages.values), secondNames: false
    ).filter { !$0.name.hasPrefix("out2.") && !$0.name.hasPrefix("out3.") }
  }
}
