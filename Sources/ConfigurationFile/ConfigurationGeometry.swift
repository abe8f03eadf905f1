import GeometryGate
import StrictYAML

extension SiteConfiguration {
  /// The tolerances of the geometry gate and what it may repair; see `GeometryRules`.
  public struct Geometry: Decodable, Sendable {
    public private(set) var rules = GeometryRules()
    private var statesMinimumSlices = false

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case minimumSlices, spacingTolerance, spacingRelativeTolerance, positionTolerance, maximumTilt
      case acceptDerivedImages, resampleTilt, resampleUnevenSpacing, fillGapsUpTo
      case excludeMismatchedImages, splitFramesOfReference
    }

    public init() {}

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      func read<Value: Decodable>(
        _ key: CodingKeys, into path: WritableKeyPath<GeometryRules, Value>
      ) throws {
        if let value = try values.decodeIfPresent(Value.self, forKey: key) {
          rules[keyPath: path] = value
        }
      }
      statesMinimumSlices = values.contains(.minimumSlices)
      try read(.minimumSlices, into: \.minimumSlices)
      try read(.spacingTolerance, into: \.spacingTolerance)
      try read(.spacingRelativeTolerance, into: \.spacingRelativeTolerance)
      try read(.positionTolerance, into: \.positionTolerance)
      try read(.maximumTilt, into: \.maximumTilt)
      try read(.acceptDerivedImages, into: \.acceptsDerivedImages)
      try read(.resampleTilt, into: \.resamplesTilt)
      try read(.resampleUnevenSpacing, into: \.resamplesUnevenSpacing)
      try read(.fillGapsUpTo, into: \.fillsGapsUpTo)
      try read(.excludeMismatchedImages, into: \.excludesMismatchedImages)
      try read(.splitFramesOfReference, into: \.splitsFramesOfReference)
    }

    /// Takes the value of the key's former place, in `assembly`.
    ///
    /// - Returns: whether the key itself does not say otherwise.
    mutating func take(formerMinimumSlices value: Int) -> Bool {
      if !statesMinimumSlices { rules.minimumSlices = value }
      return rules.minimumSlices == value
    }

    /// What is wrong with a value; nil where none is.
    public var problem: String? {
      guard rules.minimumSlices >= 3 else {
        return "minimumSlices: \(rules.minimumSlices) is less than 3"
      }
      let lengths = [
        ("spacingTolerance", rules.spacingTolerance),
        ("spacingRelativeTolerance", rules.spacingRelativeTolerance),
        ("positionTolerance", rules.positionTolerance), ("maximumTilt", rules.maximumTilt),
        ("fillGapsUpTo", rules.fillsGapsUpTo),
      ]
      return lengths.first { !($0.1 >= 0 && $0.1.isFinite) }
        .map { "\($0.0): \($0.1) is not zero or more" }
    }
  }
}

extension SiteConfiguration {
  /// The rules of the geometry gate.
  public var geometryRules: GeometryRules { geometry.rules }
}
