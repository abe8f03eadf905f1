import Checkpoints
import UNETRPP
import Wording

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
  case dataset(path: String, reason: String)
  /// The tensors have the names of no UNETR++ network.
  case otherArchitecture(path: String, names: [String], count: Int)
  /// The network is one that the authors publish, of another preset.
  case otherPreset(path: String, preset: String, fits: String)
  /// Several patches have the checkpoint's number of tokens.
  case unknownPatch(path: String, name: String, tokens: Int, stem: [Int], possible: [[Int]])
  case wrongLabels(
    path: String, source: String, values: [Int], name: String, classes: Int, featureSize: Int)
  case missingNormalization(channels: Int, preset: String, found: Int)
  case ambiguousTensor(path: String, name: String, sources: [String])
  case missingTensors(path: String, source: String, names: [String], count: Int, fits: String?)
  case wrongShape(
    path: String, source: String, name: String, expected: [Int], found: [Int], fits: String?)
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
    case .dataset(let path, let reason): "\(path): \(reason)"
    case .otherArchitecture(let path, let names, let count):
      "\(path): is no UNETR++ network: none of its \(counted(count, "tensor")) is named unetr_pp_encoder.…; the "
        + "first are \(names.joined(separator: ", ")). Only networks of UNETR++ can be imported"
    case .otherPreset(let path, let preset, let fits):
      "\(path): the network is the one of the preset \(fits), not \(preset): import it with "
        + "--preset \(fits), or, where it is your own, name its blocks or patch in --architecture FILE"
    case .unknownPatch(let path, let name, let tokens, let stem, let possible):
      possible.isEmpty
        ? "\(path): the tensor \(name) has \(tokens) tokens, which no patch of multiples of eight "
          + "times the stem \(stem) has"
        : "\(path): the tensor \(name) has \(tokens) tokens, which \(possible.count) patches have, such "
          + "as \(possible.prefix(3).map { "\($0)" }.joined(separator: ", ")): say which by network: "
          + "{patch: [z, y, x]} in --architecture FILE, or by nnU-Net's --plans"
    case .wrongLabels(let path, let source, let values, let name, let classes, let featureSize):
      "\(path): \(source) names the labels \(values), the tensor \(name) has shape "
        + "\([classes, featureSize, 1, 1, 1]); for these labels it would be "
        + "\([values.count + 1, featureSize, 1, 1, 1]). Name each value from 1 to \(classes - 1) once"
    case .missingNormalization(let channels, let preset, let found):
      "the network takes \(channels) channels, the preset \(preset) has intensities for \(found): give "
        + "nnU-Net's --plans, or preprocessing.normalization in --architecture FILE"
    case .ambiguousTensor(let path, let name, let sources):
      "\(path): the tensor \(name) comes twice, as \(sources.joined(separator: " and "))"
    case .missingTensors(let path, let source, let names, let count, let fits):
      "\(path): \(count) tensors are missing of the network as \(source) has it, first "
        + names.joined(separator: ", ") + Self.hint(fits)
    case .wrongShape(let path, let source, let name, let expected, let found, let fits):
      "\(path): the tensor \(name) has shape \(found), by \(source) it would be \(expected); correct "
        + "that, or leave it out: sizes are then read from the tensors" + Self.hint(fits)
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
