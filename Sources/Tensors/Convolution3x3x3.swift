import CKernels

/// A 3x3x3 convolution, stride 1, padding 1, with what goes before and after it: normalisation of
/// the input; bias (a folded BatchNorm), residual, LeakyReLU, statistics of the output.
public final class Convolution3x3x3 {
  public let plan: ConvolutionPlan
  private let storage: UnsafeMutablePointer<Float>?
  /// [block][27][input][lane]; none until weights are packed.
  var taps: Parameters?
  /// Weights that are read in place.
  var masters: WeightSource?
  private let bias: Parameters?
  let inputChannels: Int
  let outputChannels: Int
  let lanes: Int
  /// Whether weights in place are packed by each call, for a whole batch at a time.
  private let isForBatches: Bool

  /// - Parameters:
  ///   - weights: [output][input][3][3][3], as PyTorch stores them.
  ///   - bias: one value for each output channel.
  ///   - inputChannels: channels of the input.
  ///   - outputChannels: channels of the output.
  ///   - grid: the volume that it will be used on.
  ///   - method: nil for the one expected to be fastest.
  ///   - compute: the kernels and worker threads.
  public convenience init(
    weights: [Float], bias: [Float]?, inputChannels: Int, outputChannels: Int, grid: Grid,
    method: ConvolutionPlan.Method? = nil, compute: Compute
  ) {
    self.init(
      bias: bias, inputChannels: inputChannels, outputChannels: outputChannels, grid: grid,
      method: method, compute: compute)
    weights.withUnsafeBufferPointer {
      if let base = $0.baseAddress { load(weights: base, compute: compute) }
    }
  }

  /// A convolution whose weights are zero until they are loaded; the parameters as above.
  /// - Parameters:
  ///   - bias: one value for each output channel; nil for none.
  ///   - inputChannels: channels of the input.
  ///   - outputChannels: channels of the output.
  ///   - grid: the extent of input and output.
  ///   - method: how it is computed; nil for the best.
  ///   - storage: `packedCount` floats that live as long as the convolution, where its packed
  ///     weights shall be; nil for memory of its own.
  ///   - isForBatches: whether it will be called with batches only.
  ///   - compute: the kernels and worker threads.
  public init(
    bias: [Float]? = nil, inputChannels: Int, outputChannels: Int, grid: Grid,
    method: ConvolutionPlan.Method? = nil, storage: UnsafeMutablePointer<Float>? = nil,
    isForBatches: Bool = false, compute: Compute
  ) {
    self.isForBatches = isForBatches
    let best = ConvolutionPlan.best(
      grid: grid, inputChannels: inputChannels, outputChannels: outputChannels)
    plan =
      method.map {
        ConvolutionPlan(
          $0, grid: grid, inputChannels: inputChannels, outputChannels: outputChannels)
      } ?? best
    lanes = compute.lanes(outputChannels)
    self.inputChannels = inputChannels
    self.outputChannels = outputChannels
    self.bias = bias.map { Parameters($0) }
    self.storage = storage
  }

  /// The floats of the packed weights.
  public static func packedCount(inputChannels: Int, outputChannels: Int) -> Int {
    27 * inputChannels * ((outputChannels + 31) / 32 * 32)
  }

  /// Takes new weights, [output][input][3][3][3] as PyTorch stores them.
  /// - Parameters:
  ///   - weights: they.
  ///   - inPlace: whether they stay where they are, to be read there by each call: then they are not
  ///     packed, unless the method is direct and it is not for batches.
  ///   - compute: the kernels and worker threads.
  public func load(weights: UnsafePointer<Float>, inPlace: Bool = false, compute: Compute) {
    load(
      WeightSource(
        weights: weights, laneStride: Int64(inputChannels * 27), inputStride: 27, flipped: false),
      inPlace: inPlace, compute)
  }

  /// Takes the weights of the convolution whose input gradient this one shall compute from its output
  /// gradient, so that this one's inputs are the other's outputs: the taps in the opposite order,
  /// the channels exchanged.
  /// - Parameters:
  ///   - weights: of the other one, [its output][its input][3][3][3].
  ///   - inPlace: as above.
  ///   - compute: the kernels and worker threads.
  public func load(
    transposeOf weights: UnsafePointer<Float>, inPlace: Bool = false, compute: Compute
  ) {
    load(
      WeightSource(
        weights: weights, laneStride: 27, inputStride: Int64(outputChannels * 27), flipped: true),
      inPlace: inPlace, compute)
  }

  var blocks: Int { (outputChannels + lanes - 1) / lanes }

  /// Runs `body` for every block of outputs and part of the inputs.
  private func inParts(
    _ compute: Compute, _ body: (_ block: Int, _ inputs: Range<Int>) -> Void
  ) {
    let step = 16
    let parts = (inputChannels + step - 1) / step
    compute.run(blocks: blocks * parts) { index, _ in
      let (block, part) = index.quotientAndRemainder(dividingBy: parts)
      body(block, part * step..<min(inputChannels, (part + 1) * step))
    }
  }

  private func load(_ source: WeightSource, inPlace: Bool, _ compute: Compute) {
    masters = inPlace && (plan.method != .direct || isForBatches) ? source : nil
    guard masters == nil else { return }
    let size = 27 * inputChannels * lanes
    let taps =
      taps
      ?? storage.map {
        Parameters(UnsafeBufferPointer(start: $0, count: blocks * size), in: compute)
      } ?? Parameters(zeros: blocks * size)
    self.taps = taps
    inParts(compute) { block, inputs in
      pack(
        source, block: block, inputs: inputs, into: taps.pointer + block * size,
        tapStride: inputChannels * lanes, compute)
    }
  }

  /// Packs the taps of some inputs of one block of outputs.
  func pack(
    _ source: WeightSource, block: Int, inputs: Range<Int>,
    into target: UnsafeMutablePointer<Float>, tapStride: Int, _ compute: Compute
  ) {
    compute.kernels.packTaps(
      source.weights + block * lanes * Int(source.laneStride), source.laneStride,
      source.inputStride, Int64(inputs.lowerBound), Int64(inputs.upperBound),
      Int64(tapStride), Int32(min(lanes, outputChannels - block * lanes)), Int32(lanes),
      source.flipped, target)
  }

  /// output = convolution(input) + bias [+ residual] [LeakyReLU].
  /// - Parameters:
  ///   - input: with a halo, unless the plan's method is minimal filtering.
  ///   - normalisation: input = LeakyReLU(normalised input) as it is read; not for a direct one.
  ///   - residual: may be the output.
  ///   - activated: whether LeakyReLU follows.
  ///   - output: channels-last.
  ///   - measured: takes the statistics of the output.
  ///   - isTransformed: whether the scratch still holds what the last call of this convolution left
  ///     there, with the same weights.
  ///   - scratch: `plan.scratch` floats.
  ///   - compute: the kernels and worker threads.
  public func callAsFunction(
    _ input: Voxels, normalisedBy normalisation: Normalisation? = nil,
    plus residual: Voxels? = nil, activated: Bool = false, into output: Voxels,
    measuredBy measured: Normalisation? = nil, isTransformed: Bool = false,
    scratch: UnsafeMutablePointer<Float>, compute: Compute
  ) {
    switch plan.method {
    case .direct:
      // Of the program, not of data: who normalises plans by `ConvolutionPlan.filtering`, and the
      // other callers hold their input in a `HaloActivation`.
      precondition(input.hasHalo && normalisation == nil)
      direct(input, residual, activated, output, measured, compute)
    case .strips(let tile, let tiles, let slices), .deepStrips(let tile, let tiles, let slices):
      var winograd = winograd(tile, input, normalisation, residual, activated, output)
      transformTaps(&winograd, isTransformed, scratch, compute)
      strips(
        winograd, tile, tiles, slices, measured, scratch + plan.weights(tile), compute)
    case .phases(let tile), .deepPhases(let tile):
      var winograd = winograd(tile, input, normalisation, residual, activated, output)
      transformTaps(&winograd, isTransformed, scratch, compute)
      phases(winograd, tile, measured, scratch + plan.weights(tile), compute)
    }
  }

  func transformTaps(
    _ winograd: inout Winograd, _ isTransformed: Bool, _ target: UnsafeMutablePointer<Float>,
    _ compute: Compute
  ) {
    winograd.weights = UnsafePointer(target)
    winograd.weightStride = Int64(plan.weightStride)
    guard !isTransformed else { return }
    let constant = winograd
    inParts(compute) { block, inputs in
      var winograd = constant
      let (first, end) = (Int32(inputs.lowerBound), Int32(inputs.upperBound))
      if var masters {
        compute.kernels.winogradMasters(&winograd, &masters, Int32(block), first, end, target)
      } else {
        compute.kernels.winogradWeights(&winograd, Int32(block), first, end, target)
      }
    }
  }

  private func direct(
    _ input: Voxels, _ residual: Voxels?, _ leaky: Bool, _ output: Voxels,
    _ measured: Normalisation?, _ compute: Compute
  ) {
    let convolution = parameters(input, residual, leaky, output)
    let blocks = Int32(self.blocks)
    let rows = input.grid.rows
    if blocks > 1, input.grid.voxels <= 4096 {
      // Small grids are split by output channels: each thread reads its own weights only.
      compute.run(blocks: Int(blocks)) { block, _ in
        var convolution = convolution
        compute.kernels.convolve3(&convolution, 0, Int64(rows), Int32(block), Int32(block) + 1)
      }
      if let measured {
        measure(output, rows: 0..<rows, into: measured.moments(blocks: 1), compute)
        measured.take(blocks: 1, count: output.grid.voxels)
      }
      return
    }
    let strip = max(1, min(rows, 16))
    let strips = (rows + strip - 1) / strip
    let moments = measured?.moments(blocks: strips)
    compute.run(blocks: strips) { index, _ in
      var convolution = convolution
      let (first, end) = (index * strip, min(rows, (index + 1) * strip))
      compute.kernels.convolve3(&convolution, Int64(first), Int64(end), 0, blocks)
      guard let moments else { return }
      measure(output, rows: first..<end, into: moments + index * 2 * outputChannels, compute)
    }
    measured?.take(blocks: strips, count: output.grid.voxels)
  }

  /// What the kernel of direct summation needs.
  func parameters(
    _ input: Voxels, _ residual: Voxels?, _ leaky: Bool, _ output: Voxels
  ) -> CKernels.Convolution3 {
    var parameters = CKernels.Convolution3()
    parameters.input = UnsafePointer(input.data - input.plane - input.row - inputChannels)
    parameters.weights = taps.map { UnsafePointer($0.pointer) }
    parameters.bias = bias.map { UnsafePointer($0.pointer) }
    parameters.residual = residual.map { UnsafePointer($0.data) }
    parameters.output = output.data
    parameters.outputRow = Int64(output.row)
    parameters.outputPlane = Int64(output.plane)
    parameters.residualRow = Int64(residual?.row ?? 0)
    parameters.residualPlane = Int64(residual?.plane ?? 0)
    parameters.depth = Int32(input.grid.depth)
    parameters.height = Int32(input.grid.height)
    parameters.width = Int32(input.grid.width)
    parameters.inputChannels = Int32(inputChannels)
    parameters.outputChannels = Int32(outputChannels)
    parameters.lanes = Int32(lanes)
    parameters.leaky = leaky
    return parameters
  }

  /// Adds the sums and sums of squares of rows.
  func measure(
    _ output: Voxels, rows: Range<Int>, into sums: UnsafeMutablePointer<Double>,
    _ compute: Compute
  ) {
    for row in rows {
      let (z, y) = row.quotientAndRemainder(dividingBy: output.grid.height)
      compute.kernels.channelSums(
        output.line(z, y), Int64(output.grid.width), Int64(outputChannels), sums,
        sums + outputChannels)
    }
  }

  func winograd(
    _ tile: Int, _ input: Voxels, _ normalisation: Normalisation?, _ residual: Voxels?,
    _ leaky: Bool, _ output: Voxels
  ) -> Winograd {
    var winograd = Winograd()
    winograd.input = UnsafePointer(input.data)
    winograd.taps = taps.map { UnsafePointer($0.pointer) }
    winograd.bias = bias.map { UnsafePointer($0.pointer) }
    winograd.residual = residual.map { UnsafePointer($0.data) }
    winograd.output = output.data
    if let normalisation { winograd.affine = normalisation.channelAffine }
    (winograd.inputRow, winograd.inputPlane) = (Int64(input.row), Int64(input.plane))
    (winograd.outputRow, winograd.outputPlane) = (Int64(output.row), Int64(output.plane))
    winograd.residualRow = Int64(residual?.row ?? 0)
    winograd.residualPlane = Int64(residual?.plane ?? 0)
    winograd.depth = Int32(input.grid.depth)
    winograd.height = Int32(input.grid.height)
    winograd.width = Int32(input.grid.width)
    winograd.inputChannels = Int32(inputChannels)
    winograd.outputChannels = Int32(outputChannels)
    winograd.lanes = Int32(lanes)
    winograd.tile = Int32(tile)
    winograd.deep = plan.isDeep
    winograd.halo = input.hasHalo
    winograd.leaky = leaky
    // An output that no cache holds need not be fetched to be overwritten.
    let bytes = output.grid.voxels * outputChannels * MemoryLayout<Float>.size
    winograd.streams =
      bytes > 16 << 20 && outputChannels % 16 == 0 && Int(bitPattern: output.data) % 64 == 0
      && output.row % 16 == 0 && output.plane % 16 == 0
    return winograd
  }

  private func strips(
    _ winograd: Winograd, _ tile: Int, _ tiles: Int, _ slices: Int, _ measured: Normalisation?,
    _ scratch: UnsafeMutablePointer<Float>, _ compute: Compute
  ) {
    let (all, depth) = (plan.tiles(tile), plan.grid.depth)
    let strips = (all + tiles - 1) / tiles
    let blocks = strips * ((depth + slices - 1) / slices)
    let scratchSize = plan.stripScratch(tile, tiles)
    let moments = measured?.moments(blocks: blocks)
    compute.run(blocks: blocks) { block, worker in
      var winograd = winograd
      let (part, strip) = block.quotientAndRemainder(dividingBy: strips)
      compute.kernels.winogradStrip(
        &winograd, Int32(strip * tiles), Int32(min(all, (strip + 1) * tiles)),
        Int32(part * slices), Int32(min(depth, (part + 1) * slices)),
        scratch + worker * scratchSize, moments.map { $0 + block * 2 * outputChannels })
    }
    measured?.take(blocks: blocks, count: plan.grid.voxels)
  }

  private func phases(
    _ winograd: Winograd, _ tile: Int, _ measured: Normalisation?,
    _ scratch: UnsafeMutablePointer<Float>, _ compute: Compute
  ) {
    let (tiles, depth) = (plan.tiles(tile), plan.grid.depth)
    let products = productsOf([winograd], tile, scratch, compute)
    let productStride = plan.stride(tile, channels: outputChannels)
    let moments = measured?.moments(blocks: depth)
    compute.run(blocks: depth) { z, _ in
      var winograd = winograd
      compute.kernels.winogradOutput(
        &winograd, Int32(z), 0, Int32(tiles), products + z * tiles * outputChannels,
        Int64(productStride), moments.map { $0 + z * 2 * outputChannels })
    }
    measured?.take(blocks: depth, count: plan.grid.voxels)
  }
}
