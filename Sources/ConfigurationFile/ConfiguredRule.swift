import SeriesSelection
import StrictYAML

extension SiteConfiguration {
  /// Which model segments which series: one entry of `rules`.
  public struct Rule: Decodable, Sendable {
    public var name: String?
    public var model: String
    public var criteria: SeriesCriteria
    /// Left out: the best where preferences are given, otherwise all.
    public var select: ModelRule.Selection
    public var tieOrder: [TieOrder]
    /// Which volume of a series of several.
    public var volume: VolumeCriteria?
    /// Of its jobs; those of a higher one run first.
    public var priority: Int

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case name, model, require, prefer, minimumScore, select, tieOrder, volume, priority
      // Short for `require: {modality: …, seriesDescription: …}`.
      case modalities, seriesDescription
    }

    public init(from decoder: any Decoder) throws {
      let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
      name = try values.decodeIfPresent(String.self, forKey: .name)
      model = try values.decode(String.self, forKey: .model)
      criteria = try SeriesCriteria(amongKeysOf: decoder)
      for (key, attribute) in [
        (CodingKeys.modalities, SeriesAttribute.modality), (.seriesDescription, .seriesDescription),
      ] where values.contains(key) {
        // An empty list of modalities used to mean every one.
        if key == .modalities, try values.decode([String].self, forKey: key).isEmpty { continue }
        guard !criteria.required.contains(where: { $0.attribute == attribute }) else {
          throw DecodingError.dataCorruptedError(
            forKey: key, in: values,
            debugDescription: "is set under require as \(attribute.rawValue) too")
        }
        let condition = try SeriesCriterion.Condition(
          from: values.superDecoder(forKey: key), for: attribute)
        criteria.required.append(SeriesCriterion(attribute, condition))
      }
      select =
        try values.decodeIfPresent(ModelRule.Selection.self, forKey: .select)
        ?? (criteria.preferred.isEmpty ? .all : .best)
      tieOrder = try values.decodeIfPresent([TieOrder].self, forKey: .tieOrder) ?? []
      volume = try values.decodeIfPresent(VolumeCriteria.self, forKey: .volume)
      priority = try values.decodeIfPresent(Int.self, forKey: .priority) ?? 0
      guard (-1000...1000).contains(priority) else {
        throw DecodingError.dataCorruptedError(
          forKey: .priority, in: values,
          debugDescription: "\(priority) is not between -1000 and 1000")
      }
      guard tieOrder.isEmpty || select == .best else {
        throw DecodingError.dataCorruptedError(
          forKey: .tieOrder, in: values, debugDescription: "means nothing without select: best")
      }
    }
  }
}

extension SiteConfiguration {
  /// The rules of the file, in its order, without those of excluded models.
  public var modelRules: [ModelRule] {
    rules.filter { !models.exclude.contains($0.model) }.map {
      ModelRule(
        name: $0.name, model: $0.model, criteria: $0.criteria, selection: $0.select,
        tieOrder: $0.tieOrder, volume: $0.volume, priority: $0.priority)
    }
  }
}
