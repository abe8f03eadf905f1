import CKernels

/// The gradient of the weights of a 3x3x3 convolution, stride 1, padding 1: the sum over voxels and
/// samples of every product of an output gradient with an input.
///
/// By minimal filtering, where it pays, with the transforms of the forward pass transposed. Single
/// precision, in parts and blocks that are fixed by the shape: the result does not depend on the
/// number of threads. Its error, relative to the largest gradient, is about 1e-6 (direct) to 1e-5
/// (tiles of 4x4).
public final class ConvolutionWeightGradient {
  /// How the sums are computed.
  public enum Method: Sendable, Equatable {
    /// Few inputs: all taps of one input in registers; the input needs a halo.
    case narrow
    /// The sum over all voxels, tap by tap: small grids.
    case direct
    /// Minimal filtering with tiles of `tile` x `tile`, strip by strip: all intermediates of `tiles`
    /// tiles of `slices` slices stay in the cache, the sums too.
    case strips(tile: Int, tiles: Int, slices: Int)
    /// Minimal filtering of all samples in two phases, transforms and products, the products split by
    /// channels: for wide convolutions, whose sums are more than their data.
    case phases(tile: Int)
  }

  /// The input and the output gradient of one sample.
  public struct Sample {
    let input: Voxels
    let normalisation: Normalisation?
    let gradient: Voxels

    /// - Parameters:
    ///   - input: with a halo where the method is narrow.
    ///   - normalisation: input = LeakyReLU(normalised input) as it is read; only with tiles.
    ///   - gradient: of the convolution's output.
    public init(
      _ input: Voxels, normalisedBy normalisation: Normalisation? = nil, gradient: Voxels
    ) {
      self.input = input
      self.normalisation = normalisation
      self.gradient = gradient
    }
  }

  public let method: Method
  private let plan: ConvolutionPlan
  private let inputChannels, outputChannels, samples: Int
  /// Output channels of a block.
  private static let outputsOfBlock = 32
  private static let inputsOfBlock = 16

  /// - Parameters:
  ///   - inputChannels: channels of the input.
  ///   - outputChannels: channels of the output.
  ///   - grid: of both.
  ///   - samples: of a batch.
  ///   - method: nil for the one expected to be fastest.
  public init(
    inputChannels: Int, outputChannels: Int, grid: Grid, samples: Int = 1, method: Method? = nil
  ) {
    self.inputChannels = inputChannels
    self.outputChannels = outputChannels
    self.samples = samples
    plan = ConvolutionPlan(
      .direct, grid: grid, inputChannels: inputChannels, outputChannels: outputChannels)
    self.method =
      method
      ?? Self.best(
        inputChannels: inputChannels, outputChannels: outputChannels, grid: grid, samples: samples)
  }

  /// The method with the least work; a sum's transform counts as much as 30 multiplications.
  /// - Parameters:
  ///   - inputChannels: channels of the input.
  ///   - outputChannels: channels of the output.
  ///   - grid: the extent of input and output.
  ///   - samples: of the batch.
  ///   - mayBeDirect: false where the input is normalised as it is read, or has no halo.
  public static func best(
    inputChannels: Int, outputChannels: Int, grid: Grid, samples: Int, mayBeDirect: Bool = true
  ) -> Method {
    guard inputChannels >= 8 || !mayBeDirect else { return .narrow }
    let plan = ConvolutionPlan(
      .direct, grid: grid, inputChannels: inputChannels, outputChannels: outputChannels)
    let costs = [2, 4].map { tile in
      3 * (tile + 2) * (tile + 2) * (plan.tiles(tile) * grid.depth * samples + 30)
    }
    guard !mayBeDirect || min(costs[0], costs[1]) < 27 * grid.voxels * samples else {
      return .direct
    }
    let tile = costs[0] < costs[1] ? 2 : 4
    guard inputChannels * outputChannels <= 1024 else { return .phases(tile: tile) }
    // About 64 rows of products at a time.
    let slices = min(grid.depth, 16)
    return .strips(tile: tile, tiles: max(1, min(plan.tiles(tile), 64 / slices)), slices: slices)
  }

  /// The floats of scratch that it needs.
  public func scratch(threads: Int) -> Int {
    switch method {
    case .narrow: parts(rows) * narrowSums
    case .direct: threads * blockSums(27)
    case .strips(let tile, let tiles, let slices):
      parts(strips(tile, tiles, slices)) * stripSums(tile)
        + threads * stripScratch(tile, tiles, slices)
    case .phases(let tile):
      frequencies(tile) * (stride(tile, inputChannels) + stride(tile, outputChannels))
        + threads * blockSums(3 * frequencies(tile))
    }
  }

  /// weights = their gradient, [output][input][3][3][3] as PyTorch stores them.
  /// - Parameters:
  ///   - batch: as many samples as planned.
  ///   - weights: the result; nothing is added to what it held.
  ///   - scratch: `scratch(threads:)` floats.
  ///   - compute: the kernels and worker threads.
  public func callAsFunction(
    _ batch: [Sample], into weights: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>, compute: Compute
  ) {
    // Of the program, not of data.
    precondition(batch.count == samples)
    switch method {
    case .narrow: narrow(batch, weights, scratch, compute)
    case .direct: direct(batch, weights, scratch, compute)
    case .strips(let tile, let tiles, let slices):
      strips(batch, tile, tiles, slices, weights, scratch, compute)
    case .phases(let tile): phases(batch, tile, weights, scratch, compute)
    }
  }

  // MARK: Sizes

  private var rows: Int { samples * plan.grid.rows }
  private var paddedOutputs: Int { (outputChannels + 15) / 16 * 16 }
  private var narrowSums: Int { 27 * inputChannels * paddedOutputs }
  private func frequencies(_ tile: Int) -> Int { (tile + 2) * (tile + 2) }
  private func stripSums(_ tile: Int) -> Int {
    3 * frequencies(tile) * inputChannels * paddedOutputs
  }
  private func blockSums(_ taps: Int) -> Int { taps * Self.inputsOfBlock * Self.outputsOfBlock }

  /// The parts whose sums are kept apart.
  private func parts(_ pieces: Int) -> Int {
    min(pieces, inputChannels * outputChannels <= 256 ? 16 : 8)
  }

  /// The pieces of work of `strips`.
  private func strips(_ tile: Int, _ tiles: Int, _ slices: Int) -> Int {
    samples * ((plan.grid.depth + slices - 1) / slices) * ((plan.tiles(tile) + tiles - 1) / tiles)
  }

  private func stripScratch(_ tile: Int, _ tiles: Int, _ slices: Int) -> Int {
    frequencies(tile)
      * (tiles * ((slices + 2) * inputChannels + slices * outputChannels) + 32)
  }

  /// Floats between two frequencies of the transform of all samples.
  private func stride(_ tile: Int, _ channels: Int) -> Int {
    samples * plan.grid.depth * plan.tiles(tile) * channels + 16
  }

  // MARK: Methods

  private func parameters(_ sample: Sample, tile: Int = 0) -> Winograd {
    var winograd = Winograd()
    let (input, gradient) = (sample.input, sample.gradient)
    winograd.input = UnsafePointer(input.data)
    winograd.output = gradient.data
    if let normalisation = sample.normalisation { winograd.affine = normalisation.channelAffine }
    (winograd.inputRow, winograd.inputPlane) = (Int64(input.row), Int64(input.plane))
    (winograd.outputRow, winograd.outputPlane) = (Int64(gradient.row), Int64(gradient.plane))
    winograd.depth = Int32(plan.grid.depth)
    winograd.height = Int32(plan.grid.height)
    winograd.width = Int32(plan.grid.width)
    winograd.inputChannels = Int32(inputChannels)
    winograd.outputChannels = Int32(outputChannels)
    winograd.tile = Int32(tile)
    winograd.halo = input.hasHalo
    return winograd
  }

  /// Pieces of each part in turn, by one thread; then the taps of the parts' sums.
  private func inParts(
    _ pieces: Int, size: Int, tile: Int, _ weights: UnsafeMutablePointer<Float>,
    _ sums: UnsafeMutablePointer<Float>, _ compute: Compute,
    _ body: (_ piece: Int, _ sums: UnsafeMutablePointer<Float>, _ worker: Int) -> Void
  ) {
    let parts = self.parts(pieces)
    compute.run(blocks: parts) { part, worker in
      let here = sums + part * size
      here.update(repeating: 0, count: size)
      for piece in pieces * part / parts..<pieces * (part + 1) / parts { body(piece, here, worker) }
    }
    let stride = paddedOutputs
    compute.run(blocks: inputChannels) { input, _ in
      var result = GradientSums(
        sums: sums + input * stride, tapStride: Int64(inputChannels * stride),
        inputStride: Int64(stride), partStride: Int64(size), parts: Int32(parts), tile: Int32(tile))
      compute.kernels.gradientTaps(
        &result, 1, Int64(outputChannels), Int64(inputChannels * 27), weights + input * 27)
    }
  }

  private func narrow(
    _ batch: [Sample], _ weights: UnsafeMutablePointer<Float>,
    _ scratch: UnsafeMutablePointer<Float>, _ compute: Compute
  ) {
    precondition(batch.allSatisfy { $0.input.hasHalo && $0.normalisation == nil })
    let rows = plan.grid.rows
    inParts(samples * rows, size: narrowSums, tile: 0, weights, scratch, compute) { row, sums, _ in
      var winograd = parameters(batch[row / rows])
      compute.kernels.narrowGradient(
        &winograd, Int64(row % rows), Int64(row % rows) + 1, sums)
    }
  }

  private func strips(
    _ batch: [Sample], _ tile: Int, _ tiles: Int, _ slices: Int,
    _ weights: UnsafeMutablePointer<Float>, _ scratch: UnsafeMutablePointer<Float>,
    _ compute: Compute
  ) {
    let (all, depth) = (plan.tiles(tile), plan.grid.depth)
    let pieces = strips(tile, tiles, slices)
    let strips = (all + tiles - 1) / tiles
    let runs = pieces / samples / strips
    let workers = scratch + parts(pieces) * stripSums(tile)
    let scratchSize = stripScratch(tile, tiles, slices)
    inParts(pieces, size: stripSums(tile), tile: tile, weights, scratch, compute) {
      piece, sums, worker in
      var winograd = parameters(batch[piece / (runs * strips)], tile: tile)
      let (run, strip) = (piece / strips % runs, piece % strips)
      compute.kernels.gradientStrip(
        &winograd, Int32(strip * tiles), Int32(min(all, (strip + 1) * tiles)),
        Int32(run * slices), Int32(min(depth, (run + 1) * slices)),
        workers + worker * scratchSize, sums)
    }
  }

  /// Runs `body` for every block of channels with sums of its own, then takes the taps of them.
  private func inBlocks(
    _ taps: Int, tile: Int, _ weights: UnsafeMutablePointer<Float>,
    _ sums: UnsafeMutablePointer<Float>, _ compute: Compute,
    _ body: (ChannelBlock, UnsafeMutablePointer<Float>) -> Void
  ) {
    let (inputs, outputs) = (Self.inputsOfBlock, Self.outputsOfBlock)
    let across = (inputChannels + inputs - 1) / inputs
    compute.run(blocks: across * ((outputChannels + outputs - 1) / outputs)) { index, worker in
      let (input, output) = (index % across * inputs, index / across * outputs)
      let block = ChannelBlock(
        input0: Int32(input), input1: Int32(min(inputChannels, input + inputs)),
        output0: Int32(output), output1: Int32(min(outputChannels, output + outputs)),
        stride: Int64(outputs))
      let here = sums + worker * blockSums(taps)
      body(block, here)
      let count = Int64(block.input1 - block.input0)
      var result = GradientSums(
        sums: here, tapStride: count * block.stride, inputStride: block.stride, partStride: 0,
        parts: 1, tile: Int32(tile))
      compute.kernels.gradientTaps(
        &result, count, Int64(block.output1 - block.output0), Int64(inputChannels * 27),
        weights + (output * inputChannels + input) * 27)
    }
  }

  private func direct(
    _ batch: [Sample], _ weights: UnsafeMutablePointer<Float>,
    _ scratch: UnsafeMutablePointer<Float>, _ compute: Compute
  ) {
    precondition(batch.allSatisfy { $0.normalisation == nil })
    let samples = batch.map { parameters($0) }
    samples.withUnsafeBufferPointer { samples in
      inBlocks(27, tile: 0, weights, scratch, compute) { block, sums in
        compute.kernels.directGradient(samples.baseAddress, Int64(samples.count), block, sums)
      }
    }
  }

  private func phases(
    _ batch: [Sample], _ tile: Int, _ weights: UnsafeMutablePointer<Float>,
    _ scratch: UnsafeMutablePointer<Float>, _ compute: Compute
  ) {
    let (tiles, depth) = (plan.tiles(tile), plan.grid.depth)
    let (stride, gradientStride) = (stride(tile, inputChannels), stride(tile, outputChannels))
    let gradients = scratch + frequencies(tile) * stride
    compute.run(blocks: samples * depth) { slice, _ in
      var winograd = parameters(batch[slice / depth], tile: tile)
      let z = Int32(slice % depth)
      compute.kernels.winogradInput(
        &winograd, z, 0, Int32(tiles), scratch + slice * tiles * inputChannels, Int64(stride))
      compute.kernels.winogradGradient(
        &winograd, z, 0, Int32(tiles), gradients + slice * tiles * outputChannels,
        Int64(gradientStride))
    }
    let sums = gradients + frequencies(tile) * gradientStride
    inBlocks(3 * frequencies(tile), tile: tile, weights, sums, compute) { block, sums in
      var winograd = parameters(batch[0], tile: tile)
      compute.kernels.gradientProducts(
        &winograd, Int64(tiles), 0, Int32(depth), Int64(samples), scratch, Int64(stride), gradients,
        Int64(gradientStride), block, sums, false)
    }
  }
}
