import Cryptography
import FileSystem
import Foundation
import SeriesSelection
import Terminology
import UNETRPP

/// A trained model in its folder: `model.yaml`, the weights it names, and its card.
///
/// ```swift
/// let bundle = try ModelBundle.load(at: URL(fileURLWithPath: "/srv/segmentd/models/abdomen"))
/// print(bundle.name, bundle.network.patch, bundle.labels.map(\.name))
/// ```
public struct ModelBundle: Sendable, Equatable {
  public var name: String
  public var version: String
  public var summary: String
  public var intendedUse: String
  public var network: NetworkDescription
  public var preprocessing: Preprocessing
  public var inference: Inference
  /// The series that the channels of the input are made of; empty where the model has one channel,
  /// or does not say.
  public var channels: [ModelChannel] = []
  /// How cine series are segmented; nil where the model is not for them.
  public var cine: CineRule?
  /// Applied in this order after prediction; empty for none.
  public var postprocessing: [LargestComponents]
  /// One for each class of the network but the background, in ascending order of value.
  public var labels: [SegmentDescription]
  /// Unions of labels that a result can hold in place of them.
  public var groupings: [SegmentDescription]
  /// Whether a result holds the groupings, as segments that may overlap, and not the labels.
  public var writesGroupings: Bool
  public var input: InputLimits
  /// Beyond these a result carries a warning; empty for none.
  public var output: [OutputLimit]
  /// How structures are to each other; a result in which they are otherwise carries a warning.
  public var relations: [LabelRelation] = []
  public var licence: String
  public var trainingData: String
  /// The safetensors file.
  public var weights: URL
  /// SHA-256 of the weights, lower-case hexadecimal; checked when loaded.
  public var weightsSHA256: String
  /// SHA-256 of `model.yaml`, lower-case hexadecimal; empty where the bundle was not read from one.
  public var documentSHA256 = ""
  public var directory: URL

  /// Reads and checks `model.yaml` in the folder, and the weights' checksum.
  ///
  /// - Throws: `ModelBundleError` naming file, line and key; unknown keys are errors.
  public static func load(at directory: URL) throws(ModelBundleError) -> ModelBundle {
    let file = directory.appendingPathComponent("model.yaml")
    let text: String
    do {
      text = try TextFile.read(file.path)
    } catch {
      throw .unreadable(path: file.path, reason: error.description)
    }
    let bundle = try ModelBundle(yaml: text, file: file.path, directory: directory)
    let found = try sha256(of: bundle.weights)
    guard found == bundle.weightsSHA256 else {
      throw .wrongChecksum(
        path: bundle.weights.path, expected: bundle.weightsSHA256, found: found)
    }
    return bundle
  }

  /// SHA-256 of the model as a whole, of its weights and of `model.yaml`: any change of either gives
  /// another one.
  public var sha256: String {
    hexadecimal(SHA256.hash(data: Data("\(weightsSHA256)\n\(documentSHA256)".utf8)))
  }

  /// - Parameters:
  ///   - text: the contents of `model.yaml`.
  ///   - file: the path named in errors.
  ///   - directory: the bundle's folder, which holds the files that the text names.
  init(yaml text: String, file: String, directory: URL) throws(ModelBundleError) {
    try self.init(BundleNode(yaml: text, file: file), directory: directory)
    documentSHA256 = hexadecimal(SHA256.hash(data: Data(text.utf8)))
  }

  /// - Parameters:
  ///   - root: the mapping of the model's sections.
  ///   - directory: the bundle's folder, which holds the files that the sections name.
  init(_ root: BundleNode, directory: URL) throws(ModelBundleError) {
    let root = try root.allowing([
      "name", "version", "summary", "intendedUse", "network", "preprocessing", "inference",
      "postprocessing", "labels", "groupings", "segments", "input", "output", "relations",
      "channels",
      "cine", "licence", "trainingData", "weights",
    ])
    name = try root.required("name").text()
    version = try root.required("version").text()
    summary = try root.required("summary").text()
    intendedUse = try root.required("intendedUse").text()
    licence = try root.required("licence").text()
    trainingData = try root.required("trainingData").text()
    network = try NetworkDescription(root.required("network"))
    preprocessing = try Preprocessing(
      root.required("preprocessing"), channels: network.inputChannels)
    inference = try Inference(root.required("inference"))
    postprocessing = try Self.postprocessing(
      root.optional("postprocessing"), classes: network.classes)
    labels = try Self.labels(root.required("labels"), classes: network.classes)
    groupings = try Self.groupings(root.optional("groupings"), classes: network.classes)
    writesGroupings = try Self.writesGroupings(root, groupings)
    input = try InputLimits(root.required("input"), channels: network.inputChannels)
    output = []
    for item in try root.optional("output")?.items() ?? [] {
      output.append(try OutputLimit(item, classes: network.classes))
    }
    for item in try root.optional("relations")?.items() ?? [] {
      relations.append(try LabelRelation(item, classes: network.classes))
    }
    if let node = root.optional("channels") {
      channels = try ModelChannel.list(node, inputChannels: network.inputChannels)
    }
    if let node = root.optional("cine") {
      cine = try CineRule(node, classes: network.classes)
    }
    let weightsNode = try root.required("weights").allowing(["file", "sha256"])
    weights = directory.appendingPathComponent(try Self.weightsFile(weightsNode))
    weightsSHA256 = try Self.checksum(weightsNode)
    self.directory = directory
  }

  private static func postprocessing(
    _ node: BundleNode?, classes: Int
  ) throws(ModelBundleError) -> [LargestComponents] {
    guard let node else { return [] }
    var rules: [LargestComponents] = []
    for item in try node.allowing(["largestComponents"]).required("largestComponents").items() {
      rules.append(try LargestComponents(item, classes: classes))
    }
    return rules
  }

  private static func groupings(
    _ node: BundleNode?, classes: Int
  ) throws(ModelBundleError) -> [SegmentDescription] {
    var groupings: [SegmentDescription] = []
    for item in try node?.items() ?? [] {
      groupings.append(
        try SegmentDescription(
          grouping: item, value: UInt8(clamping: groupings.count + 1), classes: classes))
    }
    return groupings
  }

  static func labels(_ node: BundleNode, classes: Int) throws(ModelBundleError)
    -> [SegmentDescription]
  {
    var labels: [SegmentDescription] = []
    for item in try node.items() {
      labels.append(try SegmentDescription(label: item, classes: classes))
    }
    labels.sort { $0.value < $1.value }
    guard labels.map({ Int($0.value) }) == Array(1..<classes) else {
      throw node.invalid("does not name each value from 1 to \(classes - 1) once")
    }
    return labels
  }

  private static func writesGroupings(
    _ root: BundleNode, _ groupings: [SegmentDescription]
  ) throws(ModelBundleError) -> Bool {
    guard let node = root.optional("segments") else { return false }
    switch try node.text() {
    case "labels": return false
    case "groupings" where !groupings.isEmpty: return true
    default: throw node.invalid("is neither labels nor groupings that the model has")
    }
  }

  private static func weightsFile(_ node: BundleNode) throws(ModelBundleError) -> String {
    let fileNode = try node.required("file")
    let name = try fileNode.text()
    guard !name.contains("/"), name != "..", name != "." else {
      throw fileNode.invalid("is not the name of a file in the bundle's folder")
    }
    return name
  }

  private static func checksum(_ node: BundleNode) throws(ModelBundleError) -> String {
    let checksumNode = try node.required("sha256")
    let text = try checksumNode.text().lowercased()
    guard text.utf8.count == 64, text.allSatisfy(\.isHexDigit) else {
      throw checksumNode.invalid("is not 64 hexadecimal digits")
    }
    return text
  }

  /// SHA-256 of a file, lower-case hexadecimal.
  public static func sha256(of file: URL) throws(ModelBundleError) -> String {
    do throws(UnreadableFile) {
      return hexadecimal(try SHA256.hash(ofFile: file))
    } catch {
      throw .unreadable(path: error.path, reason: error.system.description)
    }
  }
}
