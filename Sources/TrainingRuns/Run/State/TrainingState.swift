import Tensors
import Training

/// Everything that changes while a network is trained, and that a checkpoint holds.
final class TrainingState {
  /// The weights, their gradients and the running statistics.
  let store: ParameterStore
  let optimiser: Optimiser
  /// Moving averages of the weights and of the running statistics.
  let averages: FlatBuffer
  let bufferAverages: FlatBuffer
  /// Steps that are done.
  var step = 0
  /// Time that the steps took, over all sittings.
  var seconds = 0.0
  var best = BestValidation()
  /// The step of the last validation.
  var validatedStep = 0

  /// The best validation so far, and how long ago it was.
  struct BestValidation: Equatable {
    var step = 0
    /// Mean over labels and cases; below 0 before the first validation.
    var dice = -1.0
    /// Validations since.
    var validationsSince = 0
  }

  init(_ store: ParameterStore, rule: OptimiserRule) {
    self.store = store
    optimiser = Optimiser(
      rule, count: store.values.count,
      ranges: store.entries.map { ParameterRange($0.range, isDecayed: $0.isDecayed) })
    averages = FlatBuffer(count: store.values.count)
    bufferAverages = FlatBuffer(count: store.buffers.count)
    _ = averages.values.update(from: store.values)
    _ = bufferAverages.values.update(from: store.buffers)
  }

  /// The bytes that a state takes in addition to its store.
  static func bytes(_ store: ParameterStore, rule: OptimiserRule) -> Int {
    Optimiser.bytes(rule, count: store.values.count)
      + 4 * (store.values.count + store.buffers.count)
  }

  /// One kind of values, tensor by tensor.
  struct Part {
    let prefix: String
    let entries: [ParameterStore.Entry]
    let values: UnsafeMutableBufferPointer<Float>
  }

  /// All that a checkpoint holds.
  var parts: [Part] {
    [
      Part(prefix: "weight", entries: store.entries, values: store.values),
      Part(prefix: "average", entries: store.entries, values: averages.values),
      Part(prefix: "running", entries: store.bufferEntries, values: store.buffers),
      Part(
        prefix: "runningAverage", entries: store.bufferEntries, values: bufferAverages.values),
    ]
      + optimiser.moments.map {
        Part(prefix: $0.name, entries: store.entries, values: $0.buffer.values)
      }
  }

  /// The name of a tensor that holds a value which is not finite; nil where there is none.
  var nonFiniteTensor: String? {
    for part in parts {
      for entry in part.entries where !part.values[entry.range].allSatisfy(\.isFinite) {
        return "\(part.prefix).\(entry.name)"
      }
    }
    return nil
  }
}
