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
  /// Which volume of a series it takes; nil where only a series of one volume, or the phases of a cine
  /// series, can be segmented.
  public var volume: VolumeCriteria?
  /// Of its jobs: those of a higher priority run first, and take the place of one that runs.
  public var priority: Int

  public init(
    name: String? = nil, model: String, criteria: SeriesCriteria = SeriesCriteria(),
    selection: Selection = .all, tieOrder: [TieOrder] = [], volume: VolumeCriteria? = nil,
    priority: Int = 0
  ) {
    self.name = name ?? model
    self.model = model
    self.criteria = criteria
    self.selection = selection
    self.tieOrder = tieOrder
    self.volume = volume
    self.priority = priority
  }
}
