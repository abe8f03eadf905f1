import CKernels

/// Convolutions of a whole batch, as in training: weights are read once for all samples, the samples' rows
/// fill the register tiles of small grids, and threads share the blocks of all samples.
extension Convolution3x3x3 {
  /// One sample of a batch.
  public struct Sample {
    let input: Voxels
    let normalisation: Normalisation?
    let residual: Voxels?
    let output: Voxels
    let measured: Normalisation?

    /// - Parameters:
    ///   - input: with a halo where the plan's method is direct.
    ///   - normalisation: input = LeakyReLU(normalised input) as it is read; not for a direct one.
    ///   - residual: may be the output.
    ///   - output: channels-last.
    ///   - measured: takes the statistics of the output; one and the same for all samples, or one each.
    public init(
      _ input: Voxels, normalisedBy normalisation: Normalisation? = nil,
      plus residual: Voxels? = nil, into output: Voxels, measuredBy measured: Normalisation? = nil
    ) {
      self.input = input
      self.normalisation = normalisation
      self.residual = residual
      self.output = output
      self.measured = measured
    }
  }

  /// One sample's output = convolution(input) [+ residual], as without a batch.
  public func callAsFunction(
    _ sample: Sample, scratch: UnsafeMutablePointer<Float>, compute: Compute
  ) {
    self(
      sample.input, normalisedBy: sample.normalisation, plus: sample.residual, into: sample.output,
      measuredBy: sample.measured, scratch: scratch, compute: compute)
  }

  /// Each sample's output = convolution(input) [+ residual], for plans whose `convolvesBatches` is true,
  /// with weights that were loaded in place.
  /// - Parameters:
  ///   - batch: the samples.
  ///   - scratch: `plan.scratch(threads:samples:)` floats.
  ///   - compute: the kernels and worker threads.
  public func callAsFunction(
    batch: [Sample], scratch: UnsafeMutablePointer<Float>, compute: Compute
  ) {
    // Of the program, not of data.
    precondition(plan.convolvesBatches && masters != nil)
    switch plan.method {
    case .direct: direct(batch, scratch, compute)
    case .strips(let tile, let tiles, let slices), .deepStrips(let tile, let tiles, let slices):
      strips(batch, tile, tiles, slices, scratch, compute)
    case .phases(let tile), .deepPhases(let tile): phases(batch, tile, scratch, compute)
    }
  }

  private func strips(
    _ batch: [Sample], _ tile: Int, _ tiles: Int, _ slices: Int,
    _ scratch: UnsafeMutablePointer<Float>, _ compute: Compute
  ) {
    let (all, depth) = (plan.tiles(tile), plan.grid.depth)
    let strips = (all + tiles - 1) / tiles
    let size = plan.stripScratch(tile, tiles)
    let parameters = parameters(batch, tile, scratch, compute)
    let workers = scratch + plan.weights(tile)
    statistics(of: batch, parts: strips * ((depth + slices - 1) / slices), compute) {
      sample, index, worker, moments in
      var winograd = parameters[sample]
      let (part, strip) = index.quotientAndRemainder(dividingBy: strips)
      compute.kernels.winogradStrip(
        &winograd, Int32(strip * tiles), Int32(min(all, (strip + 1) * tiles)),
        Int32(part * slices), Int32(min(depth, (part + 1) * slices)), workers + worker * size,
        moments)
    }
  }

  /// What the kernels need of each sample, with the weights' transform, which is made here.
  private func parameters(
    _ batch: [Sample], _ tile: Int, _ scratch: UnsafeMutablePointer<Float>, _ compute: Compute
  ) -> [Winograd] {
    batch.enumerated().map { index, sample in
      var winograd = winograd(
        tile, sample.input, sample.normalisation, sample.residual, false, sample.output)
      transformTaps(&winograd, index > 0, scratch, compute)
      return winograd
    }
  }

  /// Block of outputs after block, its weights packed by the thread that needs them.
  private func direct(
    _ batch: [Sample], _ scratch: UnsafeMutablePointer<Float>, _ compute: Compute
  ) {
    precondition(batch.allSatisfy { $0.input.hasHalo && $0.normalisation == nil })
    guard let masters else { return }
    let tapStride = plan.tapStride(lanes: lanes)
    let samples = batch.map { parameters($0.input, $0.residual, false, $0.output) }
    compute.run(blocks: blocks) { block, worker in
      let taps = scratch + worker * 27 * tapStride
      pack(
        masters, block: block, inputs: 0..<inputChannels, into: taps, tapStride: tapStride, compute)
      var samples = samples
      samples[0].weights = UnsafePointer(taps)
      compute.kernels.convolveBatch(
        samples, Int64(samples.count), Int64(tapStride), Int32(block))
    }
    statistics(of: batch, parts: 1, compute) { sample, _, _, sums in
      guard let sums else { return }
      measure(batch[sample].output, rows: 0..<plan.grid.rows, into: sums, compute)
    }
  }

  /// As the phases of one volume, the slices in the order of depth, then of samples.
  private func phases(
    _ batch: [Sample], _ tile: Int, _ scratch: UnsafeMutablePointer<Float>, _ compute: Compute
  ) {
    let (count, tiles) = (batch.count, plan.tiles(tile))
    let parameters = parameters(batch, tile, scratch, compute)
    let products = productsOf(parameters, tile, scratch + plan.weights(tile), compute)
    let productStride = plan.stride(tile, channels: outputChannels, samples: count)
    statistics(of: batch, parts: plan.grid.depth, compute) { sample, z, _, moments in
      var winograd = parameters[sample]
      compute.kernels.winogradOutput(
        &winograd, Int32(z), 0, Int32(tiles),
        products + (z * count + sample) * tiles * outputChannels, Int64(productStride), moments)
    }
  }

  /// Runs `body` for each part of each sample, with the sums and sums of squares that are its own where
  /// the output is measured; then takes the statistics.
  private func statistics(
    of batch: [Sample], parts: Int, _ compute: Compute,
    _ body: (
      _ sample: Int, _ part: Int, _ worker: Int, _ sums: UnsafeMutablePointer<Double>?
    ) -> Void
  ) {
    let first = batch[0].measured
    let isShared = batch.allSatisfy { $0.measured === first }
    let size = parts * 2 * outputChannels
    let moments: [UnsafeMutablePointer<Double>?] =
      isShared
      ? {
        let all = first?.moments(blocks: batch.count * parts)
        return batch.indices.map { index in all.map { $0 + index * size } }
      }() : batch.map { $0.measured?.moments(blocks: parts) }
    compute.run(blocks: batch.count * parts) { index, worker in
      let (sample, part) = index.quotientAndRemainder(dividingBy: parts)
      body(sample, part, worker, moments[sample].map { $0 + part * 2 * outputChannels })
    }
    if isShared {
      first?.take(blocks: batch.count * parts, count: batch.count * plan.grid.voxels)
    } else {
      for sample in batch { sample.measured?.take(blocks: parts, count: plan.grid.voxels) }
    }
  }
}
