import Tensors

/// The residual block at full resolution: lrelu(IN(conv2(lrelu(IN(conv1 x)))) + shortcut), with
/// InstanceNorm; the shortcut is x, or IN(conv3 x) with a 1x1x1 convolution where the channels
/// differ. Keeps the outputs of the convolutions; what is between the two is normalised as it is
/// read, and never stored.
final class VolumeResidualBlock {
  private let conv1, conv2: CubeConvolution
  private let norm1, norm2: ChannelNorm
  private let shortcut: Shortcut?
  private let voxels, inputs, outputs, batch: Int
  private let first, second: Slot

  /// The 1x1x1 convolution and InstanceNorm of the shortcut, for each sample.
  private struct Shortcut {
    let weight: Range<Int>
    let samples: [PointwiseShortcut]
  }

  init(_ prefix: String, inputs: Int, outputs: Int, grid: Grid, plan: LayerPlan) {
    conv1 = CubeConvolution(
      "\(prefix).conv1.conv", inputs: inputs, outputs: outputs, grid: grid, plan: plan)
    conv2 = CubeConvolution(
      "\(prefix).conv2.conv", inputs: outputs, outputs: outputs, grid: grid, readsNormalised: true,
      plan: plan)
    norm1 = ChannelNorm(instance: outputs, voxels: grid.voxels, plan: plan)
    norm2 = ChannelNorm(instance: outputs, voxels: grid.voxels, plan: plan)
    shortcut =
      inputs == outputs
      ? nil
      : Shortcut(
        weight: plan.place("\(prefix).conv3.conv.weight"),
        samples: (0..<plan.batch).map { _ in PointwiseShortcut(inputs: inputs, outputs: outputs) })
    voxels = grid.voxels
    (self.inputs, self.outputs, batch) = (inputs, outputs, plan.batch)
    first = plan.keep(plan.batch * grid.voxels * outputs)
    second = plan.keep(plan.batch * grid.voxels * outputs)
  }

  private var rows: Int { batch * voxels }
  private var count: Int { rows * outputs }

  var scratch: Int {
    Scratch.size(count, count, count) + max(conv1.scratch, conv2.scratch)
  }

  /// output = block(x).
  func forward(
    _ x: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>, scratch: Scratch,
    _ pass: Pass
  ) {
    let (first, second) = (pass.arena[first], pass.arena[second])
    conv1.forward(x, into: first, measuredBy: norm1, scratch: scratch, pass)
    conv2.forward(
      first, normalisedBy: norm1, into: second, measuredBy: norm2, scratch: scratch, pass)
    if let shortcut {
      pass.compute.timed("shortcut, statistics", bytes: 4 * batch * voxels * inputs) {
        for (sample, norm) in shortcut.samples.enumerated() {
          norm.measure(
            x + sample * voxels * inputs, rows: voxels, weights: pass.values(shortcut.weight),
            compute: pass.compute)
        }
      }
    }
    join(x, into: output, pass)
  }

  /// Adds to the parameters' gradients.
  /// - Parameters:
  ///   - x: the block's input.
  ///   - output: its output; nil to compute it again.
  ///   - gradient: of the output.
  ///   - dx: becomes the gradient of x, where that is asked for; may be `gradient`. Without it,
  ///     `gradient` is not changed.
  ///   - scratch: memory for values in between.
  ///   - pass: what the forward pass kept.
  func backward(
    _ x: UnsafePointer<Float>, output: UnsafePointer<Float>?,
    gradient: UnsafePointer<Float>, into dx: UnsafeMutablePointer<Float>?, scratch: Scratch,
    _ pass: Pass
  ) {
    var scratch = scratch
    let (first, second) = (pass.arena[first], pass.arena[second])
    // The gradient before the last LeakyReLU, then of the second convolution's input.
    let sum = scratch.take(count)
    let convolved = scratch.take(count)  // of the second convolution's output
    let hidden = scratch.take(count)
    var result = output
    if result == nil {
      join(x, into: hidden, pass)
      result = UnsafePointer(hidden)
    }
    // What the shortcut gets: where it is the input, a part of dx.
    let before = shortcut == nil ? dx ?? sum : sum
    norm2.backward(second, gradient, output: result, before: before, into: convolved, pass)
    backwardShortcut(x, sum, pass)
    conv2.backwardWeights(first, normalisedBy: norm1, convolved, scratch: scratch, pass)
    conv2.backwardInput(convolved, into: sum, scratch: scratch, pass)
    norm1.backward(first, sum, activated: true, into: sum, pass)
    conv1.backwardWeights(x, sum, scratch: scratch, pass)
    guard let dx, shortcut == nil else { return }
    conv1.backwardInput(sum, plus: dx, into: dx, scratch: scratch, pass)
  }

  /// The block's output, from what the convolutions left.
  private func join(
    _ x: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>, _ pass: Pass
  ) {
    let second = pass.arena[second]
    guard let shortcut else {
      return norm2.apply(second, plus: x, activated: true, into: output, pass)
    }
    pass.compute.timed("normalisation, forward", bytes: 8 * count) {
      for (sample, norm) in shortcut.samples.enumerated() {
        let first = sample * voxels * outputs
        norm.activate(
          second + first, normalisedBy: norm2.norm(of: sample), plus: x + sample * voxels * inputs,
          into: output + first, rows: voxels, compute: pass.compute)
      }
    }
  }

  /// The gradient of the shortcut's weights.
  private func backwardShortcut(
    _ x: UnsafePointer<Float>, _ gradient: UnsafePointer<Float>, _ pass: Pass
  ) {
    guard let shortcut else { return }
    pass.compute.timed("shortcut, gradient", bytes: 4 * count) {
      for (sample, norm) in shortcut.samples.enumerated() {
        norm.gradient(
          x + sample * voxels * inputs, gradient + sample * voxels * outputs, rows: voxels,
          weights: pass.values(shortcut.weight), addedTo: pass.gradients(shortcut.weight),
          compute: pass.compute)
      }
    }
  }
}
