/// What the labels of a volume are for.
public enum SegmentationPurpose: Sendable, Equatable, CaseIterable {
  /// They are written, measured or reported: each patch is seen in all mirrorings that the model asks for.
  case result
  /// They only tell which of several volumes matter, such as the phases of a heartbeat among which the extremes are
  /// looked for: each patch is seen once, as it is.
  case search
}

extension ModelBundle.Inference {
  /// The axes (0, 1, 2 for z, y, x) along which each patch is also seen mirrored.
  public func mirrorAxes(for purpose: SegmentationPurpose) -> [Int] {
    switch purpose {
    case .result: mirrorAxes
    case .search: []
    }
  }

  /// Whether a search takes less work than a result, and its labels may be others.
  public var isSearchedApart: Bool {
    Set(mirrorAxes(for: .search)) != Set(mirrorAxes(for: .result))
  }
}
