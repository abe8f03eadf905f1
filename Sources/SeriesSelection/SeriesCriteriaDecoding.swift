import Foundation
import StrictYAML

// The form that criteria have in YAML. Faults are `DecodingError`s whose coding path leads to the
// key, so that a reader of configurations can name its line.
//
//   require:
//     modality: MR                                   # one code, or a list of which one must fit
//     seriesDescription: [t1, mprage]                # regular expressions
//     imageType: {include: [ORIGINAL], exclude: [LOCALIZER]}
//     sliceThickness: {min: 0.5, max: 3}
//     contrast: false
//   prefer:
//     - {seriesDescription: "mprage", weight: 5}

/// The criteria under one key, in the order of ``SeriesAttribute``.
struct CriteriaByAttribute: Decodable {
  var criteria: [SeriesCriterion]

  init(from decoder: any Decoder) throws {
    criteria = try Self.criteria(in: decoder, besides: [])
    guard !criteria.isEmpty else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: "no criterion is given"))
    }
  }

  static func criteria(in decoder: any Decoder, besides others: [String]) throws
    -> [SeriesCriterion]
  {
    let known = SeriesAttribute.allCases.map(\.rawValue) + others
    let present = Set(try decoder.keys(known: known))
    let container = try decoder.container(keyedBy: AnyKey.self)
    return try SeriesAttribute.allCases.filter { present.contains($0.rawValue) }.map { attribute in
      let nested = try container.superDecoder(forKey: AnyKey(stringValue: attribute.rawValue))
      return SeriesCriterion(
        attribute, try SeriesCriterion.Condition(from: nested, for: attribute))
    }
  }
}

extension SeriesCriteria.Preference: Decodable {
  public init(from decoder: any Decoder) throws {
    let weightKey = AnyKey(stringValue: "weight")
    let criteria = try CriteriaByAttribute.criteria(in: decoder, besides: ["weight"])
    let weight =
      try decoder.container(keyedBy: AnyKey.self).decodeIfPresent(Double.self, forKey: weightKey)
      ?? 1
    guard !criteria.isEmpty else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: "no criterion is given"))
    }
    guard weight.isFinite, weight != 0 else {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: decoder.codingPath + [weightKey],
          debugDescription: "\(weight) is no weight: it must be a number other than 0"))
    }
    self.init(criteria, weight: weight)
  }
}

extension SeriesCriteria: Decodable {
  private enum CodingKeys: String, CodingKey, CaseIterable { case require, prefer, minimumScore }

  /// Refuses keys other than `require`, `prefer` and `minimumScore`.
  public init(from decoder: any Decoder) throws {
    _ = try decoder.strictContainer(keyedBy: CodingKeys.self)
    try self.init(amongKeysOf: decoder)
  }

  /// Reads the same keys from a mapping whose keys the caller has checked.
  package init(amongKeysOf decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      required: try values.decodeIfPresent(CriteriaByAttribute.self, forKey: .require)?.criteria
        ?? [],
      preferred: try values.decodeIfPresent([Preference].self, forKey: .prefer) ?? [],
      minimumScore: try values.decodeIfPresent(Double.self, forKey: .minimumScore))
    if let minimumScore {
      let most = preferred.reduce(0) { $0 + max(0, $1.weight) }
      guard minimumScore <= most else {
        throw DecodingError.dataCorrupted(
          .init(
            codingPath: decoder.codingPath + [CodingKeys.minimumScore],
            debugDescription: "\(formatted(minimumScore)) is out of reach: the preferences give at "
              + "most \(formatted(most))"))
      }
    }
  }
}

extension SeriesCriterion.Condition {
  /// Reads the value of an attribute's key.
  package init(from decoder: any Decoder, for attribute: SeriesAttribute) throws {
    switch attribute.kind {
    case .flag: self = .flag(try decoder.singleValueContainer().decode(Bool.self))
    case .number: self = try Self.range(decoder)
    case .code, .codes: self = try Self.texts(decoder)
    case .text:
      self = try Self.texts(decoder)
      guard case .texts(let include, let exclude) = self else { return }
      for pattern in include + exclude { try Self.check(pattern: pattern, decoder) }
    }
  }

  private static func fault(_ decoder: any Decoder, _ message: String) -> DecodingError {
    .dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: message))
  }

  private static func check(pattern: String, _ decoder: any Decoder) throws {
    do {
      _ = try NSRegularExpression(pattern: pattern)
    } catch {
      throw fault(decoder, "\"\(pattern)\" is not a regular expression")
    }
  }

  private enum RangeKeys: String, CodingKey, CaseIterable { case min, max }

  private static func range(_ decoder: any Decoder) throws -> Self {
    let values = try decoder.strictContainer(keyedBy: RangeKeys.self)
    let min = try values.decodeIfPresent(Double.self, forKey: .min)
    let max = try values.decodeIfPresent(Double.self, forKey: .max)
    guard min != nil || max != nil else { throw fault(decoder, "neither min nor max is given") }
    guard min?.isNaN != true, max?.isNaN != true, (min ?? -.infinity) <= (max ?? .infinity) else {
      throw fault(decoder, "min is above max")
    }
    return .range(min: min, max: max)
  }

  private enum TextKeys: String, CodingKey, CaseIterable { case include, exclude }

  /// One text, a list of them, or a mapping of lists to include and exclude.
  private static func texts(_ decoder: any Decoder) throws -> Self {
    var include: [String]
    var exclude: [String] = []
    if let listed = try? OneOrMore(from: decoder) {
      include = listed.texts
    } else {
      let values = try decoder.strictContainer(keyedBy: TextKeys.self)
      include = try values.decodeIfPresent(OneOrMore.self, forKey: .include)?.texts ?? []
      exclude = try values.decodeIfPresent(OneOrMore.self, forKey: .exclude)?.texts ?? []
    }
    guard !(include + exclude).isEmpty, !(include + exclude).contains("") else {
      throw fault(decoder, "no text is given, or an empty one")
    }
    return .texts(include: include, exclude: exclude)
  }

  private struct OneOrMore: Decodable {
    var texts: [String]

    init(from decoder: any Decoder) throws {
      let single = try decoder.singleValueContainer()
      if let text = try? single.decode(String.self) {
        texts = [text]
      } else {
        texts = try single.decode([String].self)
      }
    }
  }
}
