/// Keeps the state of one prediction on disk while it runs, and stops it where that is asked for.
struct PredictionKeeper {
  private let control: SegmentationControl
  private let subject: PredictionSubject?
  private let clock = ContinuousClock()
  private var stored: ContinuousClock.Instant
  /// What the last checkpoint took.
  private var cost = Duration.zero
  /// Patches that the checkpoint on disk holds.
  private var keptPatches = 0

  init(_ control: SegmentationControl, _ subject: PredictionSubject?) {
    self.control = control
    self.subject = control.checkpoints == nil ? nil : subject
    stored = clock.now
  }

  /// The state from which to resume; nil for the beginning.
  ///
  /// - Parameters:
  ///   - patches: how many there are.
  ///   - fits: whether a state is one of this prediction.
  mutating func resumption(of patches: Int, _ fits: (PredictionState) -> Bool) -> PredictionState? {
    guard let checkpoints = control.checkpoints, let subject,
      let state = checkpoints.stored(subject)
    else { return nil }
    guard fits(state) else {
      checkpoints.report(.discarded(reason: "\(checkpoints.file.path): it does not fit"))
      return nil
    }
    keptPatches = state.position.patch
    if !state.isFinished { checkpoints.report(.resumed(patches: keptPatches, of: patches)) }
    return state
  }

  /// Called between two passes: keeps the state where it is time to, or where it has to stop.
  ///
  /// - Parameters:
  ///   - patches: how many there are.
  ///   - state: the state that it is in.
  /// - Throws: `CancellationError`, ``SegmentationInterrupted``
  mutating func passDone(of patches: Int, _ state: () -> PredictionState) throws {
    let isInterrupted = control.interruption?.isRequested == true
    guard isInterrupted || Task.isCancelled || isDue else { return }
    keep(state())
    try Task.checkCancellation()
    if isInterrupted { throw SegmentationInterrupted(keptPatches: keptPatches, patches: patches) }
  }

  /// Called once the last plane has become labels.
  mutating func finished(_ state: () -> PredictionState) {
    if control.checkpoints?.keepsFinished == true { keep(state()) }
  }

  /// No more than a twentieth of the time goes into checkpoints, however large they are.
  private var isDue: Bool {
    guard let interval = control.checkpoints?.interval else { return false }
    return stored.duration(to: clock.now) >= max(interval, cost * 20)
  }

  private mutating func keep(_ state: PredictionState) {
    guard let checkpoints = control.checkpoints, let subject else { return }
    let start = clock.now
    if checkpoints.store(state, subject) { keptPatches = state.position.patch }
    stored = clock.now
    cost = start.duration(to: stored)
  }
}
