import Tensors
import UNETRPP

/// Where each layer's parameters are and where what it keeps for the backward pass will be. Layers
/// are planned before any memory is taken, so that a plan also forecasts the memory.
final class LayerPlan {
  let description: NetworkDescription
  let batch, threads: Int
  private let table: ParameterTable
  private(set) var layout = ArenaLayout()
  /// The tensors whose gradients need not be zero before a backward pass.
  private(set) var written: [Range<Int>] = []

  init(_ description: NetworkDescription, table: ParameterTable, batch: Int, threads: Int) {
    self.description = description
    self.table = table
    self.batch = batch
    self.threads = threads
  }

  /// Room that stays until the next step.
  func keep(_ count: Int) -> Slot { layout.add(count) }

  /// Where a trainable tensor, or a running statistic, is in the store.
  func place(_ name: String) -> Range<Int> { table[name] }

  /// Where a tensor is whose gradient a backward pass writes, and does not add to what was there.
  func placeOfWritten(_ name: String) -> Range<Int> {
    let place = table[name]
    written.append(place)
    return place
  }
}

/// Memory that is used for a while, taken from the front; a copy handed to a callee gives back what
/// the callee took.
struct Scratch {
  private var next: UnsafeMutablePointer<Float>
  private var left: Int

  init(_ start: UnsafeMutablePointer<Float>, count: Int) {
    next = start
    left = count
  }

  /// `count` floats on a cache line's boundary, their values unknown.
  mutating func take(_ count: Int) -> UnsafeMutablePointer<Float> {
    let size = Self.size(count)
    // Of the program: a layer's `scratch` says how much it takes.
    precondition(size <= left, "a layer takes more scratch than it planned")
    defer {
      next += size
      left -= size
    }
    return next
  }

  /// What taking pieces of these counts takes.
  static func size(_ counts: Int...) -> Int { counts.reduce(0) { $0 + ($1 + 15) / 16 * 16 } }
}

/// What the layers of a network compute with during one pass.
struct Pass {
  let compute: Compute
  let arena: Arena
  let parameters: ParameterStore
  let batch: Int
  /// Whether BatchNorm takes the statistics of the batch (and updates the running ones) and dropout
  /// is active.
  let isTraining: Bool
  let dropout: Dropout?

  func values(_ range: Range<Int>) -> UnsafeMutablePointer<Float> {
    pointer(parameters.values, range)
  }
  func gradients(_ range: Range<Int>) -> UnsafeMutablePointer<Float> {
    pointer(parameters.gradients, range)
  }
  func buffers(_ range: Range<Int>) -> UnsafeMutablePointer<Float> {
    pointer(parameters.buffers, range)
  }

  private func pointer(
    _ values: UnsafeMutableBufferPointer<Float>, _ range: Range<Int>
  ) -> UnsafeMutablePointer<Float> {
    // The store has room for every range of its table.
    values.baseAddress.unsafelyUnwrapped + range.lowerBound
  }
}

/// Channels of a sample that are set to zero in training (Dropout3d): each with the same
/// probability, the others are scaled to keep the mean.
struct Dropout {
  let rate: Float
  let seed: UInt64
  let step: Int

  /// The factor of each channel of each sample (batch x channels) for one layer.
  func factors(
    layer: Int, count: Int, into factors: UnsafeMutablePointer<Float>
  ) {
    var generator = CounterGenerator(seed: seed, step: step, sample: layer, purpose: .dropout)
    for i in 0..<count {
      factors[i] = generator.chance(Double(rate)) ? 0 : 1 / (1 - rate)
    }
  }
}
