/// The tensors of an unpickled checkpoint by name.
///
/// A checkpoint of the reference implementation is a mapping with the network under `state_dict`
/// next to the state of its training; a bare state dictionary is taken as well.
struct CheckpointContents {
  var tensors: [(name: String, view: TensorView)] = []
  /// What else the file holds, each with a word on its kind.
  var others: [(name: String, kind: String)] = []

  /// Keys under which training programs put the network's tensors.
  private static let networkKeys = [
    "state_dict", "model_state_dict", "network_weights", "model_state", "model", "network", "net",
    "module", "weights",
  ]
  /// How deep a network may be in mappings of such keys.
  private static let depthLimit = 4

  init(_ document: PickleDocument, path: String) throws(CheckpointError) {
    guard let root = document.dictionary(document.root) else {
      throw .notACheckpoint(
        path: path, reason: "it is a \(document.kind(document.root)), not a mapping")
    }
    var (mapping, entries, prefix) = (document.root, root, "")
    for _ in 0..<Self.depthLimit {
      guard let key = Self.networkKey(document, entries), let network = key.value else { break }
      for (name, value) in entries {
        guard let name = document.string(name), name != key.name else { continue }
        others.append((name: prefix + name, kind: document.kind(value)))
      }
      guard let inner = document.dictionary(network) else {
        throw .notACheckpoint(
          path: path, reason: "its \(prefix + key.name) is a \(document.kind(network))")
      }
      (mapping, entries, prefix) = (network, inner, prefix + key.name + ".")
    }
    try takeTensors(document, mapping, prefix: prefix, path: path)
  }

  /// The entry of a mapping that holds the network; nil where the mapping itself has tensors.
  private static func networkKey(
    _ document: PickleDocument,
    _ entries: [(key: PickleDocument.Index, value: PickleDocument.Index)]
  ) -> (name: String, value: PickleDocument.Index?)? {
    let values = Dictionary(
      entries.compactMap { entry in document.string(entry.key).map { ($0, entry.value) } },
      uniquingKeysWith: { $1 })
    let key =
      networkKeys.first { values[$0].flatMap(document.dictionary) != nil }
      // A name such as `model` can be that of a text; these three cannot.
      ?? networkKeys.prefix(3).first { values[$0] != nil }
    return key.map { ($0, values[$0]) }
  }

  private mutating func takeTensors(
    _ document: PickleDocument, _ mapping: PickleDocument.Index, prefix: String, path: String
  ) throws(CheckpointError) {
    var names: Set<String> = []
    for (key, value) in document.dictionary(mapping) ?? [] {
      guard let name = document.string(key) else {
        throw .notACheckpoint(path: path, reason: "a tensor's name is not text")
      }
      guard names.insert(name).inserted else { throw .duplicateTensor(path: path, name: name) }
      do throws(TensorView.Fault) {
        if let view = try document.tensor(value) {
          tensors.append((name: name, view: view))
        } else {
          others.append((name: prefix + name, kind: document.kind(value)))
        }
      } catch {
        throw .unusableTensor(path: path, name: name, reason: error.reason)
      }
    }
    guard !tensors.isEmpty else {
      throw .notACheckpoint(path: path, reason: "there is no tensor in its mapping")
    }
  }
}

extension PickleDocument {
  /// The tensor that a call of PyTorch's rebuilding functions describes; nil for anything else.
  func tensor(_ index: Index) throws(TensorView.Fault) -> TensorView? {
    guard case .call(let global, let arguments, _) = self[index], let fields = items(arguments)
    else { return nil }
    switch global {
    case .rebuildParameter:
      // A parameter holds a tensor, never another parameter.
      guard case .call(let inner, _, _) = self[fields[0]], inner != .rebuildParameter else {
        throw TensorView.Fault(reason: "is a parameter without a tensor")
      }
      return try tensor(fields[0])
    case .rebuildTensor, .rebuildTensorV2:
      guard case .storage(let storage) = self[fields[0]], let offset = integer(fields[1]),
        let shape = integers(fields[2]), let strides = integers(fields[3])
      else { throw TensorView.Fault(reason: "is not described by storage, offset, sizes, strides") }
      return try TensorView(
        storage: storages[storage], offset: offset, shape: shape, strides: strides)
    default: return nil
    }
  }
}
