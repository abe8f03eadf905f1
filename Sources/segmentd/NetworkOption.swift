import ArgumentParser
import Foundation
import Segmentation
import UNETRPP

/// The network of `--variant`: a published one by name, or a YAML file that describes one with the
/// keys under `network` of `model.yaml`.
func networkDescription(_ variant: String) throws -> NetworkDescription {
  switch variant {
  case "synapse": return .synapse
  case "acdc": return .acdc
  case "lung": return .lung
  case "tumor": return .tumor
  default: break
  }
  guard FileManager.default.isReadableFile(atPath: variant) else {
    throw ValidationError(
      "--variant \(variant) is neither synapse, acdc, lung, tumor nor a readable file")
  }
  return try NetworkDescription(file: variant)
}
