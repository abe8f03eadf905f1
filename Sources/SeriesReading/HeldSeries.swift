import GeometryGate
import Volumes

/// A series whose geometry was not accepted.
public struct HeldSeries: Error, Sendable {
  /// Without patient data.
  public var reasons: [String]

  public init(reasons: [String]) { self.reasons = reasons }
}

extension SourceSeries {
  /// The one volume of the series.
  ///
  /// - Throws: ``HeldSeries`` where the gate holds the series or splits it into several volumes.
  public func onlyVolume() throws(HeldSeries) -> SliceStack {
    let volumes = assessment.usableStacks
    guard volumes.count == 1 else { throw HeldSeries(reasons: assessment.reasons) }
    return volumes[0]
  }
}
