import Volumes

/// The labels of a network's input on the source's voxels.
///
/// - Parameters:
///   - image: the input.
///   - window: how patches are laid.
///   - throughPlane: between planes.
///   - times: receives the time of each stage.
///   - probabilities: receives the probabilities; no state is kept on disk then.
///   - keeper: keeps the state on disk, and stops the prediction where that is asked for.
///   - progress: called after each patch.
///   - forward: runs the network on a patch.
func predictedLabels(
  _ image: PreprocessedImage, _ window: SlidingWindow, _ throughPlane: ThroughPlaneInterpolation,
  _ times: StageTimes, probabilities: ModelProbabilities? = nil,
  keeper: PredictionKeeper = PredictionKeeper(SegmentationControl(), nil),
  progress: (SegmentationProgress) -> Void, forward: SlidingWindow.Forward
) throws -> LabelVolume {
  var (assembly, keeper) = (
    LabelAssembly(
      image.plan, classes: window.classes, throughPlane: throughPlane,
      keepsProbabilities: probabilities != nil), keeper
  )
  let clock = ContinuousClock()
  let start = clock.now
  let patches = PatchGrid(shape: image.shape, patch: window.patch, step: window.step).starts.count
  let resumed = keeper.resumption(of: patches) {
    window.accepts($0, shape: image.shape) && assembly.accepts($0.assembly)
  }
  let patchesBefore = resumed?.position.patch ?? 0
  if let resumed { assembly.restore(resumed.assembly) }
  if resumed?.isFinished == true { return assembly.finish() }
  /// What is neither the network nor the labels.
  var merging = Duration.zero
  func timed<Result>(_ stage: Stage, _ body: () throws -> Result) rethrows -> Result {
    let before = clock.now
    defer {
      let time = before.duration(to: clock.now)
      merging -= time
      times.add(time, to: stage)
    }
    return try body()
  }
  func network(
    _ input: UnsafeBufferPointer<Float>, _ logits: UnsafeMutableBufferPointer<Float>
  ) throws {
    try timed(.network) { try forward(input, logits) }
  }
  try window.forEachPlane(
    image.values, shape: image.shape, from: resumed, forward: network
  ) { done, total in
    progress(
      SegmentationProgress(
        patchesDone: done, patchesTotal: total, elapsed: clock.now - start,
        patchesBefore: patchesBefore))
  } passDone: { position, planes in
    try keeper.passDone(of: patches) {
      PredictionState(
        position: position, isFinished: false, planes: planes.state, assembly: assembly.state)
    }
  } planeDone: {
    let plane = $0
    timed(.labels) { assembly.add(plane) }
  }
  keeper.finished {
    PredictionState(
      position: .init(patch: patches), isFinished: true, planes: .init(done: 0, sums: []),
      assembly: assembly.finishedState)
  }
  times.add(merging + start.duration(to: clock.now), to: .merging)
  probabilities?.put(assembly.probabilities)
  return assembly.finish()
}

extension SlidingWindow {
  /// Whether a state can be one of this window on an image.
  fileprivate func accepts(_ state: PredictionState, shape: [Int]) -> Bool {
    let grid = PatchGrid(shape: shape, patch: patch, step: step)
    let position = state.position
    guard (0...grid.starts.count).contains(position.patch), position.pass >= 0,
      position.pass < (position.patch == grid.starts.count ? 1 : mirrorings.count)
    else { return false }
    if state.isFinished { return state.planes.sums.isEmpty }
    return state.planes.done == state.assembly.planesSeen
      && (0...shape[0]).contains(state.planes.done)
      && state.planes.sums.count
        == PlaneAccumulator.floatCount(grid, shape: shape, classes: classes)
  }
}
