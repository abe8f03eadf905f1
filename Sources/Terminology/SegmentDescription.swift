/// What a label of a model, or several together, means (Segment Description Macro, PS3.3
/// C.8.20.4).
public struct SegmentDescription: Sendable, Equatable, Codable {
  /// The label's value in the label volume, which is the network's class index; for a union of
  /// labels, a number of its own among the segments.
  public var value: UInt8
  /// The labels whose voxels the segment holds. Segments that share one overlap.
  public var labels: Set<UInt8>
  public var name: String
  /// Segmented Property Category (0062,0003), of CID 7150.
  public var category: CodedConcept
  /// Segmented Property Type (0062,000F), of CID 7151 and others.
  public var type: CodedConcept
  /// Segmented Property Type Modifier (0062,0011), such as the side.
  public var modifier: CodedConcept?
  /// Anatomic Region (0008,2218): where a finding is that is no anatomy itself.
  public var anatomicRegion: CodedConcept?
  /// Red, green, blue of sRGB from 0 to 255.
  public var color: [UInt8]

  /// - Parameters:
  ///   - value: the label that the network gives; in the object segments are numbered anew.
  ///   - labels: nil for the label `value` alone.
  ///   - name: Segment Label (0062,0005).
  ///   - category: Segmented Property Category Code Sequence (0062,0003).
  ///   - type: Segmented Property Type Code Sequence (0062,000F).
  ///   - modifier: Segmented Property Type Modifier Code Sequence (0062,0011), such as a side.
  ///   - anatomicRegion: Anatomic Region Sequence (0008,2218).
  ///   - color: red, green and blue of sRGB, 0 to 255.
  public init(
    value: UInt8, labels: Set<UInt8>? = nil, name: String, category: CodedConcept,
    type: CodedConcept, modifier: CodedConcept? = nil, anatomicRegion: CodedConcept? = nil,
    color: [UInt8]
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
  public var canOverlap: Bool {
    var seen: Set<UInt8> = []
    return contains { segment in
      defer { seen.formUnion(segment.labels) }
      return !seen.isDisjoint(with: segment.labels)
    }
  }
}
