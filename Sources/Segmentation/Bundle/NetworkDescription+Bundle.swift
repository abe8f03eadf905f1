import FileSystem
import Foundation
import StrictYAML
import UNETRPP

extension NetworkDescription {
  /// The keys under `network` of `model.yaml`.
  static let keys = [
    "blocks", "patch", "inputChannels", "classes", "stem", "featureSize", "dims", "heads", "depths",
    "decoderDepths", "projections", "decoderProjections",
  ]

  /// - Throws: `ModelBundleError` naming file, line and key; unknown keys are errors.
  init(_ node: BundleNode) throws(ModelBundleError) {
    let checked = try node.allowing(Self.keys)
    _ = try checked.required("inputChannels").integer(in: 1...64)
    _ = try checked.required("classes").integer(in: 2...256)
    for item in try checked.required("patch").items() { _ = try item.integer(in: 1...4096) }
    self = try checked.decode(NetworkDescription.self)
    do throws(NetworkError) {
      try validate()
    } catch {
      throw checked.invalid("does not describe a network: \(error)")
    }
  }

  /// A network by itself, in a file that holds what is under `network` of `model.yaml`.
  ///
  /// - Throws: `ModelBundleError` naming file, line and key; unknown keys are errors.
  package init(file: String) throws(ModelBundleError) {
    let text: String
    do {
      text = try TextFile.read(file)
    } catch {
      throw .unreadable(path: file, reason: error.description)
    }
    try self.init(BundleNode(yaml: text, file: file))
  }
}
