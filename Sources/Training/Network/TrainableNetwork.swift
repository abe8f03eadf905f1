import Checkpoints
import Tensors
import UNETRPP

/// The logits of one resolution for a batch: [batch][classes][D][H][W], W fastest.
public struct LogitsLevel {
  public let values: UnsafeMutablePointer<Float>
  public let grid: Grid
  /// Distance between two samples, in floats.
  public let stride: Int
}

/// UNETR++ with gradients: the network of `UNETRPP` for batches, whose forward pass keeps what the
/// backward pass needs.
///
/// Results do not depend on the number of threads. Not Sendable: one caller at a time.
///
/// ```swift
/// let network = try TrainableNetwork(
///   description: .acdc, batch: 2, deepSupervision: true, seed: 1, compute: compute)
/// let levels = network.forward(images)            // [batch][channels][D][H][W]
/// …                                               // loss and its gradients by the logits
/// network.backward(logitGradients)                // fills network.parameters.gradients
/// …                                               // an optimiser changes network.parameters.values
/// ```
public final class TrainableNetwork {
  public let description: NetworkDescription
  public let batch: Int
  public let deepSupervision: Bool
  /// The trainable tensors, their gradients and the running statistics.
  public let parameters: ParameterStore
  /// The probability with which a channel of a sample is set to zero before the last convolution of
  /// each transformer block (Dropout3d; the reference has 0.1, the recipes here 0).
  public var dropoutRate: Float = 0

  private let compute: Compute
  private let layers: NetworkLayers
  /// Where gradients are added up, which is zero before a backward pass.
  private let accumulated: [Range<Int>]
  private let arena: Arena
  private let scratch: Scratch
  private let seed: UInt64
  /// The pass whose activations are kept.
  private var lastPass: Pass?

  /// A network with random weights.
  /// - Parameters:
  ///   - description: sizes of the network.
  ///   - batch: samples of each pass, at least 1.
  ///   - deepSupervision: whether decoder3 and decoder4 have heads too.
  ///   - seed: of the weights and of dropout.
  ///   - compute: the kernels and worker threads.
  /// - Throws: `NetworkError` where the description is not valid or there is not enough memory.
  public convenience init(
    description: NetworkDescription, batch: Int, deepSupervision: Bool, seed: UInt64,
    compute: Compute
  ) throws(NetworkError) {
    try self.init(description, batch, deepSupervision, seed, compute)
    ParameterInitialisation.fill(parameters, seed: seed, compute: compute)
  }

  /// A network with the weights of a file.
  /// - Parameters:
  ///   - description: sizes of the network, which the tensors have to match.
  ///   - batch: samples of each pass, at least 1.
  ///   - deepSupervision: whether decoder3 and decoder4 have heads too; where the file lacks them
  ///     they are drawn.
  ///   - weights: tensors by the names of the reference implementation's state dictionary.
  ///   - seed: of dropout, and of the heads that the file lacks.
  ///   - compute: the kernels and worker threads.
  /// - Throws: `NetworkError`, naming a missing, unknown or misshapen tensor.
  public convenience init(
    description: NetworkDescription, batch: Int, deepSupervision: Bool,
    weights: SafetensorsFile, seed: UInt64 = 0, compute: Compute
  ) throws(NetworkError) {
    try description.validate()
    try description.check(weights)
    try self.init(description, batch, deepSupervision, seed, compute)
    ParameterInitialisation.fill(parameters, seed: seed, compute: compute) {
      weights.entry($0) == nil
    }
    try load(weights)
  }

  private init(
    _ description: NetworkDescription, _ batch: Int, _ deepSupervision: Bool, _ seed: UInt64,
    _ compute: Compute
  ) throws(NetworkError) {
    try description.validate()
    guard (1...1024).contains(batch) else {
      throw .invalidDescription(field: "batch", reason: "\(batch) is not from 1 to 1024")
    }
    self.description = description
    self.batch = batch
    self.deepSupervision = deepSupervision
    self.compute = compute
    self.seed = seed
    let table = ParameterTable(description, deepSupervision: deepSupervision)
    let plan = Plan(
      description, table: table, batch: batch, threads: compute.threads,
      deepSupervision: deepSupervision)
    layers = plan.layers
    accumulated = plan.accumulated
    do throws(NotEnoughMemory) {
      try ArenaLayout.checkAvailable(bytes: plan.bytes)
      parameters = try ParameterStore(table)
      arena = try Arena(plan.layout)
    } catch {
      throw .notEnoughMemory(bytes: plan.bytes)
    }
    scratch = Scratch(arena[plan.scratch], count: plan.scratch.count)
  }

  /// Layers and their memory, not yet taken.
  private struct Plan {
    let layers: NetworkLayers
    let layout: ArenaLayout
    let scratch: Slot
    let bytes: Int
    let accumulated: [Range<Int>]

    init(
      _ description: NetworkDescription, table: ParameterTable, batch: Int, threads: Int,
      deepSupervision: Bool
    ) {
      let plan = LayerPlan(description, table: table, batch: batch, threads: threads)
      layers = NetworkLayers(plan, deepSupervision: deepSupervision)
      scratch = plan.keep(layers.scratch)
      layout = plan.layout
      accumulated = Self.gaps(plan.written, of: table.count)
      bytes = layout.bytes + ParameterStore.bytes(table)
    }

    /// What is between ranges, in pieces for the threads.
    private static func gaps(_ ranges: [Range<Int>], of count: Int) -> [Range<Int>] {
      let ends = ranges.sorted { $0.lowerBound < $1.lowerBound } + [count..<count]
      let step = 1 << 15
      var start = 0
      return ends.flatMap { next in
        let gap = min(start, next.lowerBound)..<next.lowerBound
        start = next.upperBound
        return stride(from: gap.lowerBound, to: gap.upperBound, by: step).map {
          $0..<min($0 + step, gap.upperBound)
        }
      }
    }
  }

  /// The bytes that a network reserves: parameters, gradients, activations and scratch. An optimiser's
  /// moments and averages come on top.
  /// - Throws: `NetworkError.invalidDescription`, naming the field.
  public static func bytes(
    description: NetworkDescription, batch: Int, threads: Int, deepSupervision: Bool
  ) throws(NetworkError) -> Int {
    try description.validate()
    return Plan(
      description, table: ParameterTable(description, deepSupervision: deepSupervision),
      batch: batch, threads: threads, deepSupervision: deepSupervision
    ).bytes
  }

  /// The floats of the images of a batch: [batch][channels][D][H][W].
  public var imagesCount: Int {
    batch * description.inputChannels * description.patchGrid.voxels
  }

  /// The logits in training: statistics of the batch, running averages updated, dropout active.
  /// - Parameters:
  ///   - images: [batch][channels][D][H][W], W fastest, normalised.
  ///   - step: number of the step, which with the seed decides what dropout sets to zero.
  /// - Returns: the logits at full resolution and, with deep supervision, those of decoder3 (the
  ///   stem's grid) and decoder4 (half of it); valid until the next pass.
  public func forward(_ images: UnsafePointer<Float>, step: Int = 0) -> [LogitsLevel] {
    run(images, isTraining: true, step: step)
  }

  /// The logits as inference computes them, with the running statistics and without dropout.
  public func evaluate(_ images: UnsafePointer<Float>) -> [LogitsLevel] {
    run(images, isTraining: false, step: 0)
  }

  private func run(
    _ images: UnsafePointer<Float>, isTraining: Bool, step: Int
  ) -> [LogitsLevel] {
    let dropout =
      dropoutRate > 0 ? Dropout(rate: min(dropoutRate, 0.99), seed: seed, step: step) : nil
    let pass = Pass(
      compute: compute, arena: arena, parameters: parameters, batch: batch,
      isTraining: isTraining, dropout: dropout)
    lastPass = pass
    let grids = NetworkLayers.headGrids(description, deepSupervision: deepSupervision)
    return zip(layers.forward(images, scratch: scratch, pass), grids).map { values, grid in
      LogitsLevel(values: values, grid: grid, stride: description.classes * grid.voxels)
    }
  }

  /// Sets `parameters.gradients` to the derivatives of the loss, from its derivatives by the logits
  /// of the last `forward`.
  /// - Parameter logitGradients: for each of the levels that `forward` returned, in its layout.
  public func backward(_ logitGradients: [UnsafePointer<Float>]) {
    // Of the program: a backward pass follows a forward pass in training, with all of its levels.
    guard let pass = lastPass, pass.isTraining else {
      preconditionFailure("backward without a forward pass in training")
    }
    precondition(logitGradients.count == (deepSupervision ? 3 : 1))
    compute.run(blocks: accumulated.count) { block, _ in
      parameters.gradients[accumulated[block]].update(repeating: 0)
    }
    layers.backward(logitGradients, scratch: scratch, pass)
  }

  /// To be called after `parameters.values` has changed and before the next pass. Every pass packs
  /// the weights anew, so nothing is done here today.
  public func prepareWeights() {}

  /// Where the time of what runs within `body` went, by kind of layer.
  public func profile(_ body: () throws -> Void) rethrows -> [Profile.Entry] {
    let profile = Profile()
    compute.profile = profile
    defer { compute.profile = nil }
    try body()
    return profile.entries
  }
}
