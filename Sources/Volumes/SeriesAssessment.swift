/// What may be done with a series.
public enum Verdict: String, Sendable, Equatable, Codable {
  /// The series is exactly one regular volume.
  case accepted
  /// The series waits for a person; its problems say why.
  case held
}

/// The judgement on the geometry of one series.
public struct SeriesAssessment: Sendable, Equatable, Codable {
  public var verdict: Verdict
  /// Why the series is held; empty when it is accepted.
  public var problems: [GeometryProblem]
  /// The regular volumes found: exactly one when accepted. A held series lists those that it
  /// could unambiguously be split into, or the tilted one.
  public var volumes: [SliceStack]

  init(problems: [GeometryProblem], volumes: [SliceStack]) {
    self.verdict = problems.isEmpty && volumes.count == 1 ? .accepted : .held
    self.problems = problems
    self.volumes = volumes
  }
}

/// Judges whether the frames of one series form one regular volume, and orders them.
///
/// Order and spacing come from Image Position and Image Orientation (Patient) alone (PS3.3
/// C.7.6.2.1.1): instance numbers, slice thickness, Spacing Between Slices and the gantry tilt
/// attribute are not geometry. A series that is not one upright, gapless volume is held, and
/// every finding is named.
///
/// - Parameters:
///   - frames: the frames of the series, in any order.
///   - rules: the tolerances.
public func assess(frames: [ImageFrame], rules: GeometryRules = GeometryRules())
  -> SeriesAssessment
{
  guard !frames.isEmpty else {
    return SeriesAssessment(
      problems: [GeometryProblem(.noImages, "the series has no images")], volumes: [])
  }
  // The findings must not depend on the order of arrival.
  let frames = frames.sorted {
    ($0.sopInstanceUID, $0.frameNumber ?? 0) < ($1.sopInstanceUID, $1.frameNumber ?? 0)
  }
  let problems = imageProblems(frames, rules: rules) + consistencyProblems(frames, rules: rules)
  guard problems.isEmpty else { return SeriesAssessment(problems: problems, volumes: []) }

  let orientations = groupedByOrientation(frames, tolerance: rules.orientationTolerance)
  guard orientations.count > 1 else { return assessOneOrientation(frames, rules: rules) }
  return assessSeveralOrientations(orientations, rules: rules)
}

/// Frames whose direction cosines agree, each group in the order of the input.
private func groupedByOrientation(_ frames: [ImageFrame], tolerance: Double) -> [[ImageFrame]] {
  var groups: [[ImageFrame]] = []
  for frame in frames {
    let match = groups.firstIndex { group in
      zip(group[0].imageOrientation, frame.imageOrientation).allSatisfy {
        abs($0 - $1) <= tolerance
      }
    }
    if let match { groups[match].append(frame) } else { groups.append([frame]) }
  }
  return groups
}

private func assessSeveralOrientations(_ groups: [[ImageFrame]], rules: GeometryRules)
  -> SeriesAssessment
{
  let listed = groups.prefix(4).map { group in
    let cosines = group[0].imageOrientation.map { shown($0) }.joined(separator: "\\")
    return "\(group.count) images with \(cosines) (\(shown(group[0])) first)"
  }.joined(separator: "; ")
  var problems = [
    GeometryProblem(
      .severalOrientations,
      "Image Orientation (Patient) (0020,0037) takes \(groups.count) values in one series: "
        + listed)
  ]
  var volumes: [SliceStack] = []
  for group in groups.prefix(4) {
    let part = assessOneOrientation(group, rules: rules)
    problems += part.problems
    volumes += part.volumes.map { stack in
      var stack = stack
      stack.splitBy["ImageOrientationPatient"] =
        group[0].imageOrientation.map { shown($0) }.joined(separator: "\\")
      return stack
    }
  }
  return SeriesAssessment(problems: problems, volumes: volumes)
}

private func assessOneOrientation(_ frames: [ImageFrame], rules: GeometryRules)
  -> SeriesAssessment
{
  guard let places = SlicePlaces(frames, rules: rules) else {
    return SeriesAssessment(
      problems: [
        GeometryProblem(
          .invalidGeometry, "Image Orientation (Patient) gives no normal: \(shown(frames))")
      ], volumes: [])
  }
  if places.repeats.max() == 1 {
    let (stack, problems) = sliceStack(places, rules: rules)
    return SeriesAssessment(problems: problems, volumes: stack.map { [$0] } ?? [])
  }
  return assessRepeatedPositions(places, rules: rules)
}
