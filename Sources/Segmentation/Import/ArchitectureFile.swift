import FileSystem
import Foundation
import Terminology
import UNETRPP
import Volumes

/// What the owner of a network of their own says of it (`--architecture FILE`): sections of
/// `model.yaml`, of which every key may be left out.
struct ArchitectureFile {
  /// The file's name, for messages and as a source.
  let name: String
  let summary: String?
  let trainingData: String?
  private let network: BundleNode?
  private let preprocessing: BundleNode?
  private let labels: BundleNode?
  private let input: BundleNode?

  /// - Throws: `ModelBundleError` naming file, line and key; unknown keys are errors.
  init(path: String) throws(ModelBundleError) {
    let text: String
    do {
      text = try TextFile.read(path)
    } catch {
      throw .unreadable(path: path, reason: error.description)
    }
    let root = try BundleNode(yaml: text, file: path).allowing([
      "summary", "trainingData", "network", "preprocessing", "labels", "input",
    ])
    name = URL(fileURLWithPath: path).lastPathComponent
    summary = try root.optional("summary")?.text()
    trainingData = try root.optional("trainingData")?.text()
    network = try root.optional("network")?.allowing(NetworkDescription.keys)
    preprocessing = try root.optional("preprocessing")?.allowing([
      "orientation", "spacing", "cropToNonzero", "normalization",
    ])
    labels = root.optional("labels")
    input = root.optional("input")
  }

  var statesNetwork: Bool { network != nil }
  var statesPatch: Bool { network?.optional("patch") != nil }

  /// Replaces what the file states; a contradiction to the tensors shows when they are taken.
  func apply(to description: inout NetworkDescription) throws(ModelBundleError) {
    guard let network else { return }
    if let node = network.optional("blocks") {
      guard let blocks = BlockKind(rawValue: try node.text()) else {
        throw node.invalid(
          "is none of \(BlockKind.allCases.map(\.rawValue).joined(separator: ", "))")
      }
      description.blocks = blocks
    }
    func number(_ key: String, _ value: inout Int) throws(ModelBundleError) {
      if let node = network.optional(key) { value = try node.integer(in: 1...4096) }
    }
    func numbers(_ key: String, _ values: inout [Int]) throws(ModelBundleError) {
      guard let node = network.optional(key) else { return }
      values = []
      for item in try node.items() { values.append(try item.integer(in: 1...4096)) }
    }
    try number("inputChannels", &description.inputChannels)
    try number("classes", &description.classes)
    try number("featureSize", &description.featureSize)
    try number("heads", &description.heads)
    try numbers("patch", &description.patch)
    try numbers("stem", &description.stem)
    try numbers("dims", &description.dims)
    try numbers("depths", &description.depths)
    try numbers("decoderDepths", &description.decoderDepths)
    try numbers("projections", &description.projections)
    try numbers("decoderProjections", &description.decoderProjections)
    do throws(NetworkError) {
      try description.validate()
    } catch {
      throw network.invalid("does not describe a network: \(error)")
    }
  }

  /// Takes over what the file says of preprocessing and limits.
  func apply(to preset: inout ModelPreset) throws(ModelBundleError) {
    if let summary { preset.summary = summary }
    if let trainingData { preset.trainingData = trainingData }
    if let node = preprocessing?.optional("orientation") {
      preset.preprocessing.orientation = try Preprocessing.orientation(node)
      preset.replaceSources(["orientation"], by: name)
    }
    if let node = preprocessing?.optional("spacing") {
      preset.preprocessing.spacing = try node.triple(above: 0)
      preset.replaceSources(["spacing"], by: name)
    }
    if let node = preprocessing?.optional("cropToNonzero") {
      preset.preprocessing.cropToNonzero = try node.flag()
    }
    if let node = preprocessing?.optional("normalization") {
      preset.preprocessing.normalization = []
      for item in try node.items() {
        preset.preprocessing.normalization.append(try Normalization(item))
      }
      preset.replaceSources(["intensities"], by: name)
    }
    if let input {
      preset.input = try InputLimits(input, channels: preset.network.inputChannels)
    }
  }

  /// The labels by value from 1: a name alone, or as in `model.yaml` with or without codes; nil where
  /// the file states none.
  func labelList(classes: Int) throws(ModelBundleError) -> [SegmentDescription]? {
    guard let labels else { return nil }
    var list: [SegmentDescription] = []
    for (index, item) in try labels.items().enumerated() {
      if item.isScalar {
        list.append(LabelLexicon.label(UInt8(clamping: index + 1), try item.text()))
      } else if item.optional("type") != nil {
        list.append(try SegmentDescription(label: item, classes: classes))
      } else {
        let item = try item.allowing(["value", "name"])
        let value = try item.required("value").integer(in: 1...max(1, classes - 1))
        list.append(LabelLexicon.label(UInt8(value), try item.required("name").text()))
      }
    }
    return list.sorted { $0.value < $1.value }
  }
}
