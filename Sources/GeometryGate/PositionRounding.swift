import Volumes

/// The fineness at which positions were written: some scanners and archives keep one or two decimals,
/// or halves of a millimetre, and a regular stack then looks uneven.
struct PositionRounding {
  /// All coordinates that differ between images are multiples of so many mm.
  let quantum: Double
  /// How far in mm along the normal a position may be from where it was measured.
  let error: Double

  /// - Parameters:
  ///   - positions: Image Position (Patient) of every image in mm; not empty.
  ///   - normal: unit normal of the slices.
  /// - Returns: nil where the coordinates are finer than a hundredth of a millimetre.
  init?(_ positions: [SIMD3<Double>], normal: SIMD3<Double>) {
    let axes = (0..<3).filter { axis in positions.contains { $0[axis] != positions[0][axis] } }
    let quantum = [0.5, 0.1, 0.01].first { quantum in
      axes.allSatisfy { axis in
        positions.allSatisfy {
          abs($0[axis] / quantum - ($0[axis] / quantum).rounded()) < 1e-6
        }
      }
    }
    guard let quantum else { return nil }
    self.quantum = quantum
    error = quantum / 2 * axes.reduce(0) { $0 + abs(normal[$1]) } + 1e-6
  }

  /// Whether regular places, each rounded so, may have given these.
  func explains(_ distances: [Double], _ steps: [Double]) -> Bool {
    guard let least = steps.min(), let most = steps.max(), error <= least / 8 else { return false }
    // A single step of another width is rather a slice out of place.
    if quantum > 0.01 {
      let middle = (least + most) / 2
      let wide = steps.filter { $0 > middle }.count
      guard min(wide, steps.count - wide) >= 2 else { return false }
    }
    return leastDeviation(distances, least, most) <= error
  }

  /// The largest deviation from the straight line that fits best: half the spread about a line is a
  /// convex function of its slope.
  private func leastDeviation(_ distances: [Double], _ least: Double, _ most: Double) -> Double {
    func deviation(_ slope: Double) -> Double {
      var (low, high) = (Double.infinity, -Double.infinity)
      for (index, distance) in distances.enumerated() {
        let rest = distance - slope * Double(index)
        (low, high) = (min(low, rest), max(high, rest))
      }
      return (high - low) / 2
    }
    var (low, high) = (least, most)
    for _ in 0..<60 {
      let third = (high - low) / 3
      if deviation(low + third) < deviation(high - third) { high -= third } else { low += third }
    }
    return deviation((low + high) / 2)
  }
}
