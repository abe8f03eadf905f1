extension SlidingWindow {
  /// Computes the probability of each class at each voxel, and hands each plane of the image over
  /// as soon as no further patch reaches it: only the planes of one layer of patches are held.
  ///
  /// - Parameters:
  ///   - image: C, z, y, x.
  ///   - shape: z, y, x of the image.
  ///   - forward: runs the network on a patch.
  ///   - patchDone: called after each patch with the number done and that of all.
  ///   - planeDone: called for each z in ascending order with the probabilities (K, y, x).
  func forEachPlane(
    _ image: [Float], shape: [Int], forward: Forward, patchDone: (Int, Int) throws -> Void,
    planeDone: (UnsafeBufferPointer<Float>) throws -> Void
  ) throws {
    let grid = PatchGrid(shape: shape, patch: patch, step: step)
    var prediction = PatchPrediction(self)
    var planes = PlaneAccumulator(grid, shape: shape, classes: classes)
    let share = 1 / Float(mirrorings.count)
    for (index, start) in grid.starts.enumerated() {
      try planes.finish(before: start[0], planeDone)
      let place = zip(start, grid.before).map { $0 - $1 }
      try prediction.predict(image, shape: shape, at: place, forward: forward) {
        logits, mirroring in
        planes.add(logits, mirroring: mirroring, share: share, at: start)
      }
      try patchDone(index + 1, grid.starts.count)
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
