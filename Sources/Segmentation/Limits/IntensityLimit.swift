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
