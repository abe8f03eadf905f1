import Synchronization
import Volumes

/// Receives the network's probabilities while a volume is segmented: the averaged softmax, on the voxels of the
/// labels. What the bundle's post-processing removes of the labels is still in them.
///
/// A prediction whose probabilities are wanted keeps no checkpoint: it begins anew after an interruption.
public final class ModelProbabilities: Sendable {
  private let kept = Mutex<ProbabilityVolume?>(nil)

  public init() {}

  /// What there is, which is given away; nil before the prediction has ended.
  public func take() -> ProbabilityVolume? {
    kept.withLock { kept in
      defer { kept = nil }
      return kept
    }
  }

  func put(_ probabilities: ProbabilityVolume?) { kept.withLock { $0 = probabilities } }
}
