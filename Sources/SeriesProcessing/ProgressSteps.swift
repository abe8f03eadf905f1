import Segmentation
import Synchronization

/// Picks about ten reports out of those for every patch, for a log that nobody rewrites.
public final class ProgressSteps: Sendable {
  private let last = Mutex(0)

  public init() {}

  /// Whether this report is the first of a new tenth of the work.
  public func isNew(_ progress: SegmentationProgress) -> Bool {
    let tenth = progress.patchesDone * 10 / max(progress.patchesTotal, 1)
    return last.withLock { last in
      defer { last = max(last, tenth) }
      return tenth > last
    }
  }
}

extension SegmentationProgress {
  /// Patches done, rate and time left, in one line.
  public var line: String {
    let tenths = Int((patchesPerSecond * 10).rounded())
    return
      "\(patchesDone)/\(patchesTotal) patches, \(tenths / 10).\(tenths % 10) patches/s, \(left)"
  }

  private var left: String {
    guard let remaining else { return "time left unknown" }
    let seconds = Int(remaining.components.seconds)
    return seconds < 60 ? "\(seconds) s left" : "\(seconds / 60) min \(seconds % 60) s left"
  }
}
