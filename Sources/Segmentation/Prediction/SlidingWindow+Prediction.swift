extension SlidingWindow {
  /// Computes the probability of each class at each voxel, and hands each plane of the image over
  /// as soon as no further patch reaches it: only the planes of one layer of patches are held.
  ///
  /// - Parameters:
  ///   - image: C, z, y, x.
  ///   - shape: z, y, x of the image.
  ///   - state: from which to resume; nil for the beginning.
  ///   - forward: runs the network on a patch.
  ///   - patchDone: called after each patch with the number done and that of all.
  ///   - passDone: called after each pass of the network with the next one, and the sums so far.
  ///   - planeDone: called for each z in ascending order with the probabilities (K, y, x).
  func forEachPlane(
    _ image: [Float], shape: [Int], from state: PredictionState? = nil, forward: Forward,
    patchDone: (Int, Int) throws -> Void,
    passDone: (Position, borrowing PlaneAccumulator) throws -> Void = { _, _ in },
    planeDone: (UnsafeBufferPointer<Float>) throws -> Void
  ) throws {
    let grid = PatchGrid(shape: shape, patch: patch, step: step)
    var prediction = PatchPrediction(self)
    var planes = PlaneAccumulator(
      grid, shape: shape, classes: classes, state: state?.planes, instructionSet: instructionSet)
    let share = 1 / Float(mirrorings.count)
    let first = state?.position ?? Position()
    for (index, start) in grid.starts.enumerated().dropFirst(first.patch) {
      try planes.finish(before: start[0], planeDone)
      let place = zip(start, grid.before).map { $0 - $1 }
      try prediction.predict(
        image, shape: shape, at: place, from: index == first.patch ? first.pass : 0,
        forward: forward
      ) { logits, mirroring in
        planes.add(logits, mirroring: mirroring, share: share, at: start)
      } passDone: { pass in
        try passDone(Position(patch: index, pass: pass), planes)
      }
      try patchDone(index + 1, grid.starts.count)
      try passDone(Position(patch: index + 1), planes)
    }
    try planes.finish(before: grid.padded[0], planeDone)
  }

  /// The bytes that `forEachPlane` holds in addition to the image and the network.
  func scratchBytes(shape: [Int]) -> Int {
    let grid = PatchGrid(shape: shape, patch: patch, step: step)
    let size = patch.reduce(1, *)
    let planes = PlaneAccumulator.floatCount(grid, shape: shape, classes: classes)
    return 4 * (planes + PatchPrediction.floatCount(self) + (grid.starts.count > 1 ? size : 0))
  }
}
