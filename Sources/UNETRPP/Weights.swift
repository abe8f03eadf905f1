import Checkpoints
import Tensors

/// The tensors of one part of a network: those whose names begin with a prefix.
struct Weights {
  let file: SafetensorsFile
  var prefix = ""

  /// The tensors of a part of this part.
  func part(_ name: String) -> Weights { Weights(file: file, prefix: "\(prefix)\(name).") }

  func has(_ name: String) -> Bool { file.entry(prefix + name) != nil }

  /// Row-major values of a tensor, copied.
  func callAsFunction(_ name: String) throws(NetworkError) -> [Float] {
    do throws(SafetensorsError) {
      let values = try file.floats(prefix + name)
      try file.release(prefix + name)
      return values
    } catch {
      throw .unreadableWeights(error)
    }
  }

  /// Row-major values of a tensor, in the mapped file where they can be used there.
  func inPlace(_ name: String) throws(NetworkError) -> Parameters {
    let mapped: UnsafeBufferPointer<Float>?
    do throws(SafetensorsError) {
      mapped = try file.mappedFloats(prefix + name)
    } catch {
      throw .unreadableWeights(error)
    }
    guard let mapped else { return Parameters(try self(name)) }
    return Parameters(mapped, in: file)
  }
}
