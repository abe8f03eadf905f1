/// One of the volumes that the geometry gate finds in a series, as criteria see it.
public struct VolumeFacts: Sendable, Equatable, Codable {
  /// From 1, in the order in which the gate lists them.
  public var number: Int
  /// What distinguishes it from the others, as `EchoTime=80`; empty where it is the only one.
  public var name: String
  /// Of its images alone.
  public var facts: SeriesFacts

  public init(number: Int, name: String, facts: SeriesFacts) {
    self.number = number
    self.name = name
    self.facts = facts
  }
}

/// Which volume of a series a rule takes: the one with the most points of those that match.
public struct VolumeCriteria: Sendable, Equatable {
  public var criteria: SeriesCriteria
  /// What decides between volumes of the same score; without a decision the series is held.
  public var tieOrder: [TieOrder]

  public init(_ criteria: SeriesCriteria, tieOrder: [TieOrder] = []) {
    self.criteria = criteria
    self.tieOrder = tieOrder
  }

  /// Chooses among the volumes of a series; also a single one has to match.
  public func choose(among volumes: [VolumeFacts]) -> VolumeDecision {
    let scores = volumes.map { criteria.score($0.facts) }
    switch SeriesChoice(scores, facts: volumes.map(\.facts), tieOrder: tieOrder) {
    case .best(let index, let order):
      let tie = order.map { ", before others of that score by \($0.rawValue)" } ?? ""
      let score =
        criteria.preferred.isEmpty ? "" : ": the highest score, \(scores[index].pointsText)\(tie)"
      return VolumeDecision(
        number: volumes[index].number, name: volumes[index].name,
        reason: "\(Self.text(volumes[index], of: volumes.count))\(score)")
    case .tie(let tied):
      let names = tied.map { Self.text(volumes[$0], of: nil) }.joined(separator: ", ")
      return VolumeDecision(
        reason: "\(names) of the series fit equally well and nothing decides between them")
    case .none:
      let why = zip(volumes, scores).prefix(20).map { volume, score in
        "\(Self.text(volume, of: nil)): "
          + score.incompatibilities(showingText: false).joined(separator: ", ")
      }
      return VolumeDecision(
        reason: "no volume of the series is the one that is wanted: "
          + why.joined(separator: "; "))
    }
  }

  private static func text(_ volume: VolumeFacts, of count: Int?) -> String {
    "volume \(volume.number)" + (count.map { " of \($0)" } ?? "")
      + (volume.name.isEmpty ? "" : " (\(volume.name))")
  }
}

extension VolumeCriteria: Decodable {
  private enum CodingKeys: String, CodingKey, CaseIterable {
    case require, prefer, minimumScore, tieOrder
  }

  /// Refuses other keys, and one that asks for nothing.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.strictContainer(keyedBy: CodingKeys.self)
    self.init(
      try SeriesCriteria(amongKeysOf: decoder),
      tieOrder: try values.decodeIfPresent([TieOrder].self, forKey: .tieOrder) ?? [])
    guard !criteria.required.isEmpty || !criteria.preferred.isEmpty || !tieOrder.isEmpty else {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: decoder.codingPath,
          debugDescription: "neither require nor prefer nor tieOrder is given"))
    }
  }
}

/// What a rule decided about the volumes of a series that it selected.
public struct VolumeDecision: Sendable, Equatable, Codable {
  /// Of the volume that it takes; nil where it could not decide.
  public var number: Int?
  /// What distinguishes that from the others; empty where it is the only one.
  public var name: String?
  /// Why, without free text of the files.
  public var reason: String
  /// Whether a person chose it, and not the rule.
  public var isByPerson: Bool

  public init(
    number: Int? = nil, name: String? = nil, reason: String, isByPerson: Bool = false
  ) {
    self.number = number
    self.name = name
    self.reason = reason
    self.isByPerson = isByPerson
  }
}
