import Volumes
import Wording

/// The steps of ``assess(frames:replacing:rules:expectedInstances:pixelHash:)`` and what they found so far.
struct SeriesAssessor {
  let rules: GeometryRules
  let pixelHash: (ImageFrame) -> String?
  /// Whether the images are of several series that are one stack.
  var isStackOfSeries = false
  var problems: [GeometryFinding] = []
  var repairs: [GeometryFinding] = []
  var notes: [GeometryFinding] = []
  var excluded: [ImageFrame] = []

  init(rules: GeometryRules, pixelHash: @escaping (ImageFrame) -> String?) {
    self.rules = rules
    self.pixelHash = pixelHash
  }

  mutating func assessment(
    of frames: [ImageFrame], replacing replaced: [ImageFrame], expectedInstances: Int?
  ) -> SeriesAssessment {
    guard !frames.isEmpty else {
      problems.append(GeometryFinding(.noImages, "the series has no images"))
      return result([])
    }
    var frames = inOrder(frames)
    checkCount(frames, expected: expectedInstances)
    let blank = blankUIDs(frames)
    guard blank.isEmpty else {
      problems += blank
      return result([])
    }
    frames = withoutResent(frames)
    compare(frames, withReplaced: replaced)
    guard checkCorrection(frames, of: replaced) else { return result([]) }
    frames = withoutOtherKinds(frames)
    frames = withoutUnusable(frames)
    frames = withoutMismatched(frames)
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
        .incomplete,
        "the series has \(counted(found, "instance")) where \(counted(expected, "is", "are")) due: "
          + difference))
  }

  /// Adds a finding that holds the series unless such images may be excluded.
  mutating func exclude(_ frames: [ImageFrame], _ kind: GeometryFinding.Kind, _ message: String) {
    excluded += frames
    if rules.excludesMismatchedImages {
      repairs.append(GeometryFinding(kind, message + "; excluded"))
    } else {
      problems.append(GeometryFinding(kind, message))
    }
  }

  private func result(_ volumes: [AssessedVolume]) -> SeriesAssessment {
    var notes = notes
    if volumes.count > 1 {
      let named = 20
      let names = zip(1..., volumes).prefix(named).map { "\($0): \($1.text)" }
      let more = volumes.count > named ? " and \(volumes.count - named) more" : ""
      notes.append(
        GeometryFinding(
          .severalVolumes,
          "the series holds \(volumes.count) volumes: " + names.joined(separator: "; ") + more))
    }
    for volume in volumes where volume.verdict != .held {
      notes += volume.findings.filter { !repairs.contains($0) && !notes.contains($0) }
    }
    let placeless = volumes.filter { !$0.stack.hasFrameOfReference }
    if !placeless.isEmpty, !placeless.allSatisfy({ $0.verdict == .held }) {
      let isAbsent = placeless.flatMap(\.stack.frames).allSatisfy {
        $0.frameOfReferenceUID.isEmpty
      }
      notes.append(
        GeometryFinding(
          .noFrameOfReference,
          "Frame of Reference UID (0020,0052) is \(isAbsent ? "absent" : "not one for all images"): a "
            + "result has the positions of its source images in a frame of reference of its own, which "
            + "follows from Series Instance UID (0020,000E)"
        ))
    }
    return SeriesAssessment(
      problems: problems, repairs: repairs, notes: notes, volumes: volumes, excluded: excluded)
  }
}
