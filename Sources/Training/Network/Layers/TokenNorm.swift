import Tensors

/// The position embedding and LayerNorm over the channels of each token, epsilon 1e-5 (Ba et al.,
/// 2016). The caller keeps the tokens with their positions, from which the backward pass takes mean
/// and deviation again.
final class TokenNorm {
  private let channels, voxels, batch: Int
  private let weight, bias, position: Range<Int>

  /// - Parameters:
  ///   - prefix: `prefix.weight` and `prefix.bias` are parameters.
  ///   - position: the name of the embedding, [voxels][channels].
  ///   - channels: of each token.
  ///   - voxels: tokens of a sample.
  ///   - plan: where parameters and activations are.
  init(
    _ prefix: String, position: String, channels: Int, voxels: Int, plan: LayerPlan
  ) {
    self.channels = channels
    self.voxels = voxels
    batch = plan.batch
    weight = plan.place("\(prefix).weight")
    bias = plan.place("\(prefix).bias")
    self.position = plan.place(position)
  }

  /// placed = x + position; y = LayerNorm(placed).
  func forward(
    _ x: UnsafePointer<Float>, placed: UnsafeMutablePointer<Float>,
    into y: UnsafeMutablePointer<Float>, _ pass: Pass
  ) {
    let size = voxels * channels
    pass.compute.timed("position and LayerNorm, forward", bytes: 16 * batch * size) {
      pass.compute.layerNorm(
        x, position: pass.values(position), weight: pass.values(weight), bias: pass.values(bias),
        placed: placed, into: y, rows: voxels, samples: batch, channels: channels)
    }
  }

  /// dx += the gradient of `placed`, from dy; sets that of the position embedding, and adds to the
  /// other parameters' gradients.
  func backward(
    _ placed: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
    addedTo dx: UnsafeMutablePointer<Float>, _ pass: Pass
  ) {
    let size = voxels * channels
    pass.compute.timed("position and LayerNorm, gradient", bytes: 20 * batch * size) {
      pass.compute.layerNormGradient(
        placed, dy, weight: pass.values(weight), addedTo: dx, position: pass.gradients(position),
        addingTo: pass.gradients(weight), pass.gradients(bias), rows: voxels, samples: batch,
        channels: channels)
    }
  }
}
