import Tensors

/// Tiled prediction: the network on overlapping patches, each seen in several mirrorings, merged
/// by weighted means.
///
/// ```swift
/// let window = SlidingWindow(
///   patch: [64, 128, 128], channels: 1, classes: 14, step: 0.5, mirrorAxes: [])
/// try window.forEachPlane(image, shape: [148, 512, 512], forward: network) { done, total in
/// } planeDone: { probabilities in  // K, y, x of the next z
/// }
/// ```
struct SlidingWindow {
  /// Channels of a patch (C, D, H, W) to logits of each class (K, D, H, W).
  typealias Forward = (UnsafeBufferPointer<Float>, UnsafeMutableBufferPointer<Float>) throws -> Void

  let patch: [Int]
  let channels: Int
  let classes: Int
  /// Distance of patches as a part of their size.
  let step: Double
  /// The axes (0, 1, 2 for z, y, x) along which each patch is also seen mirrored.
  let mirrorAxes: [Int]
  /// Of the sums of probabilities; nil for the fastest of this machine.
  var instructionSet: InstructionSet?

  /// All combinations of mirrored axes, none first: bit 0 is x, bit 1 y, bit 2 z.
  var mirrorings: [Int] {
    let allowed = mirrorAxes.reduce(0) { $0 | 4 >> $1 }
    return (0..<8).filter { $0 & ~allowed == 0 }
  }
}
