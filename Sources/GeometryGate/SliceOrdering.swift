import Foundation
import Volumes
import Wording

/// The outcome for the frames of one volume.
struct StackAssessment {
  /// nil where no regular grid describes the frames.
  var stack: SliceStack?
  var problems: [GeometryFinding] = []
  var repairs: [GeometryFinding] = []
}

/// Puts frames, one at each place, in order and assesses their spacing, line and tilt.
func assessStack(_ frames: [ImageFrame], rules: GeometryRules) -> StackAssessment {
  guard let places = SlicePlaces(frames, rules: rules), places.frames.count == frames.count,
    frames.count > 1
  else {
    return StackAssessment(problems: [tooFewSlices(frames, rules: rules)])
  }
  let frames = places.frames.flatMap { $0 }
  var assessment = StackAssessment()
  if frames.count < rules.minimumSlices {
    assessment.problems.append(tooFewSlices(frames, rules: rules))
  }
  let line = StackLine(frames, places)
  let placement = placeSlices(places, frames, rules: rules, &assessment)
  let displaced = lineProblems(frames, places, line, rules: rules)
  assessment.problems += displaced
  guard let placement, displaced.isEmpty else { return assessment }
  checkTilt(line, placement.step, frames, rules: rules, &assessment)
  let first = frames[0]
  let (row, column) = directions(first)
  let affine = Affine(
    column: row / length(row) * first.pixelSpacing[1],
    row: column / length(column) * first.pixelSpacing[0],
    slice: line.direction * placement.step, origin: position(first))
  assessment.stack = SliceStack(
    grid: VolumeGrid(
      columns: first.columns, rows: first.rows, slices: placement.slices, affine: affine),
    frames: frames, sliceIndices: placement.indices)
  return assessment
}

/// The straight line through the origins of the slices.
private struct StackLine {
  /// Way in mm for each mm along the normal.
  let direction: SIMD3<Double>
  /// Its part across the normal, in mm for each mm along it: the tangent of the tilt.
  let shear: Double

  init(_ frames: [ImageFrame], _ places: SlicePlaces) {
    let last = frames.count - 1
    direction =
      (position(frames[last]) - position(frames[0]))
      / (places.distances[last] - places.distances[0])
    shear = length(direction - places.normal * dot(direction, places.normal))
  }
}

/// The places of the frames on a regular slice axis.
private struct Placement {
  /// mm along the normal.
  var step: Double
  var slices: Int
  /// nil where frame k is at k.
  var indices: [Double]?
}

private func placeSlices(
  _ places: SlicePlaces, _ frames: [ImageFrame], rules: GeometryRules,
  _ assessment: inout StackAssessment
) -> Placement? {
  let pattern = places.pattern(rules)
  let span = places.distances[frames.count - 1] - places.distances[0]
  switch pattern.kind {
  case .regular:
    let step = span / Double(frames.count - 1)
    // Hundredths of a millimetre are not worth reporting.
    if let quantum = pattern.roundedTo, quantum > 0.01 {
      assessment.repairs.append(roundingRepair(pattern, quantum, step, frames))
    }
    return Placement(step: step, slices: frames.count)
  case .gaps:
    let widths = pattern.steps.indices.map { index in
      pattern.exceptions.first { $0.index == index }?.multiple ?? 1
    }
    let message = gapMessage(pattern, frames)
    let widest = pattern.steps.max() ?? 0
    guard widest <= rules.fillsGapsUpTo else {
      assessment.problems.append(GeometryFinding(.missingSlices, message))
      return nil
    }
    assessment.repairs.append(
      GeometryFinding(.missingSlices, message + "; filled by interpolation"))
    let indices = widths.reduce(into: [0.0]) { $0.append(($0.last ?? 0) + Double($1)) }
    let count = widths.reduce(1, +)
    return Placement(step: span / Double(count - 1), slices: count, indices: indices)
  case .uneven:
    let message = unevenMessage(pattern, frames)
    guard rules.resamplesUnevenSpacing else {
      assessment.problems.append(GeometryFinding(.unevenSpacing, message))
      return nil
    }
    return evenPlacement(places, pattern, message, &assessment)
  }
}

private func roundingRepair(
  _ pattern: StepPattern, _ quantum: Double, _ step: Double, _ frames: [ImageFrame]
) -> GeometryFinding {
  let (least, most) = (pattern.steps.min() ?? 0, pattern.steps.max() ?? 0)
  return GeometryFinding(
    .unevenSpacing,
    "Image Position (Patient) (0020,0032) is rounded to \(formatted(quantum)) mm in all images, so that "
      + "steps run from \(formatted(least)) to \(formatted(most)) mm: taken as regular steps of "
      + "\(formatted(step)) mm, which explain every position within its rounding: \(formatted(frames))"
  )
}

/// A regular axis at about the smallest step, unless that would make too many slices of few.
private func evenPlacement(
  _ places: SlicePlaces, _ pattern: StepPattern, _ message: String,
  _ assessment: inout StackAssessment
) -> Placement {
  let distances = places.distances
  let span = distances[distances.count - 1] - distances[0]
  let smallest = pattern.steps.min() ?? pattern.median
  let finest = span / Double(4 * distances.count)
  let count = max(2, Int((span / max(smallest, finest)).rounded()) + 1)
  let step = span / Double(count - 1)
  assessment.repairs.append(
    GeometryFinding(
      .unevenSpacing,
      "\(message); resampled to \(count) slices at steps of \(formatted(step)) mm, the largest gap is "
        + "\(formatted(pattern.steps.max() ?? 0)) mm"))
  return Placement(
    step: step, slices: count, indices: distances.map { ($0 - distances[0]) / step })
}

private func gapMessage(_ pattern: StepPattern, _ frames: [ImageFrame]) -> String {
  "slices are missing at the usual step of \(formatted(pattern.median)) mm: "
    + listed(pattern.exceptions.map { gap($0, pattern, frames) })
}

private func gap(
  _ exception: (index: Int, multiple: Int?), _ pattern: StepPattern, _ frames: [ImageFrame]
) -> String {
  let (below, above) = (frames[exception.index], frames[exception.index + 1])
  let between = "between \(formatted(below)) and \(formatted(above))"
  guard let multiple = exception.multiple else {
    return "\(formatted(pattern.steps[exception.index])) mm \(between)"
  }
  let first = position(below) + (position(above) - position(below)) / Double(multiple)
  return
    "\(multiple - 1) \(between), where the step is \(formatted(pattern.steps[exception.index])) mm "
    + "(the first at \(numbers([first.x, first.y, first.z])))"
}

private func unevenMessage(_ pattern: StepPattern, _ frames: [ImageFrame]) -> String {
  let (least, most) = (pattern.steps.min() ?? 0, pattern.steps.max() ?? 0)
  let uneven = pattern.exceptions.filter { $0.multiple == nil }
  let gaps = pattern.exceptions.filter { $0.multiple != nil }
  return
    "steps between slices by Image Position (Patient) (0020,0032) run from \(formatted(least)) to "
    + "\(formatted(most)) mm, median \(formatted(pattern.median)) mm: "
    + listed((uneven + gaps).map { gap($0, pattern, frames) })
}

private func listed(_ items: [String]) -> String {
  let first = items.prefix(3).joined(separator: "; ")
  return items.count > 3 ? "\(first); and \(items.count - 3) more" : first
}

/// Every slice must be on the line, also across the normal.
private func lineProblems(
  _ frames: [ImageFrame], _ places: SlicePlaces, _ line: StackLine, rules: GeometryRules
) -> [GeometryFinding] {
  let displaced = frames.enumerated().compactMap { index, frame -> (ImageFrame, Double)? in
    let way = places.distances[index] - places.distances[0]
    let distance = length(position(frame) - (position(frames[0]) + way * line.direction))
    return distance <= rules.positionTolerance ? nil : (frame, distance)
  }
  guard let worst = displaced.max(by: { $0.1 < $1.1 }) else { return [] }
  return [
    GeometryFinding(
      .slicesOffLine,
      "Image Position (Patient) (0020,0032) of \(counted(displaced.count, "slice")) is up to "
        + "\(formatted(worst.1)) mm off the line through first and last: \(formatted(worst.0))")
  ]
}

private func checkTilt(
  _ line: StackLine, _ step: Double, _ frames: [ImageFrame], rules: GeometryRules,
  _ assessment: inout StackAssessment
) {
  let tilt = atan(line.shear) * 180 / .pi
  guard tilt > rules.maximumTilt else { return }
  let message =
    "the slices are tilted by \(formatted(tilt)) degrees: each is shifted by \(formatted(line.shear * step)) mm "
    + "against the one before by Image Position (Patient) (0020,0032), \(formatted(frames[0])) first"
  // Beyond this no gantry tilts and hardly any anatomy of one slice is above that of the next.
  if rules.resamplesTilt, tilt <= 45 {
    assessment.repairs.append(
      GeometryFinding(
        .tilted,
        message + "; resampled to upright planes for the network, results return to the "
          + "source planes"))
  } else {
    assessment.problems.append(GeometryFinding(.tilted, message))
  }
}
