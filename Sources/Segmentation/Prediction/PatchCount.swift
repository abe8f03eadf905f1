/// How many patches an image takes.
public enum PatchCount {
  /// - Parameters:
  ///   - shape: z, y, x of the image, after resampling.
  ///   - patch: z, y, x.
  ///   - inference: how patches are laid; each is computed once for each mirroring.
  /// - Returns: the patches that the network computes.
  public static func of(
    shape: [Int], patch: [Int], inference: ModelBundle.Inference
  ) -> Int {
    let grid = PatchGrid(shape: shape, patch: patch, step: inference.step)
    return grid.starts.count << Set(inference.mirrorAxes).count
  }
}
