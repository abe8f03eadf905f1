/// The tensors of an unpickled checkpoint by name.
///
/// A checkpoint of the reference implementation is a mapping with the network under `state_dict`
/// with the state of its training; a bare state dictionary is taken as well.
struct CheckpointContents {
  var tensors: [(name: String, view: TensorView)] = []
  /// What else the file holds, each with a word on its kind.
  var others: [(name: String, kind: String)] = []

  /// Keys under which training programs put the network's tensors.
  private static let networkKeys = ["state_dict", "model_state_dict", "network_weights"]

  init(_ document: PickleDocument, path: String) throws(CheckpointError) {
    guard let root = document.dictionary(document.root) else {
      throw .notACheckpoint(
        path: path, reason: "it is a \(document.kind(document.root)), not a mapping")
    }
    let key = Self.networkKeys.first { document.value($0, in: document.root) != nil }
    guard let key, let network = document.value(key, in: document.root) else {
      try takeTensors(document, document.root, prefix: "", path: path)
      return
    }
    for (name, value) in root {
      guard let name = document.string(name), name != key else { continue }
      others.append((name: name, kind: document.kind(value)))
    }
    guard document.dictionary(network) != nil else {
      throw .notACheckpoint(path: path, reason: "its \(key) is a \(document.kind(network))")
    }
    try takeTensors(document, network, prefix: "\(key).", path: path)
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
