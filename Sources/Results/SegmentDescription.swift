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

/// What a label of a label volume, or several together, stand for.
public struct SegmentDescription: Sendable, Equatable, Codable {
  /// The label's value in the label volume; for a union of labels, a number of its own among the
  /// segments.
  public var value: UInt8
  /// The labels whose voxels the segment holds. Segments that share one overlap.
  public var labels: Set<UInt8>
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
    value: UInt8, labels: Set<UInt8>? = nil, name: String, category: CodedConcept,
    type: CodedConcept,
    modifier: CodedConcept? = nil, anatomicRegion: CodedConcept? = nil, color: [UInt8]
  ) {
    self.value = value
    self.labels = labels ?? [value]
    self.name = name
    self.category = category
    self.type = type
    self.modifier = modifier
    self.anatomicRegion = anatomicRegion
    self.color = color
  }
}

extension [SegmentDescription] {
  /// Whether a voxel can belong to two of the segments.
  var canOverlap: Bool {
    var seen: Set<UInt8> = []
    return contains { segment in
      defer { seen.formUnion(segment.labels) }
      return !seen.isDisjoint(with: segment.labels)
    }
  }
}
