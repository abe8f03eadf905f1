/// What may be done with a series, or with one of its volumes.
public enum Verdict: String, Sendable, Equatable, Codable {
  /// Regular as it is.
  case accepted
  /// Usable after a repair that its findings name.
  case repaired
  /// Waits for a person; the problems say why.
  case held
}

/// The judgement on the geometry of one series.
public struct SeriesAssessment: Sendable, Equatable, Codable {
  public var verdict: Verdict
  /// Why the series is held; empty otherwise.
  public var problems: [GeometryFinding]
  /// What was mended, and how.
  public var repairs: [GeometryFinding]
  /// What a reader should know of a series that is right as it is.
  public var notes: [GeometryFinding]
  /// The volumes that the series splits into, each with its own verdict. A held series lists those
  /// of its volumes whose grid is beyond doubt, for information.
  public var volumes: [SliceStack]
  /// Images that are in no volume.
  public var setApart: [ImageFrame]

  init(
    problems: [GeometryFinding], repairs: [GeometryFinding] = [], notes: [GeometryFinding] = [],
    volumes: [SliceStack], setApart: [ImageFrame] = []
  ) {
    self.problems = problems
    self.repairs = repairs
    self.notes = notes
    self.volumes = volumes
    self.setApart = setApart
    let isRepaired = !repairs.isEmpty || volumes.contains { $0.verdict == .repaired }
    verdict = !problems.isEmpty || volumes.isEmpty ? .held : isRepaired ? .repaired : .accepted
  }

  /// The volumes that may be segmented: none of a held series.
  public var usableVolumes: [SliceStack] {
    verdict == .held ? [] : volumes.filter { $0.verdict != .held }
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
      setApart: setApart)
  }
}

/// Judges the frames of one series: which volumes it holds, in which order their slices lie, what
/// was mended and what cannot be.
///
/// Order and spacing come from Image Position and Image Orientation (Patient) alone (PS3.3
/// C.7.6.2.1.1): instance numbers, slice thickness, Spacing Between Slices and the gantry tilt
/// attribute are not geometry.
///
/// - Parameters:
///   - frames: the frames of the series, in any order.
///   - rules: the tolerances, and what may be mended.
///   - expectedInstances: how many instances the series has by another source, such as a PACS.
///   - pixelHash: a digest of an image's stored values, asked only of images that came twice; nil
///     where it cannot be had, so that such images are never taken as equal.
public func assess(
  frames: [ImageFrame], rules: GeometryRules = GeometryRules(), expectedInstances: Int? = nil,
  pixelHash: @escaping (ImageFrame) -> String? = { _ in nil }
) -> SeriesAssessment {
  var assessor = SeriesAssessor(rules: rules, pixelHash: pixelHash)
  return assessor.assess(frames, expectedInstances: expectedInstances)
}

/// The steps of ``assess(frames:rules:expectedInstances:pixelHash:)`` and what they found so far.
struct SeriesAssessor {
  let rules: GeometryRules
  let pixelHash: (ImageFrame) -> String?
  var problems: [GeometryFinding] = []
  var repairs: [GeometryFinding] = []
  var notes: [GeometryFinding] = []
  var setApart: [ImageFrame] = []

  init(rules: GeometryRules, pixelHash: @escaping (ImageFrame) -> String?) {
    self.rules = rules
    self.pixelHash = pixelHash
  }

  mutating func assess(_ frames: [ImageFrame], expectedInstances: Int?) -> SeriesAssessment {
    guard !frames.isEmpty else {
      problems.append(GeometryFinding(.noImages, "the series has no images"))
      return result([])
    }
    // The findings must not depend on the order of arrival.
    var frames = frames.sorted {
      ($0.sopInstanceUID, $0.frameNumber ?? 0, $0.mosaicTile?.index ?? 0, $0.file)
        < ($1.sopInstanceUID, $1.frameNumber ?? 0, $1.mosaicTile?.index ?? 0, $1.file)
    }
    checkCount(frames, expected: expectedInstances)
    let blank = blankUIDs(frames)
    guard blank.isEmpty else {
      problems += blank
      return result([])
    }
    frames = withoutResent(frames)
    frames = withoutOtherKinds(frames)
    frames = withoutUnusable(frames)
    frames = withoutStrangers(frames)
    guard !frames.isEmpty else { return result([]) }
    checkUnits(frames)
    let volumes = volumes(of: frames)
    return result(volumes)
  }

  private mutating func checkCount(_ frames: [ImageFrame], expected: Int?) {
    let found = Set(frames.map(\.sopInstanceUID)).count
    guard let expected, found != expected else { return }
    let difference = found < expected ? "\(expected - found) are missing" : "more than there are"
    problems.append(
      GeometryFinding(
        .incomplete, "the series has \(found) instances where \(expected) are due: \(difference)"))
  }

  /// Adds a finding that holds the series unless it may go on without the images.
  mutating func exclude(_ frames: [ImageFrame], _ kind: GeometryFinding.Kind, _ message: String) {
    setApart += frames
    if rules.goesOnWithoutStrays {
      repairs.append(GeometryFinding(kind, message + "; set apart"))
    } else {
      problems.append(GeometryFinding(kind, message))
    }
  }

  private func result(_ volumes: [SliceStack]) -> SeriesAssessment {
    var notes = notes
    if volumes.count > 1 {
      let names = volumes.prefix(8).map { "\($0.name) (\($0.frames.count) images)" }
      let more = volumes.count > 8 ? " and \(volumes.count - 8) more" : ""
      notes.append(
        GeometryFinding(
          .severalVolumes,
          "the series holds \(volumes.count) volumes: " + names.joined(separator: "; ") + more))
    }
    for volume in volumes where volume.verdict != .held {
      notes += volume.findings.filter { !repairs.contains($0) && !notes.contains($0) }
    }
    let placeless = volumes.filter { !$0.hasFrameOfReference }
    if !placeless.isEmpty, !placeless.allSatisfy({ $0.verdict == .held }) {
      notes.append(
        GeometryFinding(
          .noFrameOfReference,
          "Frame of Reference UID (0020,0052) is not one for all images: a result refers to its "
            + "source images and carries no place in the patient of its own"))
    }
    return SeriesAssessment(
      problems: problems, repairs: repairs, notes: notes, volumes: volumes, setApart: setApart)
  }
}
