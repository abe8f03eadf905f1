import Checkpoints
import UNETRPP

/// Which tensors of a checkpoint a network takes, and what is left and why.
public struct WeightSelection: Sendable, Equatable {
  public struct Taken: Sendable, Equatable, Codable {
    /// The network's name for it.
    public var name: String
    /// The file's name for it.
    public var source: String
    public var type: String
    public var shape: [Int]
  }

  public struct Left: Sendable, Equatable, Codable {
    public var name: String
    public var reason: String
  }

  public private(set) var taken: [Taken] = []
  public private(set) var left: [Left] = []

  /// Wrappers that training adds before every name.
  private static let prefixes = ["module.", "_orig_mod.", "model.", "net.", "network."]

  /// - Parameters:
  ///   - checkpoint: the file's tensors.
  ///   - network: whose tensors are wanted.
  ///   - source: who says what the network is, named in errors.
  init(
    _ checkpoint: Checkpoint, network: NetworkDescription, source: String
  ) throws(ModelImportError) {
    let expected = network.stateDictionary()
    let names = try Self.names(checkpoint)
    var used: Set<String> = []
    var missing: [String] = []
    for entry in expected where entry.isRequired {
      // F, where it is a second name of E, was loaded last by the reference and wins.
      guard let tensor = Self.secondName(entry.name, expected, names) ?? names[entry.name] else {
        missing.append(entry.name)
        continue
      }
      guard let found = checkpoint.entry(tensor) else { continue }
      guard found.shape == entry.shape else {
        throw .wrongShape(
          path: checkpoint.path, source: source, name: tensor, expected: entry.shape,
          found: found.shape, fits: Self.fitting(checkpoint))
      }
      used.insert(tensor)
      taken.append(
        Taken(name: entry.name, source: tensor, type: found.type.rawValue, shape: found.shape))
    }
    guard missing.isEmpty else {
      throw .missingTensors(
        path: checkpoint.path, source: source, names: Array(missing.prefix(3)),
        count: missing.count, fits: Self.fitting(checkpoint))
    }
    let known = Dictionary(
      names.map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    for source in checkpoint.tensorNames where !used.contains(source) {
      left.append(Left(name: source, reason: Self.reason(known[source] ?? source, expected)))
    }
    left += checkpoint.others.map {
      Left(
        name: "\($0.name) (\($0.kind))",
        reason: "not a tensor; training keeps it next to the weights")
    }
  }

  /// The file's name of each tensor by the network's name.
  static func names(
    _ checkpoint: Checkpoint
  ) throws(ModelImportError) -> [String: String] {
    var names: [String: String] = [:]
    for source in checkpoint.tensorNames {
      var name = Substring(source)
      while let prefix = prefixes.first(where: name.hasPrefix) {
        name = name.dropFirst(prefix.count)
      }
      if let other = names.updateValue(source, forKey: String(name)) {
        throw .ambiguousTensor(
          path: checkpoint.path, name: String(name), sources: [other, source])
      }
    }
    return names
  }

  /// The file's name of the shared projection's second entry, where the network has one and the
  /// file holds it.
  private static func secondName(
    _ name: String, _ expected: [StateEntry], _ names: [String: String]
  ) -> String? {
    guard name.hasSuffix(".epa_block.E.weight") || name.hasSuffix(".epa_block.E.bias") else {
      return nil
    }
    let second = name.replacing(".epa_block.E.", with: ".epa_block.F.")
    guard expected.contains(where: { $0.name == second && !$0.isRequired }) else { return nil }
    return names[second]
  }

  private static func reason(_ name: String, _ expected: [StateEntry]) -> String {
    if name.hasSuffix(".num_batches_tracked") { return "a counter of training" }
    if name.hasPrefix("out2.") || name.hasPrefix("out3.") {
      return "a head of deep supervision, for training only"
    }
    if name.contains(".epa_block.E.") || name.contains(".epa_block.F.") {
      return "the first name of the shared projection; its second name is taken"
    }
    return "the network has no tensor of this name"
  }

  /// The preset whose network the checkpoint's tensors fit.
  static func fitting(_ checkpoint: Checkpoint) -> String? {
    ModelPreset.all.first { preset in
      let expected = preset.network.stateDictionary().filter(\.isRequired)
      guard let names = try? names(checkpoint) else { return false }
      return expected.allSatisfy { entry in
        names[entry.name].flatMap { checkpoint.entry($0)?.shape } == entry.shape
      }
    }?.name
  }
}
