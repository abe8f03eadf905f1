import Tensors

/// A 1x1x1 convolution with bias from channels-last features to planar logits
/// ([batch][classes][voxels]).
final class HeadLayer {
  private let weight, bias: Range<Int>
  private let channels, classes, voxels, batch: Int

  init(_ name: String, channels: Int, classes: Int, voxels: Int, plan: LayerPlan) {
    weight = plan.place("\(name).weight")
    bias = plan.place("\(name).bias")
    self.channels = channels
    self.classes = classes
    self.voxels = voxels
    batch = plan.batch
  }

  private static let step = 4096
  private var blocks: Int { (voxels + Self.step - 1) / Self.step }

  private var gradient: HeadWeightGradient {
    HeadWeightGradient(channels: channels, classes: classes, voxels: voxels)
  }

  var scratch: Int { Scratch.size(gradient.scratch) }

  /// Runs `body` for blocks of voxels of every sample.
  private func run(
    _ compute: Compute, _ body: (_ sample: Int, _ first: Int, _ count: Int) -> Void
  ) {
    compute.run(blocks: batch * blocks) { block, _ in
      let (sample, part) = block.quotientAndRemainder(dividingBy: blocks)
      body(sample, part * Self.step, min(Self.step, voxels - part * Self.step))
    }
  }

  func forward(
    _ x: UnsafePointer<Float>, into logits: UnsafeMutablePointer<Float>, _ pass: Pass
  ) {
    let (weights, bias) = (pass.values(weight), pass.values(bias))
    pass.compute.timed("head, forward", multiplyAdds: batch * voxels * channels * classes) {
      forwardBlocks(x, weights, bias, into: logits, pass.compute)
    }
  }

  private func forwardBlocks(
    _ x: UnsafePointer<Float>, _ weights: UnsafePointer<Float>, _ bias: UnsafePointer<Float>,
    into logits: UnsafeMutablePointer<Float>, _ compute: Compute
  ) {
    run(compute) { sample, first, count in
      let target = logits + sample * classes * voxels + first
      for k in 0..<classes { (target + k * voxels).update(repeating: bias[k], count: count) }
      multiply(  // (K x C) · (C x n)
        Matrix(weights, stride: channels),
        Matrix(x + (sample * voxels + first) * channels, stride: channels).transposed,
        into: target, stride: voxels, rows: classes, columns: count, inner: channels, beta: 1)
    }
  }

  /// dx from the gradient of the logits, added to what is there if it `accumulates`; adds to the
  /// parameters' gradients.
  func backward(
    _ x: UnsafePointer<Float>, _ gradient: UnsafePointer<Float>,
    into dx: UnsafeMutablePointer<Float>, accumulates: Bool, scratch: Scratch, _ pass: Pass
  ) {
    var scratch = scratch
    let sums = scratch.take(self.gradient.scratch)
    pass.compute.timed("head, gradient", multiplyAdds: 2 * batch * voxels * channels * classes) {
      for sample in 0..<batch {
        self.gradient(
          x + sample * voxels * channels, gradient: gradient + sample * voxels * classes,
          weights: pass.values(weight), into: dx + sample * voxels * channels,
          accumulates: accumulates, addingTo: pass.gradients(weight), pass.gradients(bias),
          scratch: sums, compute: pass.compute)
      }
    }
  }
}
