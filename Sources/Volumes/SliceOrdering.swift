import Foundation

/// Frames of one orientation, gathered by their place along the slice normal.
struct SlicePlaces {
  /// Unit normal: a row's direction × a column's direction.
  let normal: SIMD3<Double>
  /// Distance of each place along the normal in mm, ascending.
  let distances: [Double]
  /// The frames at each place.
  let frames: [[ImageFrame]]

  /// How many frames each place has.
  var repeats: [Int] { frames.map(\.count) }

  /// nil where the orientation gives no normal.
  init?(_ frames: [ImageFrame], rules: GeometryRules) {
    guard let first = frames.first else { return nil }
    let (row, column) = directions(first)
    let product = cross(row, column)
    guard length(product) > 0.5 else { return nil }
    normal = product / length(product)
    let axis = normal
    let sorted = frames.map { (distance: dot(position($0), axis), frame: $0) }
      .sorted { ($0.distance, $0.frame.sopInstanceUID) < ($1.distance, $1.frame.sopInstanceUID) }
    var distances: [Double] = []
    var places: [[ImageFrame]] = []
    for (distance, frame) in sorted {
      if let last = distances.last, distance - last <= rules.samePlaceTolerance {
        places[places.count - 1].append(frame)
      } else {
        distances.append(distance)
        places.append([frame])
      }
    }
    self.distances = distances
    self.frames = places
  }
}

/// The stack of frames that lie one at each place, and what is wrong with it. A tilted stack is
/// given with its exact sheared affine; any other fault leaves no stack.
func sliceStack(_ places: SlicePlaces, rules: GeometryRules) -> (SliceStack?, [GeometryProblem]) {
  let frames = places.frames.flatMap { $0 }
  guard frames.count >= max(2, rules.minimumSlices) else {
    return (
      nil,
      [
        GeometryProblem(
          .tooFewSlices,
          "\(frames.count) slices, at least \(max(2, rules.minimumSlices)) make a volume: "
            + shown(frames))
      ]
    )
  }
  var problems = spacingProblems(places, frames, rules: rules)
  let affine = stackAffine(frames)
  if problems.isEmpty { problems += lineProblems(frames, affine, rules: rules) }
  guard problems.isEmpty else { return (nil, problems) }

  let stack = SliceStack(
    grid: VolumeGrid(
      columns: frames[0].columns, rows: frames[0].rows, slices: frames.count, affine: affine),
    frames: frames)
  return (stack, tiltProblems(affine, places.normal, frames, rules: rules))
}

/// The map of PS3.3 C.7.6.2.1.1 with the step between slices taken from first and last position.
/// Pixel Spacing gives the distance of rows first, then that of columns.
private func stackAffine(_ frames: [ImageFrame]) -> Affine {
  let first = frames[0]
  let (row, column) = directions(first)
  let span = position(frames[frames.count - 1]) - position(first)
  return Affine(
    column: row / length(row) * first.pixelSpacing[1],
    row: column / length(column) * first.pixelSpacing[0],
    slice: span / Double(frames.count - 1), origin: position(first))
}

/// Steps along the normal must agree; those near a multiple of the median are gaps.
private func spacingProblems(
  _ places: SlicePlaces, _ frames: [ImageFrame], rules: GeometryRules
) -> [GeometryProblem] {
  let steps = zip(places.distances.dropFirst(), places.distances).map { $0 - $1 }
  guard let least = steps.min(), let most = steps.max() else { return [] }
  let median = steps.sorted()[(steps.count - 1) / 2]
  let tolerance = max(rules.spacingTolerance, rules.spacingRelativeTolerance * median)
  guard most - least > tolerance else { return [] }

  var gaps: [String] = []
  var uneven: [String] = []
  for (index, step) in steps.enumerated() where abs(step - median) > tolerance {
    let multiple = (step / median).rounded()
    let between = "between \(shown(frames[index])) and \(shown(frames[index + 1]))"
    if multiple >= 2, abs(step - multiple * median) <= multiple * tolerance {
      gaps.append("\(Int(multiple) - 1) \(between), where the step is \(shown(step)) mm")
    } else {
      uneven.append("\(shown(step)) mm \(between)")
    }
  }
  if uneven.isEmpty, !gaps.isEmpty {
    return [
      GeometryProblem(
        .missingSlices,
        "slices are missing at the usual step of \(shown(median)) mm: " + listed(gaps))
    ]
  }
  let range = "from \(shown(least)) to \(shown(most)) mm, median \(shown(median)) mm"
  return [
    GeometryProblem(
      .unevenSpacing,
      "steps between slices by Image Position (Patient) (0020,0032) run \(range): "
        + listed(uneven + gaps))
  ]
}

private func listed(_ items: [String]) -> String {
  let first = items.prefix(3).joined(separator: "; ")
  return items.count > 3 ? "\(first); and \(items.count - 3) more" : first
}

/// Every slice must lie where the affine puts it, also across the normal.
private func lineProblems(_ frames: [ImageFrame], _ affine: Affine, rules: GeometryRules)
  -> [GeometryProblem]
{
  let astray = frames.enumerated().compactMap { index, frame -> (ImageFrame, Double)? in
    let expected = affine.origin + Double(index) * affine.slice
    let distance = length(position(frame) - expected)
    return distance <= rules.positionTolerance ? nil : (frame, distance)
  }
  guard let worst = astray.max(by: { $0.1 < $1.1 }) else { return [] }
  return [
    GeometryProblem(
      .slicesOffLine,
      "Image Position (Patient) (0020,0032) of \(astray.count) slices lies up to "
        + "\(shown(worst.1)) mm beside the line through first and last: \(shown(worst.0))")
  ]
}

private func tiltProblems(
  _ affine: Affine, _ normal: SIMD3<Double>, _ frames: [ImageFrame], rules: GeometryRules
) -> [GeometryProblem] {
  let along = dot(affine.slice, normal)
  let shear = length(affine.slice - along * normal)
  let tilt = atan2(shear, along) * 180 / .pi
  guard tilt > rules.maximumTilt else { return [] }
  return [
    GeometryProblem(
      .tilted,
      "the slices are tilted by \(shown(tilt)) degrees: each lies \(shown(shear)) mm beside the "
        + "one before by Image Position (Patient) (0020,0032), \(shown(frames[0])) first")
  ]
}
