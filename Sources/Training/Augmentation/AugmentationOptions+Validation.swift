/// A value of the augmentation with which nothing can be drawn.
public struct AugmentationError: Error, Sendable, Equatable, CustomStringConvertible {
  /// As `rotation.degrees`.
  public var key: String
  public var value: String
  public var reason: String

  public var description: String { "augmentation.\(key) is \(value): \(reason)" }
}

extension AugmentationOptions {
  /// Checks every probability, range and axis.
  ///
  /// - Throws: ``AugmentationError`` naming the first that cannot be.
  public func validate() throws(AugmentationError) {
    try validateProbabilities()
    try validateAmounts()
    try validateAxes()
    guard mirror.count == 3 else {
      throw AugmentationError(
        key: "mirror", value: "\(mirror)", reason: "must be three numbers, for z, y, x")
    }
  }

  private func validateProbabilities() throws(AugmentationError) {
    let probabilities: [(String, Double?)] = [
      ("foreground", foreground), ("unchanged", unchanged),
      ("rotation.probability", rotation?.probability),
      ("scaling.probability", scaling?.probability),
      ("deformation.probability", deformation?.probability),
      ("beyond.probability", beyond?.probability),
      ("thinning.probability", thinning?.probability),
      ("sliceShift.probability", sliceShift?.probability),
      ("sliceBrightness.probability", sliceBrightness?.probability),
      ("noise.probability", noise?.probability), ("blur.probability", blur?.probability),
      ("resolution.probability", resolution?.probability),
      ("field.probability", field?.probability),
      ("brightness.probability", brightness?.probability),
      ("contrast.probability", contrast?.probability),
      ("invertedGamma.probability", invertedGamma?.probability),
      ("gamma.probability", gamma?.probability),
    ]
    for (key, value) in probabilities + mirror.map({ ("mirror", $0) }) {
      guard let value, !(0...1).contains(value) else { continue }
      throw AugmentationError(key: key, value: "\(value)", reason: "must be from 0 to 1")
    }
  }

  private func validateAmounts() throws(AugmentationError) {
    let limits: [(String, ClosedRange<Double>?, ClosedRange<Double>)] = [
      ("beyondEnds", beyondEnds...beyondEnds, 0...1),
      ("rotation.degrees", rotation.map { $0.degrees...$0.degrees }, 0...180),
      ("rotation.tilt", rotation.map { $0.tilt...$0.tilt }, 0...180),
      ("scaling.factor", scaling?.factor, 0.1...10),
      ("scaling.stretch", scaling?.stretch, 0.1...10),
      ("scaling.alongZ", scaling?.alongZ, 0.1...10),
      ("deformation.deviation", deformation?.deviation, 0...1000),
      (
        "deformation.spacing", deformation.map { Double($0.spacing)...Double($0.spacing) }, 2...1000
      ),
      ("beyond.slices", beyond.map { Double($0.slices)...Double($0.slices) }, 0...100),
      ("sliceShift.deviation", sliceShift.map { $0.deviation...$0.deviation }, 0...1000),
      ("sliceBrightness.deviation", sliceBrightness.map { $0.deviation...$0.deviation }, 0...10),
      ("noise.deviation", noise?.deviation, 0...100), ("blur.sigma", blur?.sigma, 0...20),
      ("resolution.factor", resolution?.factor, 0.01...1),
      ("field.strength", field?.strength, 0...10),
      ("brightness.factor", brightness?.factor, 0...100),
      ("brightness.offset", brightness.map { $0.offset...$0.offset }, 0...100),
      ("contrast.factor", contrast?.factor, 0...100),
      ("invertedGamma.exponent", invertedGamma?.exponent, 0.01...100),
      ("gamma.exponent", gamma?.exponent, 0.01...100),
    ]
    for (key, value, limit) in limits {
      guard let value, value.lowerBound < limit.lowerBound || value.upperBound > limit.upperBound
      else { continue }
      let isOne = value.lowerBound == value.upperBound
      throw AugmentationError(
        key: key, value: isOne ? "\(value.lowerBound)" : "\(value)",
        reason: "must be from \(limit.lowerBound) to \(limit.upperBound)")
    }
  }

  private func validateAxes() throws(AugmentationError) {
    for (key, axes) in [("blur.axes", blur?.axes), ("resolution.axes", resolution?.axes)] {
      guard let axes, axes.contains(where: { !(0...2).contains($0) }) else { continue }
      throw AugmentationError(key: key, value: "\(axes)", reason: "0 is z, 1 is y, 2 is x")
    }
  }
}
