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

/// Assesses the frames of one series: which volumes it holds, the order of their slices, what was
/// repaired and what cannot be.
///
/// Order and spacing come from Image Position and Image Orientation (Patient) alone (PS3.3
/// C.7.6.2.1.1): instance numbers, slice thickness, Spacing Between Slices and the gantry tilt
/// attribute are not geometry.
///
/// ```swift
/// let assessment = assess(frames: frames, rules: GeometryRules())
/// switch assessment.verdict {
/// case .held: print(assessment.problems)
/// case .accepted, .repaired: print(assessment.usableStacks.count, "volumes")
/// }
/// ```
///
/// - Parameters:
///   - frames: the frames of the series, in any order.
///   - replaced: earlier versions of these, which came again with other content: they are compared
///     with them and nothing else.
///   - rules: the tolerances, and what may be repaired.
///   - expectedInstances: how many instances the series has by another source, such as a PACS.
///   - pixelHash: a digest of an image's stored values, asked only of images that came twice; nil
///     where it cannot be had, so that such images are never taken as equal.
public func assess(
  frames: [ImageFrame], replacing replaced: [ImageFrame] = [], rules: GeometryRules,
  expectedInstances: Int? = nil, pixelHash: @escaping (ImageFrame) -> String? = { _ in nil }
) -> SeriesAssessment {
  var assessor = SeriesAssessor(rules: rules, pixelHash: pixelHash)
  return assessor.assess(frames, replacing: replaced, expectedInstances: expectedInstances)
}
