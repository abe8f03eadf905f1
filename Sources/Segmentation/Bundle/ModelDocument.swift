import FileSystem
import Foundation
import StrictYAML
import Terminology
import UNETRPP
import Yams

/// The sections of a `model.yaml` in the making: what its author states, completed by what a training
/// derives and measures.
///
/// ```swift
/// var document = try ModelDocument(file: "train.yaml", key: "model")
/// document.complete(network: derived)               // where the author states no network
/// let bundle = try document.bundle(in: folder)      // every key is checked
/// try document.text(heading: "Written by …")        // the new model.yaml
/// ```
public struct ModelDocument {
  private let file: String
  /// The key of the file under which the sections are; nil where they are the whole file.
  private let key: String?
  private var root: Node

  /// - Parameters:
  ///   - file: a YAML file.
  ///   - key: the key of the file under which the sections are; nil for the whole file.
  /// - Throws: `ModelBundleError` where the file cannot be read or has no such key.
  public init(file: String, key: String? = nil) throws(ModelBundleError) {
    let text: String
    do {
      text = try TextFile.read(file)
    } catch {
      throw .unreadable(path: file, reason: error.description)
    }
    let document = try BundleNode(yaml: text, file: file)
    let sections = try key.map { key throws(ModelBundleError) in try document.required(key) }
    guard (sections ?? document).node.mapping != nil else {
      throw (sections ?? document).invalid("is not a mapping of keys to values")
    }
    self.file = file
    self.key = key
    root = (sections ?? document).node
  }

  /// The sections of a bundle that is there.
  public init(of bundle: ModelBundle) throws(ModelBundleError) {
    try self.init(file: bundle.directory.appendingPathComponent("model.yaml").path)
  }

  private var node: BundleNode { BundleNode(file: file, path: key ?? "", node: root) }

  /// Whether a key, such as `input.spacing`, is there.
  public func states(_ path: String) -> Bool {
    var found: Node? = root
    for key in path.split(separator: ".") { found = found?.mapping?[String(key)] }
    return found != nil
  }

  /// The number of labels stated, without the background.
  public func labelCount() throws(ModelBundleError) -> Int {
    try node.required("labels").items().count
  }

  /// The labels stated, in ascending order of value.
  public func labels() throws(ModelBundleError) -> [SegmentDescription] {
    let section = try node.required("labels")
    return try ModelBundle.labels(section, classes: try section.items().count + 1)
  }

  /// The modalities of the input; empty where none are stated.
  public func modalities() throws(ModelBundleError) -> [String] {
    var modalities: [String] = []
    for item in try node.optional("input")?.optional("modalities")?.items() ?? [] {
      modalities.append(try item.text())
    }
    return modalities
  }

  /// Every number and text by its key, such as `network.patch[0]`.
  public var scalars: [String: String] {
    var found: [String: String] = [:]
    func add(_ node: Node, _ path: String) {
      if let mapping = node.mapping {
        for (key, value) in mapping {
          let name = key.scalar?.string ?? "?"
          add(value, path.isEmpty ? name : "\(path).\(name)")
        }
      } else if let sequence = node.sequence {
        for (index, item) in sequence.enumerated() { add(item, "\(path)[\(index)]") }
      } else {
        found[path] = node.scalar?.string ?? ""
      }
    }
    add(root, "")
    return found
  }

  /// The network stated; nil where there is none.
  public func network() throws(ModelBundleError) -> NetworkDescription? {
    guard let section = node.optional("network") else { return nil }
    return try NetworkDescription(section)
  }

  /// The preprocessing stated; nil where there is none.
  ///
  /// - Parameter channels: of the network's input.
  public func preprocessing(channels: Int) throws(ModelBundleError) -> Preprocessing? {
    guard let section = node.optional("preprocessing") else { return nil }
    return try Preprocessing(section, channels: channels)
  }

  /// The text under a key of the sections; nil where it is not there.
  public func text(of key: String) throws(ModelBundleError) -> String? {
    try node.optional(key)?.text()
  }

  /// The bundle that the sections describe; everything is checked but the weights.
  ///
  /// - Parameter directory: the folder in which the bundle is or will be.
  /// - Throws: `ModelBundleError` naming file, line and key.
  public func bundle(in directory: URL) throws(ModelBundleError) -> ModelBundle {
    try ModelBundle(node, directory: directory)
  }

  /// The text of a `model.yaml`.
  ///
  /// - Parameter heading: comment lines above it.
  public func text(heading: [String] = []) throws(ModelBundleError) -> String {
    do {
      return try heading.map { "# \($0)\n" }.joined()
        + serialize(node: root.inFlowStyle(), width: 120, allowUnicode: true)
    } catch {
      throw .malformed(path: file, reason: "\(error)")
    }
  }
}

extension ModelDocument {
  /// Takes a text in place of what is there.
  public mutating func replace(_ key: String, by text: String) {
    root[key] = Node(text, Tag(.str), .doubleQuoted)
  }

  /// Takes the network where none is stated.
  public mutating func complete(network: NetworkDescription) throws(ModelBundleError) {
    if !states("network") { try set("network", lines: network.yamlLines) }
  }

  /// Takes the preprocessing where none is stated.
  public mutating func complete(preprocessing: Preprocessing) throws(ModelBundleError) {
    if !states("preprocessing") { try set("preprocessing", lines: preprocessing.yamlLines) }
  }

  /// Takes the usual inference where none is stated: patches half a patch apart, no mirroring.
  public mutating func completeInference() throws(ModelBundleError) {
    if !states("inference") { try set("inference", lines: ["step: 0.5", "mirrorAxes: []"]) }
  }

  /// Takes limits where none are stated: each of `spacing`, `extent`, `intensity` with `pattern`, and
  /// `output` by itself. Modalities and body parts are the author's to state.
  public mutating func complete(input: InputLimits, output: [OutputLimit] = [])
    throws(ModelBundleError)
  {
    var lines: [String] = []
    if !states("input.spacing") { lines.append("spacing: \(input.spacing.yaml)") }
    if !states("input.extent") { lines.append("extent: \(input.extent.yaml)") }
    if !states("input.intensity"), !input.intensity.isEmpty {
      lines.append("intensity:")
      lines += input.intensity.map { "  - \($0.yaml)" }
      if let pattern = input.pattern, !states("input.pattern") {
        lines.append("pattern: \(pattern.yaml)")
      }
    }
    try add(lines, to: "input")
    guard !states("output"), !output.isEmpty else { return }
    root["output"] = try Self.compose(output.map { "- \($0.yaml)" }, file: file)
  }

  /// Names the weights.
  ///
  /// - Parameters:
  ///   - file: the name of the safetensors file in the bundle's folder.
  ///   - sha256: its checksum; zeros as long as there is none.
  public mutating func set(
    weights file: String, sha256: String = String(repeating: "0", count: 64)
  ) throws(ModelBundleError) {
    root["weights"] = try Self.compose(["{file: \(file), sha256: \"\(sha256)\"}"], file: file)
  }

  private mutating func set(_ key: String, lines: [String]) throws(ModelBundleError) {
    root[key] = try Self.compose(lines, file: file)
  }

  private mutating func add(_ lines: [String], to key: String) throws(ModelBundleError) {
    guard !lines.isEmpty, let added = try Self.compose(lines, file: file).mapping else { return }
    var section = root[key]?.mapping ?? Node.Mapping([])
    // Below other keys, so that a list in flow style can hold one in block style.
    section.style = .block
    for (key, value) in added { section[key] = value }
    root[key] = .mapping(section)
  }

  /// Lines of ours as a node, without their marks: errors then name the file's own lines alone.
  private static func compose(_ lines: [String], file: String) throws(ModelBundleError) -> Node {
    try BundleNode(yaml: lines.joined(separator: "\n"), file: file).node
  }
}

extension Node {
  /// The same with lists of numbers and small mappings of them on one line each. (Yams forgets the
  /// style of what it reads.)
  fileprivate func inFlowStyle(isRoot: Bool = true) -> Node {
    switch self {
    case .sequence(var sequence):
      sequence.style = sequence.allSatisfy { $0.scalar != nil } ? .flow : .block
      for index in sequence.indices {
        sequence[index] = sequence[index].inFlowStyle(isRoot: false)
      }
      return .sequence(sequence)
    case .mapping(var mapping):
      let isSmall = mapping.count <= 4 && mapping.values.allSatisfy { $0.isFlat }
      mapping.style = isSmall && !isRoot ? .flow : .block
      for (key, value) in mapping { mapping[key] = value.inFlowStyle(isRoot: false) }
      return .mapping(mapping)
    default: return self
    }
  }

  /// Whether this is text, a number, or a list of these.
  private var isFlat: Bool {
    scalar != nil || sequence.map { $0.allSatisfy { $0.scalar != nil } } ?? false
  }
}
