import Terminology

extension SegmentDescription {
  /// A label of a network, under `labels` of `model.yaml`.
  init(label node: BundleNode, classes: Int) throws(ModelBundleError) {
    let node = try node.allowing([
      "value", "name", "category", "type", "modifier", "region", "color",
    ])
    let value = UInt8(try node.required("value").integer(in: 1...max(1, classes - 1)))
    var modifier: CodedConcept?
    if let modifierNode = node.optional("modifier") { modifier = try CodedConcept(modifierNode) }
    self = try Self(node, value: value, labels: [value], modifier: modifier)
  }

  /// A union of labels that are scored or shown together, such as the parts of a whole tumour,
  /// under `groupings` of `model.yaml`.
  ///
  /// - Parameter value: the number of the grouping among the model's, from 1.
  init(grouping node: BundleNode, value: UInt8, classes: Int) throws(ModelBundleError) {
    let node = try node.allowing(["name", "labels", "category", "type", "region", "color"])
    let labelsNode = try node.required("labels")
    var labels: Set<UInt8> = []
    for item in try labelsNode.items() {
      let label = UInt8(try item.integer(in: 1...max(1, classes - 1)))
      guard labels.insert(label).inserted else {
        throw labelsNode.invalid("is not a list of different labels")
      }
    }
    guard !labels.isEmpty else { throw labelsNode.invalid("is not a list of different labels") }
    self = try Self(node, value: value, labels: labels, modifier: nil)
  }

  private init(
    _ node: BundleNode, value: UInt8, labels: Set<UInt8>, modifier: CodedConcept?
  ) throws(ModelBundleError) {
    var region: CodedConcept?
    if let regionNode = node.optional("region") { region = try CodedConcept(regionNode) }
    self.init(
      value: value, labels: labels, name: try node.required("name").text(),
      category: try CodedConcept(node.required("category")),
      type: try CodedConcept(node.required("type")), modifier: modifier, anatomicRegion: region,
      color: try node.required("color").color())
  }
}

extension CodedConcept {
  init(_ node: BundleNode) throws(ModelBundleError) {
    let node = try node.allowing(["value", "scheme", "meaning"])
    self.init(
      value: try Self.short(node.required("value")),
      scheme: try Self.short(node.required("scheme")),
      meaning: try node.required("meaning").text())
  }

  /// Part of a code, which is another one when it is cut: SH in the default repertoire (PS3.5 6.2).
  private static func short(_ node: BundleNode) throws(ModelBundleError) -> String {
    let text = try node.text()
    let isStorable = text.unicodeScalars.allSatisfy {
      (0x21..<0x7E).contains($0.value) && $0 != "\\"
    }
    guard isStorable, text.unicodeScalars.count <= 16 else {
      throw node.invalid("is not a code of 16 characters at most, ASCII without spaces")
    }
    return text
  }
}

extension BundleNode {
  /// Red, green, blue from 0 to 255.
  fileprivate func color() throws(ModelBundleError) -> [UInt8] {
    var color: [UInt8] = []
    for item in try items() { color.append(UInt8(try item.integer(in: 0...255))) }
    guard color.count == 3 else { throw invalid("is not red, green, blue") }
    return color
  }
}
