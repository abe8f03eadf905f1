import StrictYAML

extension SiteConfiguration {
  /// How results are written.
  public struct Results: Decodable, Sendable, Equatable {
    /// Whether a segment has a frame for each image, also where it has no voxel.
    public var keepEmptyFrames = false
    /// Most frames of an object; 0 never divides a result.
    public var maximumFrames = 0
    /// What is delivered where a model finds none of its structures.
    public var nothingFound = NothingFound.none

    /// What shows that a series was processed and nothing was found in it.
    public enum NothingFound: String, Decodable, Sendable, CaseIterable {
      /// Nothing: the ledger alone knows.
      case none
      /// A segmentation object with an empty frame for each structure of the model.
      case segmentation
    }

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case keepEmptyFrames, maximumFrames, nothingFound
    }

    public init() {}

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      keepEmptyFrames =
        try values.decodeIfPresent(Bool.self, forKey: .keepEmptyFrames) ?? keepEmptyFrames
      maximumFrames =
        try values.decodeIfPresent(Int.self, forKey: .maximumFrames) ?? maximumFrames
      nothingFound =
        try values.decodeIfPresent(NothingFound.self, forKey: .nothingFound) ?? nothingFound
    }

    /// What is wrong with a value, with its key; nil for nothing.
    var problem: String? {
      (0...1_000_000).contains(maximumFrames)
        ? nil : "maximumFrames: \(maximumFrames) is not between 0 and 1000000"
    }
  }
}
