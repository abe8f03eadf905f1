import CKernels

/// A 3x3x3 convolution, stride 1, padding 1, with what follows it: bias (a folded BatchNorm),
/// residual, LeakyReLU.
public final class Convolution3x3x3 {
  private let weights: Parameters
  private let bias: Parameters?
  private let inputChannels: Int
  private let outputChannels: Int
  private let lanes: Int

  /// Where an output goes or a residual comes from: voxel (0,0,0) and the strides.
  private struct Target {
    let data: UnsafeMutablePointer<Float>
    let row, plane: Int
  }

  /// - Parameters:
  ///   - weights: [output][input][3][3][3], as PyTorch stores them.
  ///   - bias: one value for each output channel.
  public init(
    weights: [Float], bias: [Float]?, inputChannels: Int, outputChannels: Int, compute: Compute
  ) {
    lanes = outputChannels > 16 ? Int(compute.kernels.widestBlock) : 16
    self.inputChannels = inputChannels
    self.outputChannels = outputChannels
    self.bias = bias.map(Parameters.init)
    let blocks = (outputChannels + lanes - 1) / lanes
    // [block][tap][input][lane]
    let packed = Parameters(Array(repeating: 0, count: blocks * 27 * inputChannels * lanes))
    for output in 0..<outputChannels {
      let lane = packed.pointer + output / lanes * 27 * inputChannels * lanes + output % lanes
      for input in 0..<inputChannels {
        let source = (output * inputChannels + input) * 27
        for tap in 0..<27 { lane[(tap * inputChannels + input) * lanes] = weights[source + tap] }
      }
    }
    self.weights = packed
  }

  /// output = convolution(input) + bias, without activation.
  public func callAsFunction(
    _ input: HaloActivation, into output: Activation, compute: Compute
  ) {
    run(
      input, Target(data: output.data, row: output.row, plane: output.plane), residual: nil,
      leaky: false, compute)
  }

  /// output = LeakyReLU(convolution(input) + bias).
  public func activated(
    _ input: HaloActivation, into output: HaloActivation, compute: Compute
  ) {
    run(input, target(output), residual: nil, leaky: true, compute)
  }

  /// output = LeakyReLU(convolution(input) + bias + residual); output may be the residual.
  public func activated(
    _ input: HaloActivation, plus residual: HaloActivation, into output: HaloActivation,
    compute: Compute
  ) {
    run(input, target(output), residual: target(residual), leaky: true, compute)
  }

  /// output = LeakyReLU(convolution(input) + bias + residual).
  public func activated(
    _ input: HaloActivation, plus residual: HaloActivation, into output: Activation,
    compute: Compute
  ) {
    run(
      input, Target(data: output.data, row: output.row, plane: output.plane),
      residual: target(residual), leaky: true, compute)
  }

  private func target(_ halo: HaloActivation) -> Target {
    Target(data: halo.line(0, 0), row: halo.row, plane: halo.plane)
  }

  private func run(
    _ input: HaloActivation, _ output: Target, residual: Target?, leaky: Bool, _ compute: Compute
  ) {
    var parameters = CKernels.Convolution3()
    parameters.input = UnsafePointer(input.data)
    parameters.weights = UnsafePointer(weights.pointer)
    parameters.bias = bias.map { UnsafePointer($0.pointer) }
    parameters.residual = residual.map { UnsafePointer($0.data) }
    parameters.output = output.data
    parameters.outputRow = Int64(output.row)
    parameters.outputPlane = Int64(output.plane)
    parameters.residualRow = Int64(residual?.row ?? 0)
    parameters.residualPlane = Int64(residual?.plane ?? 0)
    parameters.height = Int32(input.grid.height)
    parameters.width = Int32(input.grid.width)
    parameters.inputChannels = Int32(inputChannels)
    parameters.outputChannels = Int32(outputChannels)
    parameters.lanes = Int32(lanes)
    parameters.leaky = leaky
    let convolution = parameters
    let blocks = Int32((outputChannels + lanes - 1) / lanes)
    let rows = input.grid.rows
    if blocks > 1, input.grid.voxels <= 4096 {
      // Small grids are split by output channels: each thread reads its own weights only.
      compute.run(blocks: Int(blocks)) { block, _ in
        var convolution = convolution
        compute.kernels.convolve3(
          &convolution, 0, Int64(rows), Int32(block), Int32(block) + 1)
      }
    } else {
      let strip = max(1, min(rows, 16))
      compute.run(blocks: (rows + strip - 1) / strip) { index, _ in
        var convolution = convolution
        compute.kernels.convolve3(
          &convolution, Int64(index * strip), Int64(min(rows, (index + 1) * strip)), 0, blocks)
      }
    }
  }
}
