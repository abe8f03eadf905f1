/// A structure to be scored: one label, or several taken together.
public struct Region: Sendable, Equatable, Codable {
  /// Short and unique: a label's value, or an abbreviation such as "WT".
  public var key: String
  public var name: String
  /// The label values that belong to it.
  public var values: Set<UInt8>

  public init(key: String, name: String, values: Set<UInt8>) {
    self.key = key
    self.name = name
    self.values = values
  }

  /// A single label.
  public init(label: UInt8, name: String) {
    self.init(key: "\(label)", name: name, values: [label])
  }

  /// The value of a region of one label; nil for a group.
  public var label: UInt8? { values.count == 1 ? values.first : nil }
}
