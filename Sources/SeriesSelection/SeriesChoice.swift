/// How series of the same score are told apart.
public enum TieOrder: String, Sendable, Equatable, Codable, CaseIterable {
  case mostSlices, thinnestSlices, largestCoverage, lowestSeriesNumber, highestSeriesNumber

  /// Of two series the smaller value is preferred; nil where the series does not say.
  func value(_ facts: SeriesFacts) -> Double? {
    switch self {
    case .mostSlices: facts.number(.slices).map { -$0 }
    case .thinnestSlices: facts.number(.sliceThickness) ?? facts.number(.sliceSpacing)
    case .largestCoverage: facts.number(.coverage).map { -$0 }
    case .lowestSeriesNumber: facts.seriesNumber.map(Double.init)
    case .highestSeriesNumber: facts.seriesNumber.map { -Double($0) }
    }
  }
}

/// Which series of several fits criteria best. Indices are those of the candidates.
public enum SeriesChoice: Sendable, Equatable {
  /// The best one; `decidedBy` names the order that broke a tie.
  case best(Int, decidedBy: TieOrder?)
  /// Several are best, and nothing tells them apart.
  case tie([Int])
  /// None matches; those that a single fault keeps from it.
  case none(nearMisses: [Int])

  /// Chooses by score, then by each order in turn.
  ///
  /// An order decides only where every series that is still tied states its value.
  public init(_ scores: [SeriesScore], facts: [SeriesFacts], tieOrder: [TieOrder] = []) {
    let matching = scores.indices.filter { scores[$0].isMatch }
    guard let most = matching.map({ scores[$0].points }).max() else {
      self = .none(nearMisses: scores.indices.filter { scores[$0].isNearMiss })
      return
    }
    var best = matching.filter { scores[$0].points >= most - 1e-9 }
    var decidedBy: TieOrder?
    for order in tieOrder where best.count > 1 {
      let values = best.map { order.value(facts[$0]) }
      guard let least = values.compactMap(\.self).min(), !values.contains(nil) else { continue }
      let narrowed = zip(best, values).filter { ($1 ?? .infinity) <= least + 1e-6 }.map(\.0)
      if narrowed.count < best.count { decidedBy = order }
      best = narrowed
    }
    self = best.count == 1 ? .best(best[0], decidedBy: decidedBy) : .tie(best)
  }
}
