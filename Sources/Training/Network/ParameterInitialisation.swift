import Tensors
import UNETRPP

/// First values of a network's tensors, as Scripts/train/unetrpp.py draws them: linear layers normal
/// with deviation 0.02, convolutions by He's rule (normal, slope 0.01, ICCV 2015), EF normal with
/// deviation 1/sqrt(N); biases and position embeddings 0, gamma 1e-6, what scales otherwise 1.
enum ParameterInitialisation {
  /// What a tensor's values are.
  enum Rule: Equatable {
    case constant(Float)
    case normal(deviation: Double)
  }

  static func rule(_ name: String, shape: [Int]) -> Rule {
    let last = name.split(separator: ".").last.map(String.init) ?? name
    switch last {
    case "bias", "pos_embed", "running_mean": return .constant(0)
    case "gamma": return .constant(1e-6)
    case "temperature", "temperature2", "running_var": return .constant(1)
    case "EF": return .normal(deviation: 1 / Double(shape[0]).squareRoot())
    default: break
    }
    if shape.count == 1 { return .constant(1) }  // the weight of a normalisation
    // PyTorch truncates at 2, a hundred deviations away.
    if shape.count == 2 { return .normal(deviation: 0.02) }
    // PyTorch counts the second axis and the taps, for a transposed convolution too.
    let fan = Double(shape.dropFirst().reduce(1, *))
    return .normal(deviation: (2 / (1 + 0.01 * 0.01) / fan).squareRoot())
  }

  /// Draws the tensors that `isWanted` names; each has a stream of its own, by its place.
  static func fill(
    _ store: ParameterStore, seed: UInt64, compute: Compute,
    isWanted: (String) -> Bool = { _ in true }
  ) {
    let wanted = store.entries.indices.filter { isWanted(store.entries[$0].name) }
    compute.run(blocks: wanted.count) { block, _ in
      let index = wanted[block]
      let entry = store.entries[index]
      let values = UnsafeMutableBufferPointer(rebasing: store.values[entry.range])
      switch rule(entry.name, shape: entry.shape) {
      case .constant(let value): values.update(repeating: value)
      case .normal(let deviation):
        var generator = CounterGenerator(seed: seed, sample: index, purpose: .initialisation)
        for i in values.indices { values[i] = Float(deviation * generator.normal()) }
      }
    }
    for entry in store.bufferEntries where isWanted(entry.name) {
      guard case .constant(let value) = rule(entry.name, shape: entry.shape) else { continue }
      for i in entry.range { store.buffers[i] = value }
    }
  }
}
