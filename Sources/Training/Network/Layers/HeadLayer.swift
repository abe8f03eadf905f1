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

  var scratch: Int { Scratch.size(batch * blocks * classes * (channels + 1)) }

  /// Runs `body` for blocks of voxels of every sample.
  private func run(
    _ compute: Compute, _ body: (_ block: Int, _ sample: Int, _ first: Int, _ count: Int) -> Void
  ) {
    compute.run(blocks: batch * blocks) { block, _ in
      let (sample, part) = block.quotientAndRemainder(dividingBy: blocks)
      body(block, sample, part * Self.step, min(Self.step, voxels - part * Self.step))
    }
  }

  func forward(
    _ x: UnsafePointer<Float>, into logits: UnsafeMutablePointer<Float>, _ pass: Pass
  ) {
    let (weights, bias) = (pass.values(weight), pass.values(bias))
    run(pass.compute) { _, sample, first, count in
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
    let size = classes * (channels + 1)
    let sums = scratch.take(batch * blocks * size)  // weights, then bias
    let weights = pass.values(weight)
    run(pass.compute) { block, sample, first, count in
      let source = gradient + sample * classes * voxels + first
      let place = (sample * voxels + first) * channels
      let logits = Matrix(source, stride: voxels)  // K x n
      multiply(  // (n x K) · (K x C)
        logits.transposed, Matrix(weights, stride: channels), into: dx + place, stride: channels,
        rows: count, columns: channels, inner: classes, beta: accumulates ? 1 : 0)
      let sum = sums + block * size
      multiply(  // (K x n) · (n x C)
        logits, Matrix(x + place, stride: channels), into: sum, stride: channels, rows: classes,
        columns: channels, inner: count)
      for k in 0..<classes {
        var total = 0.0
        let line = source + k * voxels
        for i in 0..<count { total += Double(line[i]) }
        sum[classes * channels + k] = Float(total)
      }
    }
    let compute = pass.compute
    compute.add(
      sums: sums, blocks: batch * blocks, size: classes * channels, stride: size,
      to: pass.gradients(weight))
    compute.add(
      sums: sums + classes * channels, blocks: batch * blocks, size: classes, stride: size,
      to: pass.gradients(bias))
  }
}
