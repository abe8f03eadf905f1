import StrictYAML

/// One of several images that a network takes together, and the series that it is made of.
public struct ModelChannel: Sendable, Equatable {
  /// As in the training data, for example `t1ce`.
  public var name: String
  /// What the series must be, and what makes one better than another.
  public var criteria: SeriesCriteria
  /// Whether the result refers to this series' images; the other series are brought to its grid.
  public var isReference: Bool

  public init(name: String, criteria: SeriesCriteria, isReference: Bool = false) {
    self.name = name
    self.criteria = criteria
    self.isReference = isReference
  }
}

extension ModelChannel: Decodable {
  private enum CodingKeys: String, CodingKey, CaseIterable {
    case name, reference, require, prefer, minimumScore
  }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
    self.init(
      name: try values.decode(String.self, forKey: .name),
      criteria: try SeriesCriteria(amongKeysOf: decoder),
      isReference: try values.decodeIfPresent(Bool.self, forKey: .reference) ?? false)
  }
}
