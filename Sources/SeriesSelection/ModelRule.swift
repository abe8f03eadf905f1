/// Which model segments which series.
public struct ModelRule: Sendable, Equatable {
  /// Which of the matching series of a study get a job.
  public enum Selection: String, Sendable, Codable, CaseIterable {
    /// Each of them.
    case all
    /// The one with the highest score.
    case best
  }

  /// For messages.
  public var name: String
  public var model: String
  public var criteria: SeriesCriteria
  public var selection: Selection
  /// What decides between series of the same score where only the best is selected; without a
  /// decision they are held.
  public var tieOrder: [TieOrder]

  public init(
    name: String? = nil, model: String, criteria: SeriesCriteria = SeriesCriteria(),
    selection: Selection = .all, tieOrder: [TieOrder] = []
  ) {
    self.name = name ?? model
    self.model = model
    self.criteria = criteria
    self.selection = selection
    self.tieOrder = tieOrder
  }
}
