/// A code of a coding scheme (PS3.3 8.8).
public struct CodedConcept: Sendable, Equatable, Codable {
  public var value: String
  /// Coding scheme designator, for example SCT or DCM.
  public var scheme: String
  public var meaning: String

  public init(value: String, scheme: String, meaning: String) {
    self.value = value
    self.scheme = scheme
    self.meaning = meaning
  }
}

/// What a label of a label volume stands for.
public struct SegmentDescription: Sendable, Equatable, Codable {
  /// The label's value in the label volume.
  public var value: UInt8
  public var name: String
  /// Segmented property category (CID 7150).
  public var category: CodedConcept
  /// Segmented property type (CID 7151 and others).
  public var type: CodedConcept
  /// For example the laterality.
  public var modifier: CodedConcept?
  /// Where the finding lies, for properties that are no anatomy themselves.
  public var anatomicRegion: CodedConcept?
  /// sRGB, 0 to 255.
  public var color: [UInt8]

  public init(
    value: UInt8, name: String, category: CodedConcept, type: CodedConcept,
    modifier: CodedConcept? = nil, anatomicRegion: CodedConcept? = nil, color: [UInt8]
  ) {
    self.value = value
    self.name = name
    self.category = category
    self.type = type
    self.modifier = modifier
    self.anatomicRegion = anatomicRegion
    self.color = color
  }
}
