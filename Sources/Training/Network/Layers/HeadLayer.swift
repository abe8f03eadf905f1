import Tensors

/// A 1x1x1 convolution with bias from channels-last features to planar logits
/// ([batch][classes][voxels]).
final class HeadLayer {
  private let weight, bias: Range<Int>
  private let channels, classes, voxels, batch: Int
  private var head: Head?

  init(_ name: String, channels: Int, classes: Int, voxels: Int, plan: LayerPlan) {
    weight = plan.place("\(name).weight")
    bias = plan.place("\(name).bias")
    self.channels = channels
    self.classes = classes
    self.voxels = voxels
    batch = plan.batch
  }

  private var gradient: HeadWeightGradient {
    HeadWeightGradient(channels: channels, classes: classes, voxels: voxels)
  }

  var scratch: Int { Scratch.size(gradient.scratch) }

  func forward(
    _ x: UnsafePointer<Float>, into logits: UnsafeMutablePointer<Float>, _ pass: Pass
  ) {
    let head =
      head
      ?? Head(
        weights: Array(repeating: 0, count: classes * channels),
        bias: Array(repeating: 0, count: classes), channels: channels, classes: classes)
    self.head = head
    head.load(weights: pass.values(weight), bias: pass.values(bias))
    pass.compute.timed("head, forward", multiplyAdds: batch * voxels * channels * classes) {
      for sample in 0..<batch {
        head(
          x + sample * voxels * channels, voxels: voxels, into: logits + sample * voxels * classes,
          compute: pass.compute)
      }
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
