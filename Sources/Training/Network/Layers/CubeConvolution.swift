import Tensors

/// A 3x3x3 convolution, stride 1, padding 1, without bias, of a batch of volumes.
final class CubeConvolution {
  private let weight: Range<Int>
  private let inputs, outputs: Int
  private let grid: Grid
  private let batch, threads: Int

  init(_ name: String, inputs: Int, outputs: Int, grid: Grid, plan: LayerPlan) {
    weight = plan.place("\(name).weight")
    self.inputs = inputs
    self.outputs = outputs
    self.grid = grid
    batch = plan.batch
    threads = plan.threads
  }

  /// The floats of scratch of each of the three.
  var scratch: Int {
    let halos = Scratch.size(
      HaloActivation.count(grid, channels: inputs), HaloActivation.count(grid, channels: outputs))
    let plans = [(inputs, outputs), (outputs, inputs)].map {
      ConvolutionPlan.best(grid: grid, inputChannels: $0, outputChannels: $1)
        .scratch(threads: threads)
    }
    return halos + max(Scratch.size(plans.max() ?? 0), Scratch.size(27 * inputs * outputs))
  }

  private func count(_ channels: Int) -> Int { grid.voxels * channels }

  /// y = convolution of x.
  func forward(
    _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, scratch: Scratch, _ pass: Pass
  ) {
    let weights = Array(UnsafeBufferPointer(start: pass.values(weight), count: weight.count))
    convolve(
      x, with: weights, inputs: inputs, outputs: outputs, into: y, scratch: scratch,
      pass.compute)
  }

  /// dx = the convolution of dy with the taps mirrored and input and output exchanged.
  func backwardInput(
    _ dy: UnsafePointer<Float>, into dx: UnsafeMutablePointer<Float>, scratch: Scratch,
    _ pass: Pass
  ) {
    let weights = pass.values(weight)
    var mirrored = [Float](repeating: 0, count: weight.count)
    for output in 0..<outputs {
      for input in 0..<inputs {
        let (from, to) = ((output * inputs + input) * 27, (input * outputs + output) * 27)
        for tap in 0..<27 { mirrored[to + 26 - tap] = weights[from + tap] }
      }
    }
    convolve(
      dy, with: mirrored, inputs: outputs, outputs: inputs, into: dx, scratch: scratch,
      pass.compute)
  }

  private func convolve(
    _ x: UnsafePointer<Float>, with weights: [Float], inputs: Int, outputs: Int,
    into y: UnsafeMutablePointer<Float>, scratch: Scratch, _ compute: Compute
  ) {
    var scratch = scratch
    let convolution = Convolution3x3x3(
      weights: weights, bias: nil, inputChannels: inputs, outputChannels: outputs, grid: grid,
      compute: compute)
    let halo = HaloActivation(
      scratch.take(HaloActivation.count(grid, channels: inputs)), grid, channels: inputs)
    let memory = scratch.take(convolution.plan.scratch(threads: compute.threads))
    for sample in 0..<batch {
      let source = UnsafeMutablePointer(mutating: x + sample * count(inputs))
      var voxels = Activation(source, grid, channels: inputs).voxels
      if convolution.plan.method == .direct {
        compute.copy(source, into: halo)
        voxels = halo.voxels
      }
      convolution(
        voxels,
        into: Activation(y + sample * count(outputs), grid, channels: outputs).voxels,
        scratch: memory, compute: compute)
    }
  }

  /// Adds to the weights' gradient: for each tap, the sum over voxels of x (shifted) ⊗ dy. With both
  /// in halos a shift is an offset, and the sum a matrix product over the whole volume.
  func backwardWeights(
    _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, scratch: Scratch, _ pass: Pass
  ) {
    var scratch = scratch
    let (compute, inputs, outputs) = (pass.compute, inputs, outputs)
    let input = HaloActivation(
      scratch.take(HaloActivation.count(grid, channels: inputs)), grid, channels: inputs)
    let gradient = HaloActivation(
      scratch.take(HaloActivation.count(grid, channels: outputs)), grid, channels: outputs)
    let sums = scratch.take(27 * inputs * outputs)  // [tap][output][input]
    let (row, plane) = (grid.width + 2, (grid.width + 2) * (grid.height + 2))
    let first = plane + row + 1
    let last = grid.depth * plane + grid.height * row + grid.width
    for sample in 0..<batch {
      compute.copy(x + sample * count(inputs), into: input)
      compute.copy(dy + sample * count(outputs), into: gradient)
      compute.run(blocks: 27) { tap, _ in
        let offset = (tap / 9 - 1) * plane + (tap / 3 % 3 - 1) * row + tap % 3 - 1
        multiply(
          Matrix(gradient.data + first * outputs, stride: outputs).transposed,
          Matrix(input.data + (first + offset) * inputs, stride: inputs),
          into: sums + tap * inputs * outputs, stride: inputs, rows: outputs, columns: inputs,
          inner: last - first + 1, beta: sample == 0 ? 0 : 1)
      }
    }
    let result = pass.gradients(weight)
    compute.pieces(inputs * outputs) { first, count in
      for i in first..<first + count {
        for tap in 0..<27 { result[i * 27 + tap] += sums[tap * inputs * outputs + i] }
      }
    }
  }
}

extension Compute {
  /// A volume without gaps into one with a halo, which is set to zero.
  func copy(_ x: UnsafePointer<Float>, into halo: HaloActivation) {
    let (grid, channels) = (halo.grid, halo.channels)
    let (line, row) = (grid.width * channels, (grid.width + 2) * channels)
    let plane = (grid.height + 2) * row
    run(blocks: grid.depth + 2) { slab, _ in
      let target = halo.data + slab * plane
      target.update(repeating: 0, count: plane)
      guard slab >= 1, slab <= grid.depth else { return }
      for y in 0..<grid.height {
        (target + (y + 1) * row + channels).update(
          from: x + ((slab - 1) * grid.height + y) * line, count: line)
      }
    }
  }
}
