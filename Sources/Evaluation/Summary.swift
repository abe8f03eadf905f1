/// The scores of one case.
public struct CaseScore: Sendable, Equatable {
  public var name: String
  /// One for each region, in their order.
  public var scores: [RegionScore]
  /// How long the segmentation took; nil where it was there before.
  public var seconds: Double?
  /// What was unusual about the image or the segmentation.
  public var warnings: [String]

  public init(name: String, scores: [RegionScore], seconds: Double?, warnings: [String] = []) {
    self.name = name
    self.scores = scores
    self.seconds = seconds
    self.warnings = warnings
  }
}

/// Means and worst cases over a set of cases.
public struct EvaluationSummary: Sendable, Equatable {
  /// One structure over all cases.
  public struct RegionSummary: Sendable, Equatable {
    public var region: Region
    /// Mean over the cases that count; nil where none does.
    public var dice: Double?
    public var worstDice: Double?
    /// Mean over all cases: infinite where one case is.
    public var hd95: Double
    public var worstHD95: Double
    /// Mean of found minus known, in millilitres, sign and all.
    public var volumeDifference: Double
    /// That of the case with the largest amount.
    public var worstVolumeDifference: Double
    /// Cases in which exactly one of the masks is empty.
    public var oneEmptyCount: Int
  }

  public var regions: [RegionSummary]
  /// Mean of the regions' means, which is the mean over all cases and regions.
  public var dice: Double?
  public var hd95: Double
  /// Median time of a segmentation.
  public var secondsPerCase: Double?

  /// - Parameter cases: at least one, all with the same regions.
  public init(_ cases: [CaseScore]) {
    let count = cases.first?.scores.count ?? 0
    regions = (0..<count).map { index in RegionSummary(cases.map { $0.scores[index] }) }
    dice = mean(regions.compactMap(\.dice))
    hd95 = mean(regions.map(\.hd95)) ?? 0
    let seconds = cases.compactMap(\.seconds).sorted()
    secondsPerCase = seconds.isEmpty ? nil : percentile(50, of: seconds)
  }
}

extension EvaluationSummary.RegionSummary {
  fileprivate init(_ scores: [RegionScore]) {
    region = scores[0].region
    let dices = scores.compactMap(\.dice)
    dice = mean(dices)
    worstDice = dices.min()
    hd95 = mean(scores.map(\.hd95)) ?? 0
    worstHD95 = scores.map(\.hd95).max() ?? 0
    let differences = scores.map(\.volumeDifference)
    volumeDifference = mean(differences) ?? 0
    worstVolumeDifference = differences.max { abs($0) < abs($1) } ?? 0
    oneEmptyCount =
      scores.filter { ($0.foundMillilitres > 0) != ($0.knownMillilitres > 0) }.count
  }
}

private func mean(_ values: [Double]) -> Double? {
  values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
}
