import Synchronization

/// Asks a segmentation to stop after the pass of the network in hand; made for one attempt.
public final class Interruption: Sendable {
  private let isMade = Atomic(false)

  public init() {}

  public var isRequested: Bool { isMade.load(ordering: .relaxed) }

  public func request() { isMade.store(true, ordering: .relaxed) }
}

/// A segmentation that stopped because it was asked to.
public struct SegmentationInterrupted: Error, Sendable, Equatable, CustomStringConvertible {
  /// Patches that need not be computed again, because a checkpoint on disk holds their sums.
  public var keptPatches: Int
  /// Of the volume in hand; 0 before its first patch.
  public var patches: Int

  public init(keptPatches: Int, patches: Int) {
    self.keptPatches = keptPatches
    self.patches = patches
  }

  public var description: String {
    patches == 0
      ? "before the first patch"
      : "\(keptPatches) of \(patches) patches are kept in a checkpoint"
  }
}

/// What can stop a segmentation before its end, and where its state is kept, so that another attempt
/// resumes from there.
///
/// ```swift
/// let control = SegmentationControl(
///   interruption: interruption,
///   checkpoints: PredictionCheckpoints(folder: folder, fingerprint: fingerprint, program: "7"))
/// let labels = try await segmenter.segment([volume], control: control)
/// ```
public struct SegmentationControl: Sendable {
  public var interruption: Interruption?
  public var checkpoints: PredictionCheckpoints?

  public init(
    interruption: Interruption? = nil, checkpoints: PredictionCheckpoints? = nil
  ) {
    self.interruption = interruption
    self.checkpoints = checkpoints
  }

  /// The same for one of several volumes of an input, whose labels are kept once they are known.
  public func volume(named name: String) -> SegmentationControl {
    var control = self
    control.checkpoints?.volume = name
    control.checkpoints?.keepsFinished = true
    return control
  }

  /// Before anything of a volume is computed.
  ///
  /// - Throws: `CancellationError`, ``SegmentationInterrupted``
  func checkBefore() throws {
    try Task.checkCancellation()
    if interruption?.isRequested == true {
      throw SegmentationInterrupted(keptPatches: 0, patches: 0)
    }
  }
}
