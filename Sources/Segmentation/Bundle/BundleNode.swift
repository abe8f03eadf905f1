import StrictYAML

/// A place in model.yaml.
typealias BundleNode = YAMLNode<ModelBundleError>

extension ModelBundleError: YAMLNodeError {}

extension BundleNode {
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
