/// What a cavity does in one heartbeat.
public struct CardiacFunction: Sendable, Equatable, Codable {
  /// The label's name.
  public var cavity: String
  /// In ml.
  public var endDiastolicVolume: Double
  public var endSystolicVolume: Double

  public init(cavity: String, endDiastolicVolume: Double, endSystolicVolume: Double) {
    self.cavity = cavity
    self.endDiastolicVolume = endDiastolicVolume
    self.endSystolicVolume = endSystolicVolume
  }

  /// In ml.
  public var strokeVolume: Double { endDiastolicVolume - endSystolicVolume }
  /// Stroke volume as a part of the end-diastolic volume; nil where that is 0.
  public var ejectionFraction: Double? {
    endDiastolicVolume > 0 ? strokeVolume / endDiastolicVolume : nil
  }
}

extension CardiacFunction {
  /// The volumes of a result are not always those by which its phases were chosen (``SegmentationPurpose``).
  ///
  /// - Throws: ``CardiacCycleError/noContraction(endDiastolic:endSystolic:)``
  public func checkContraction() throws(CardiacCycleError) {
    try CardiacCycle.checkContraction(from: endDiastolicVolume, to: endSystolicVolume)
  }

  /// - Returns: what is unusual about the ejection fraction; nil where it is as in training.
  /// - Throws: ``CardiacCycleError/implausibleFraction(cavity:found:accepted:)``
  public func check(_ limit: EjectionFractionLimit) throws(CardiacCycleError) -> ModelWarning? {
    let found = ejectionFraction ?? 0
    guard limit.accepted[0] <= found, found <= limit.accepted[1] else {
      throw .implausibleFraction(cavity: cavity, found: found, accepted: limit.accepted)
    }
    return limit.usual[0] <= found && found <= limit.usual[1]
      ? nil : .ejectionFraction(cavity: cavity, found: found, usual: limit.usual)
  }
}

/// The mass of the left ventricle's myocardium.
public struct MyocardialMass: Sendable, Equatable, Codable {
  /// Density in g/ml (Schulz-Menger et al., J Cardiovasc Magn Reson 22:19, 2020, section on left
  /// ventricular volumes).
  public static let density = 1.05

  /// The label's name.
  public var structure: String
  /// Volume at end-diastole in ml.
  public var endDiastolicVolume: Double

  public init(structure: String, endDiastolicVolume: Double) {
    self.structure = structure
    self.endDiastolicVolume = endDiastolicVolume
  }

  public var grams: Double { endDiastolicVolume * Self.density }
}
