import Checkpoints

/// The tensors of one part of a network: those whose names begin with a prefix.
struct Weights {
  let file: SafetensorsFile
  var prefix = ""

  /// The tensors of a part of this part.
  func part(_ name: String) -> Weights { Weights(file: file, prefix: "\(prefix)\(name).") }

  func has(_ name: String) -> Bool { file.entry(prefix + name) != nil }

  /// Row-major values of a tensor.
  func callAsFunction(_ name: String) throws(NetworkError) -> [Float] {
    do throws(SafetensorsError) {
      return try file.floats(prefix + name)
    } catch {
      throw .unreadableWeights(error)
    }
  }
}
