import Foundation
import Volumes

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

  /// nil where there are no frames or their orientation gives no normal.
  init?(_ frames: [ImageFrame], rules: GeometryRules) {
    guard let first = frames.first else { return nil }
    let axis = unitNormal(first)
    guard length(axis) > 0.5 else { return nil }
    normal = axis
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

  /// How the steps between the places run.
  func pattern(_ rules: GeometryRules) -> StepPattern {
    StepPattern(
      distances, rules: rules,
      rounding: { PositionRounding(frames.joined().map { position($0) }, normal: normal) })
  }

  /// Whether the places follow at one step.
  func isRegular(_ rules: GeometryRules) -> Bool { pattern(rules).kind == .regular }
}

/// How the steps between the places of a stack run.
struct StepPattern {
  enum Kind { case regular, gaps, uneven }

  let steps: [Double]
  let median: Double
  let tolerance: Double
  let kind: Kind
  /// The steps that differ from the median, and by how many whole steps they are wide: nil where
  /// that is not a whole number.
  let exceptions: [(index: Int, multiple: Int?)]
  /// Where the steps are regular only because positions are rounded to so many mm.
  let roundedTo: Double?

  /// - Parameters:
  ///   - distances: of the places along the normal in mm, ascending.
  ///   - rules: how far steps may differ.
  ///   - rounding: asked where the steps differ.
  init(_ distances: [Double], rules: GeometryRules, rounding: () -> PositionRounding?) {
    steps = zip(distances.dropFirst(), distances).map { $0 - $1 }
    median = steps.isEmpty ? 0 : steps.sorted()[(steps.count - 1) / 2]
    tolerance = max(rules.spacingTolerance, rules.spacingRelativeTolerance * median)
    let (least, most) = (steps.min() ?? 0, steps.max() ?? 0)
    let isEven = most - least <= tolerance
    if !isEven, let rounding = rounding(), rounding.explains(distances, steps) {
      roundedTo = rounding.quantum
    } else {
      roundedTo = nil
    }
    guard !isEven, roundedTo == nil else {
      kind = .regular
      exceptions = []
      return
    }
    var exceptions: [(index: Int, multiple: Int?)] = []
    for (index, step) in steps.enumerated() where abs(step - median) > tolerance {
      let multiple = (step / median).rounded()
      let isGap =
        multiple >= 2 && multiple < 1e6 && abs(step - multiple * median) <= multiple * tolerance
      exceptions.append((index, isGap ? Int(multiple) : nil))
    }
    self.exceptions = exceptions
    let isAllGaps = !exceptions.isEmpty && exceptions.allSatisfy { $0.multiple != nil }
    kind = isAllGaps ? .gaps : .uneven
  }
}
