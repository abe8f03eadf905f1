import Yams

/// A place in model.yaml, read strictly: every mapping names the keys it may have.
struct BundleNode {
  let file: String
  /// Keys from the root, joined by dots.
  let path: String
  let node: Node

  private var line: Int { node.mark?.line ?? 1 }

  func invalid(_ reason: String) -> ModelBundleError {
    .invalidValue(file: file, key: path.isEmpty ? "the document" : path, line: line, reason)
  }

  private func name(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

  /// Checks that the mapping has no other keys than these.
  func allowing(_ keys: [String]) throws(ModelBundleError) -> BundleNode {
    guard let mapping = node.mapping else { throw invalid("is not a mapping of keys to values") }
    for (key, _) in mapping {
      guard let text = key.scalar?.string, keys.contains(text) else {
        throw .unknownKey(
          path: file, key: name(key.scalar?.string ?? "?"), line: key.mark?.line ?? line)
      }
    }
    return self
  }

  func optional(_ key: String) -> BundleNode? {
    guard let value = node.mapping?[key] else { return nil }
    return BundleNode(file: file, path: name(key), node: value)
  }

  func required(_ key: String) throws(ModelBundleError) -> BundleNode {
    guard let value = optional(key) else {
      throw .missingKey(path: file, key: name(key), line: line)
    }
    return value
  }

  func text() throws(ModelBundleError) -> String {
    guard let text = node.scalar?.string, !text.isEmpty else { throw invalid("is not text") }
    return text
  }

  func number() throws(ModelBundleError) -> Double {
    guard let scalar = node.scalar, let value = Double(scalar.string), value.isFinite else {
      throw invalid("is not a number")
    }
    return value
  }

  func integer(in range: ClosedRange<Int>) throws(ModelBundleError) -> Int {
    guard let scalar = node.scalar, let value = Int(scalar.string), range.contains(value) else {
      throw invalid("is not a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  func flag() throws(ModelBundleError) -> Bool {
    guard let value = node.bool else { throw invalid("is not true or false") }
    return value
  }

  func items() throws(ModelBundleError) -> [BundleNode] {
    guard let sequence = node.sequence else { throw invalid("is not a list") }
    return sequence.enumerated().map { index, item in
      BundleNode(file: file, path: "\(path)[\(index)]", node: item)
    }
  }

  /// A list of numbers, one for each of z, y, x.
  func triple(above least: Double) throws(ModelBundleError) -> [Double] {
    var values: [Double] = []
    for item in try items() { values.append(try item.number()) }
    guard values.count == 3, values.allSatisfy({ $0 > least }) else {
      throw invalid("is not three numbers (z, y, x) above \(least)")
    }
    return values
  }
}

extension ModelBundleError {
  fileprivate static func invalidValue(file: String, key: String, line: Int, _ reason: String)
    -> ModelBundleError
  {
    .invalidValue(path: file, key: key, line: line, reason: reason)
  }
}
