import Volumes

/// The verdict on the geometry of one series, with its reasons and the volumes in it.
public struct SeriesAssessment: Sendable, Equatable, Codable {
  public var verdict: Verdict
  /// Why the series is held; empty otherwise.
  public var problems: [GeometryFinding]
  /// What was repaired, and how.
  public var repairs: [GeometryFinding]
  /// What a reader should know of a series that is right as it is.
  public var notes: [GeometryFinding]
  /// The volumes that the series splits into, each with its own verdict. A held series lists those
  /// of its volumes whose grid is beyond doubt, for information.
  public var volumes: [AssessedVolume]
  /// Images that are in no volume.
  public var excluded: [ImageFrame]

  init(
    problems: [GeometryFinding], repairs: [GeometryFinding] = [], notes: [GeometryFinding] = [],
    volumes: [AssessedVolume], excluded: [ImageFrame] = []
  ) {
    self.problems = problems
    self.repairs = repairs
    self.notes = notes
    self.volumes = volumes
    self.excluded = excluded
    let isRepaired = !repairs.isEmpty || volumes.contains { $0.verdict == .repaired }
    verdict = !problems.isEmpty || volumes.isEmpty ? .held : isRepaired ? .repaired : .accepted
  }

  /// The volumes that may be segmented: none of a held series.
  public var usableStacks: [SliceStack] {
    verdict == .held ? [] : volumes.filter { $0.verdict != .held }.map(\.stack)
  }

  /// Everything found, the gravest first.
  public var reasons: [String] { (problems + repairs + notes).map(\.message) }

  /// The same series held for more reasons, which come first: images that could not be read cause
  /// the gaps that they leave.
  public func held(because findings: [GeometryFinding]) -> SeriesAssessment {
    guard !findings.isEmpty else { return self }
    // Where no image is left the causes say it all.
    let effects = problems.filter { $0.kind != .noImages }
    return SeriesAssessment(
      problems: findings + effects, repairs: repairs, notes: notes, volumes: volumes,
      excluded: excluded)
  }
}
