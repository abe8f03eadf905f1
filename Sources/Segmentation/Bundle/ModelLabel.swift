/// A coded concept: Code Value, Coding Scheme Designator, Code Meaning (PS3.3 section 8).
public struct CodedConcept: Sendable, Equatable, Codable {
  public var value: String
  public var scheme: String
  public var meaning: String

  public init(value: String, scheme: String, meaning: String) {
    self.value = value
    self.scheme = scheme
    self.meaning = meaning
  }
}

/// What one label of a model stands for.
public struct ModelLabel: Sendable, Equatable, Codable {
  /// The label's value in the label volume, which is the network's class index.
  public var value: UInt8
  public var name: String
  /// Segmented Property Category (0062,0003).
  public var category: CodedConcept
  /// Segmented Property Type (0062,000F).
  public var type: CodedConcept
  /// Segmented Property Type Modifier (0062,0011), such as the side.
  public var modifier: CodedConcept?
  /// Anatomic Region (0008,2218): where a finding lies that is no anatomy itself.
  public var region: CodedConcept?
  /// Red, green, blue from 0 to 255.
  public var color: [UInt8]

  public init(
    value: UInt8, name: String, category: CodedConcept, type: CodedConcept,
    modifier: CodedConcept? = nil, region: CodedConcept? = nil, color: [UInt8]
  ) {
    self.value = value
    self.name = name
    self.category = category
    self.type = type
    self.modifier = modifier
    self.region = region
    self.color = color
  }
}

extension ModelLabel {
  init(_ node: BundleNode, classes: Int) throws(ModelBundleError) {
    let node = try node.allowing([
      "value", "name", "category", "type", "modifier", "region", "color",
    ])
    value = UInt8(try node.required("value").integer(in: 1...max(1, classes - 1)))
    name = try node.required("name").text()
    category = try CodedConcept(node.required("category"))
    type = try CodedConcept(node.required("type"))
    if let modifierNode = node.optional("modifier") { modifier = try CodedConcept(modifierNode) }
    if let regionNode = node.optional("region") { region = try CodedConcept(regionNode) }
    color = try node.required("color").color()
  }
}

/// Several labels that are scored or shown together, such as the parts of a whole tumour.
public struct LabelGrouping: Sendable, Equatable, Codable {
  public var name: String
  /// Values of the labels.
  public var labels: [UInt8]
  /// Segmented Property Category (0062,0003).
  public var category: CodedConcept
  /// Segmented Property Type (0062,000F).
  public var type: CodedConcept
  /// Anatomic Region (0008,2218).
  public var region: CodedConcept?
  /// Red, green, blue from 0 to 255.
  public var color: [UInt8]

  public init(
    name: String, labels: [UInt8], category: CodedConcept, type: CodedConcept,
    region: CodedConcept? = nil, color: [UInt8]
  ) {
    self.name = name
    self.labels = labels
    self.category = category
    self.type = type
    self.region = region
    self.color = color
  }

  init(_ node: BundleNode, classes: Int) throws(ModelBundleError) {
    let node = try node.allowing(["name", "labels", "category", "type", "region", "color"])
    name = try node.required("name").text()
    let labelsNode = try node.required("labels")
    labels = []
    for item in try labelsNode.items() {
      labels.append(UInt8(try item.integer(in: 1...max(1, classes - 1))))
    }
    guard !labels.isEmpty, Set(labels).count == labels.count else {
      throw labelsNode.invalid("is not a list of different labels")
    }
    category = try CodedConcept(node.required("category"))
    type = try CodedConcept(node.required("type"))
    if let regionNode = node.optional("region") { region = try CodedConcept(regionNode) }
    color = try node.required("color").color()
  }
}

extension CodedConcept {
  init(_ node: BundleNode) throws(ModelBundleError) {
    let node = try node.allowing(["value", "scheme", "meaning"])
    value = try node.required("value").text()
    scheme = try node.required("scheme").text()
    meaning = try node.required("meaning").text()
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
