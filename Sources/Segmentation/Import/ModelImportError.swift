import Checkpoints
import UNETRPP

/// Why a checkpoint does not become a bundle.
public enum ModelImportError: Error, Equatable, Sendable, CustomStringConvertible {
  case invalidName(String)
  case exists(path: String)
  case unwritable(path: String, reason: String)
  case checkpoint(CheckpointError)
  case plans(TrainingPlansError)
  /// The plans are not of the preset's network.
  case plansMismatch(path: String, reason: String)
  case postprocessing(path: String, reason: String)
  case ambiguousTensor(path: String, name: String, sources: [String])
  case missingTensors(path: String, preset: String, names: [String], count: Int, fits: String?)
  case wrongShape(
    path: String, preset: String, name: String, expected: [Int], found: [Int], fits: String?)
  case notFinite(path: String, name: String, index: Int)
  case bundle(ModelBundleError)
  case network(NetworkError)

  public var description: String {
    switch self {
    case .invalidName(let name):
      "\"\(name)\" is no name for a model: letters, digits, '.', '_' and '-', at most 64, "
        + "beginning with a letter or digit"
    case .exists(let path): "\(path) exists already; remove it or choose another --name"
    case .unwritable(let path, let reason): "\(path): cannot be written: \(reason)"
    case .checkpoint(let error): error.description
    case .plans(let error): error.description
    case .plansMismatch(let path, let reason): "\(path): the plans are of another model: \(reason)"
    case .postprocessing(let path, let reason): "\(path): \(reason)"
    case .ambiguousTensor(let path, let name, let sources):
      "\(path): the tensor \(name) comes twice, as \(sources.joined(separator: " and "))"
    case .missingTensors(let path, let preset, let names, let count, let fits):
      "\(path): \(count) tensors of the preset \(preset) are missing, first "
        + names.joined(separator: ", ") + Self.hint(fits)
    case .wrongShape(let path, let preset, let name, let expected, let found, let fits):
      "\(path): the tensor \(name) has shape \(found), the preset \(preset) needs \(expected)"
        + Self.hint(fits)
    case .notFinite(let path, let name, let index):
      "\(path): the tensor \(name) holds a value that is no number, at element \(index)"
    case .bundle(let error): error.description
    case .network(let error): error.description
    }
  }

  private static func hint(_ fits: String?) -> String {
    fits.map { ". The checkpoint fits --preset \($0)" } ?? ""
  }
}
