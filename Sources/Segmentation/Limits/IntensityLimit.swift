import Volumes

/// The range in which a statistic of the intensities must be for the model to apply.
public struct IntensityLimit: Sendable, Equatable, Codable {
  public var statistic: IntensityStatistic
  /// The channel it is measured on.
  public var channel: Int
  /// As in training; beyond it the result carries a warning.
  public var usual: [Double]
  /// Beyond it the input is refused.
  public var accepted: [Double]

  public init(
    statistic: IntensityStatistic, channel: Int = 0, usual: [Double], accepted: [Double]
  ) {
    self.statistic = statistic
    self.channel = channel
    self.usual = usual
    self.accepted = accepted
  }

  init(_ node: BundleNode, channels: Int) throws(ModelBundleError) {
    let node = try node.allowing(["statistic", "channel", "usual", "accepted"])
    let name = try node.required("statistic")
    guard let statistic = IntensityStatistic(rawValue: try name.text()) else {
      let known = IntensityStatistic.allCases.map(\.rawValue).joined(separator: ", ")
      throw name.invalid("is none of \(known)")
    }
    self.statistic = statistic
    channel = try node.optional("channel")?.integer(in: 0...max(0, channels - 1)) ?? 0
    usual = try node.required("usual").range()
    accepted = try node.required("accepted").range()
    guard accepted[0] <= usual[0], usual[1] <= accepted[1] else {
      throw node.invalid("accepts less than is usual")
    }
  }
}

extension BundleNode {
  /// Two numbers, the smaller first.
  func range() throws(ModelBundleError) -> [Double] {
    var values: [Double] = []
    for item in try items() { values.append(try item.number()) }
    guard values.count == 2, values[0] <= values[1] else {
      throw invalid("is not two numbers, the smaller first")
    }
    return values
  }
}

extension InputLimits {
  /// Checks the intensities of channels.
  ///
  /// - Parameter reorientation: to the model's orientation.
  /// - Returns: what is unusual and yet accepted.
  /// - Throws: `InputRefusal` where a statistic is outside the accepted range.
  func check(
    intensitiesOf channels: [Volume], _ reorientation: Reorientation
  ) throws(InputRefusal) -> [ModelWarning] {
    var warnings: [ModelWarning] = []
    for (index, channel) in channels.enumerated() {
      let limits = intensity.filter { $0.channel == index }
      guard !limits.isEmpty else { continue }
      let figures = IntensityFigures(reorientation.apply(channel))
      for limit in limits {
        let found = figures.value(limit.statistic, pattern: pattern)
        guard found >= limit.accepted[0], found <= limit.accepted[1] else {
          throw .intensity(
            channel: index, statistic: limit.statistic, found: found, min: limit.accepted[0],
            max: limit.accepted[1])
        }
        if found < limit.usual[0] || found > limit.usual[1] {
          warnings.append(
            .intensity(statistic: limit.statistic, found: found, usual: limit.usual))
        }
      }
    }
    return warnings
  }
}
