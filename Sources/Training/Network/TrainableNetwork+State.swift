import Checkpoints
import Tensors
import UNETRPP

extension TrainableNetwork {
  /// Copies the tensors of a file that was checked against the description.
  func load(_ file: SafetensorsFile) throws(NetworkError) {
    for (entries, values) in [
      (parameters.entries, parameters.values), (parameters.bufferEntries, parameters.buffers),
    ] {
      for entry in entries {
        guard let name = sourceName(entry.name, in: file) else { continue }
        do throws(SafetensorsError) {
          let source = try file.floats(name)
          for (i, value) in zip(entry.range, source) { values[i] = value }
          try file.release(name)
        } catch {
          throw .unreadableWeights(error)
        }
      }
    }
  }

  /// The name under which a file holds a tensor, nil where it lacks it. In the shared case F is a
  /// second name of E and was loaded last by the reference.
  private func sourceName(_ name: String, in file: SafetensorsFile) -> String? {
    let second = sharedName(name)
    if let second, file.entry(second) != nil { return second }
    return file.entry(name) == nil ? nil : name
  }

  /// The second name of a projection that keys and values share.
  private func sharedName(_ name: String) -> String? {
    guard description.blocks == .synapse else { return nil }
    for last in [".epa_block.E.weight", ".epa_block.E.bias"] where name.hasSuffix(last) {
      return name.dropLast(last.count) + last.replacing(".E.", with: ".F.")
    }
    return nil
  }

  /// The state dictionary by the reference implementation's names, for a safetensors file that
  /// `UNETRPP.Network` and PyTorch load.
  /// - Parameters:
  ///   - values: in the places of `parameters.values`, such as an average of weights; nil for these.
  ///   - buffers: in the places of `parameters.buffers`; nil for these.
  ///   - secondNames: whether a projection that keys and values share is there under both of its
  ///     names, as the published files have it.
  public func stateDictionary(
    values: UnsafeBufferPointer<Float>? = nil, buffers: UnsafeBufferPointer<Float>? = nil,
    secondNames: Bool = true
  ) -> [SafetensorsWriter.NamedTensor] {
    let values = values ?? UnsafeBufferPointer(parameters.values)
    let buffers = buffers ?? UnsafeBufferPointer(parameters.buffers)
    var tensors: [SafetensorsWriter.NamedTensor] = []
    for (entries, source) in [(parameters.entries, values), (parameters.bufferEntries, buffers)] {
      for entry in entries {
        let copy = Array(source[entry.range])
        tensors.append((entry.name, entry.shape, copy))
        guard secondNames, let second = sharedName(entry.name) else { continue }
        tensors.append((second, entry.shape, copy))
      }
    }
    return tensors
  }
}
