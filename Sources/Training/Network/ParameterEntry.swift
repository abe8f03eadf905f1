/// A tensor of a network's parameters, or of its running statistics.
public struct ParameterEntry: Sendable, Equatable {
  /// PyTorch's name of the tensor.
  public let name: String
  /// The shape as PyTorch stores it, row-major.
  public let shape: [Int]
  /// Where its values are.
  public let range: Range<Int>
  /// Whether weight decay applies: to matrices and kernels, not to biases, the weights of
  /// normalisations, gamma, temperatures and position embeddings (those of one dimension, and what
  /// is a table of offsets and not a map).
  public let isDecayed: Bool
}
