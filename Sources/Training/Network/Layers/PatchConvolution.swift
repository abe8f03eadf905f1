import Tensors

/// A convolution whose kernel equals its stride, without bias: each output voxel is the product of
/// one patch with the weights. Each layer packs its weights anew for each pass.
final class StridedConvolution {
  private let weight: Range<Int>  // [output][input][taps]
  private let kernel, grid: Grid
  private let inputs, outputs, batch, threads: Int
  private let isPlanar: Bool
  private let weightGradient: PatchWeightGradient
  private var forwardLayer: Downsampling?
  private var backwardLayer: Upsampling?

  /// - Parameters:
  ///   - name: `name.weight` is the parameter.
  ///   - kernel: its size, which is its stride too.
  ///   - inputs: channels of the input.
  ///   - outputs: channels of the output.
  ///   - grid: of the output.
  ///   - planarInput: whether the input is the network's own.
  ///   - plan: where the parameters are.
  init(
    _ name: String, kernel: Grid, inputs: Int, outputs: Int, grid: Grid, planarInput: Bool,
    plan: LayerPlan
  ) {
    weight = plan.place("\(name).weight")
    (self.kernel, self.grid) = (kernel, grid)
    (self.inputs, self.outputs) = (inputs, outputs)
    (batch, threads) = (plan.batch, plan.threads)
    isPlanar = planarInput
    weightGradient = PatchWeightGradient(
      kernel: kernel, coarse: grid, coarseChannels: outputs, fineChannels: inputs,
      isPlanar: planarInput, samples: plan.batch)
  }

  var scratch: Int {
    max(
      Scratch.size(threads * grid.linesAtOnce * grid.width * kernel.voxels * inputs),
      Scratch.size(weightGradient.scratch))
  }

  private var fine: Int { grid.voxels * kernel.voxels * inputs }
  private var coarse: Int { grid.voxels * outputs }
  private var multiplyAdds: Int { batch * fine * outputs }

  /// y (channels-last) = convolution of x.
  func forward(
    _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, scratch: Scratch, _ pass: Pass
  ) {
    var scratch = scratch
    let compute = pass.compute
    let memory = scratch.take(
      threads * grid.linesAtOnce * grid.width * kernel.voxels * inputs)
    let layer =
      forwardLayer
      ?? Downsampling(
        kernel: kernel, inputChannels: inputs, outputChannels: outputs, planarInput: isPlanar,
        compute: compute)
    forwardLayer = layer
    compute.timed("strided convolution, forward", multiplyAdds: multiplyAdds) {
      layer.load(weights: pass.values(weight), compute: compute)
      // Channels-last (or of one channel) the batch is one deep volume: patches do not overlap.
      let samples = isPlanar && inputs > 1 ? 1 : batch
      for sample in stride(from: 0, to: batch, by: samples) {
        layer(
          x + sample * fine,
          into: Activation(
            y + sample * coarse, grid.stacked(samples), channels: outputs),
          lines: grid.linesAtOnce, scratch: memory, compute: compute)
      }
    }
  }

  /// dx += the gradient of the input, where that is asked for (channels-last); adds to the weights'
  /// gradient.
  func backward(
    _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
    addedTo dx: UnsafeMutablePointer<Float>?, scratch: Scratch, _ pass: Pass
  ) {
    var scratch = scratch
    let compute = pass.compute
    let memory = scratch.take(weightGradient.scratch)
    compute.timed("strided convolution, weight gradient", multiplyAdds: multiplyAdds) {
      weightGradient(
        coarse: dy, fine: x, addedTo: pass.gradients(weight), scratch: memory, compute: compute)
    }
    guard let dx else { return }
    let layer =
      backwardLayer
      ?? Upsampling(
        kernel: kernel, inputChannels: outputs, outputChannels: inputs, compute: compute)
    backwardLayer = layer
    compute.timed("strided convolution, input gradient", multiplyAdds: multiplyAdds) {
      layer.load(weights: pass.values(weight), compute: compute)
      let coarse = grid.stacked(batch)
      layer(
        Activation(UnsafeMutablePointer(mutating: dy), coarse, channels: outputs),
        into: Activation(dx, coarse * kernel, channels: inputs), compute: compute
      ) { _, _, _ in }
    }
  }
}

/// A transposed convolution whose kernel equals its stride, without bias: each input voxel makes one
/// patch of the output. Each layer packs its weights anew for each pass.
final class TransposedConvolution {
  private let weight: Range<Int>  // [input][output][taps]
  private let kernel, grid: Grid
  private let inputs, outputs, batch, threads: Int
  private let weightGradient: PatchWeightGradient
  private var forwardLayer: Upsampling?
  private var backwardLayer: Downsampling?

  /// - Parameters:
  ///   - name: `name.weight` is the parameter.
  ///   - kernel: its size, which is its stride too.
  ///   - inputs: channels of the input.
  ///   - outputs: channels of the output.
  ///   - grid: of the input.
  ///   - plan: where the parameters are.
  init(_ name: String, kernel: Grid, inputs: Int, outputs: Int, grid: Grid, plan: LayerPlan) {
    weight = plan.place("\(name).weight")
    (self.kernel, self.grid) = (kernel, grid)
    (self.inputs, self.outputs) = (inputs, outputs)
    (batch, threads) = (plan.batch, plan.threads)
    weightGradient = PatchWeightGradient(
      kernel: kernel, coarse: grid, coarseChannels: inputs, fineChannels: outputs,
      samples: plan.batch)
  }

  var scratch: Int {
    max(
      Scratch.size(threads * grid.linesAtOnce * grid.width * kernel.voxels * outputs),
      Scratch.size(weightGradient.scratch))
  }

  private var fine: Int { grid.voxels * kernel.voxels * outputs }
  private var coarse: Int { grid.voxels * inputs }
  private var multiplyAdds: Int { batch * fine * inputs }

  /// y += transposed convolution of x; y holds the skip connection.
  func forward(
    _ x: UnsafePointer<Float>, addedTo y: UnsafeMutablePointer<Float>, _ pass: Pass
  ) {
    let compute = pass.compute
    let layer =
      forwardLayer
      ?? Upsampling(
        kernel: kernel, inputChannels: inputs, outputChannels: outputs, compute: compute)
    forwardLayer = layer
    compute.timed("transposed convolution, forward", multiplyAdds: multiplyAdds) {
      layer.load(weights: pass.values(weight), compute: compute)
      let coarse = grid.stacked(batch)
      layer(
        Activation(UnsafeMutablePointer(mutating: x), coarse, channels: inputs),
        into: Activation(y, coarse * kernel, channels: outputs), compute: compute
      ) { _, _, _ in }
    }
  }

  /// dx from dy; adds to the weights' gradient.
  func backward(
    _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, into dx: UnsafeMutablePointer<Float>,
    scratch: Scratch, _ pass: Pass
  ) {
    var memory = scratch
    let compute = pass.compute
    let sums = memory.take(weightGradient.scratch)
    compute.timed("transposed convolution, weight gradient", multiplyAdds: multiplyAdds) {
      weightGradient(
        coarse: x, fine: dy, addedTo: pass.gradients(weight), scratch: sums, compute: compute)
    }
    var patches = scratch
    let workers = patches.take(
      threads * grid.linesAtOnce * grid.width * kernel.voxels * outputs)
    let layer =
      backwardLayer
      ?? Downsampling(
        kernel: kernel, inputChannels: outputs, outputChannels: inputs, planarInput: false,
        compute: compute)
    backwardLayer = layer
    compute.timed("transposed convolution, input gradient", multiplyAdds: multiplyAdds) {
      layer.load(weights: pass.values(weight), compute: compute)
      layer(
        dy, into: Activation(dx, grid.stacked(batch), channels: inputs),
        lines: grid.linesAtOnce, scratch: workers, compute: compute)
    }
  }
}

extension Grid {
  /// Rows of a coarse grid that fill the register tiles.
  fileprivate var linesAtOnce: Int { max(1, 48 / width) }

  /// As many volumes behind one another.
  fileprivate func stacked(_ count: Int) -> Grid { Grid(count * depth, height, width) }
}
