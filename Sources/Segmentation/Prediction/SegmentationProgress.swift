/// How far a segmentation has come.
public struct SegmentationProgress: Sendable, Equatable {
  public var patchesDone: Int
  public var patchesTotal: Int
  /// Since the first patch began, or the segmentation resumed.
  public var elapsed: Duration
  /// Patches that an earlier attempt has done.
  public var patchesBefore: Int

  public init(
    patchesDone: Int, patchesTotal: Int, elapsed: Duration, patchesBefore: Int = 0
  ) {
    self.patchesDone = patchesDone
    self.patchesTotal = patchesTotal
    self.elapsed = elapsed
    self.patchesBefore = patchesBefore
  }

  public var patchesPerSecond: Double {
    let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
    return seconds > 0 ? Double(patchesDone - patchesBefore) / seconds : 0
  }

  /// The time the other patches will take at the same rate; nil before the first is done.
  public var remaining: Duration? {
    guard patchesDone > patchesBefore else { return nil }
    return elapsed * (Double(patchesTotal - patchesDone) / Double(patchesDone - patchesBefore))
  }
}
