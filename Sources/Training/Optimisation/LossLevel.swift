/// The network's answer at one resolution, and where the gradient with respect to it is written.
public struct LossLevel {
  /// Voxels along z, y, x; divides that of the labels.
  public let shape: [Int]
  /// Sample, class, z, y, x.
  public let logits: UnsafePointer<Float>
  /// As `logits`.
  public let gradient: UnsafeMutablePointer<Float>

  public init(
    shape: [Int], logits: UnsafePointer<Float>, gradient: UnsafeMutablePointer<Float>
  ) {
    self.shape = shape
    self.logits = logits
    self.gradient = gradient
  }
}
