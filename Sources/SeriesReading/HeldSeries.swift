import GeometryGate
import Volumes
import Wording

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
  public func onlyVolume() throws(HeldSeries) -> SliceStack { try volume(named: nil) }

  /// The volume that was chosen, or the only one.
  ///
  /// - Parameter name: `SliceStack.name` of the one that was chosen; nil where none was.
  /// - Throws: ``HeldSeries`` where the gate holds the series, where it has several volumes and none was
  ///   chosen, and where none is the chosen one.
  public func volume(named name: String?) throws(HeldSeries) -> SliceStack {
    let volumes = assessment.usableStacks
    guard !volumes.isEmpty else { throw HeldSeries(reasons: assessment.reasons) }
    guard let name else {
      guard volumes.count == 1 else {
        throw HeldSeries(reasons: assessment.reasons + [Self.undecided])
      }
      return volumes[0]
    }
    let chosen = volumes.filter { $0.name == name }
    guard chosen.count == 1 else {
      let what = chosen.isEmpty ? "the series has no volume" : "several volumes of the series are"
      throw HeldSeries(
        reasons: ["\(what) \(name), which was chosen"] + assessment.reasons
          + (volumes.count > 1 ? [Self.undecided] : []))
    }
    return chosen[0]
  }

  /// The volume of a number from 1, in the order in which the gate lists them.
  ///
  /// - Throws: ``HeldSeries`` where the gate holds the series or there is none of this number.
  public func volume(numbered number: Int) throws(HeldSeries) -> SliceStack {
    let volumes = assessment.usableStacks
    guard volumes.indices.contains(number - 1) else {
      let count = counted(volumes.count, "volume")
      throw HeldSeries(
        reasons: (volumes.isEmpty
          ? [] : ["there is no volume \(number): the series has \(count)"])
          + assessment.reasons)
    }
    return volumes[number - 1]
  }

  private static let undecided =
    "nothing says which of its volumes is meant: choose one by --volume NUMBER (segmentd jobs release, "
    + "segmentd run), or by volume: in a rule"
}
