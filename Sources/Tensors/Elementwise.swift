import CKernels

/// Kernels over tokens (N x C, row-major), each on the calling thread.
extension Compute {
  /// tokens += position, in place; normalised = LayerNorm(tokens), epsilon 1e-5.
  public func layerNorm(
    _ tokens: UnsafeMutablePointer<Float>, position: UnsafePointer<Float>, weight: Parameters,
    bias: Parameters, into normalised: UnsafeMutablePointer<Float>, count: Int, channels: Int
  ) {
    kernels.layerNorm(
      tokens, position, weight.pointer, bias.pointer, normalised, Int64(count), Int64(channels))
  }

  /// Softmax over each row, in place.
  public func softmax(_ values: UnsafeMutablePointer<Float>, rows: Int, columns: Int) {
    kernels.softmax(values, Int64(rows), Int64(columns))
  }

  /// Row (z, y) of the volume: tokens += gamma * update, in place, and a copy into `copy`.
  public func scaledResidual(
    _ tokens: Activation, z: Int, y: Int, update: UnsafePointer<Float>, gamma: Parameters,
    copy: HaloActivation
  ) {
    kernels.scaledResidual(
      tokens.data + z * tokens.plane + y * tokens.row, update, gamma.pointer,
      copy.line(z, y), Int64(tokens.grid.width), Int64(tokens.channels))
  }

  /// squares[channel] = sum of the squares of `count` tokens, taken in double.
  public func sumSquares(
    _ tokens: UnsafePointer<Float>, into squares: UnsafeMutablePointer<Float>, count: Int,
    channels: Int
  ) {
    withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * channels) { sums in
      guard let base = sums.baseAddress else { return }
      base.initialize(repeating: 0, count: 2 * channels)
      kernels.channelSums(tokens, Int64(count), Int64(channels), base, base + channels)
      for channel in 0..<channels { squares[channel] = Float(base[channels + channel]) }
    }
  }

  /// result = sum of `blocks` arrays of `size` floats, added in double and always in the same
  /// order.
  public func addUp(
    _ sums: UnsafePointer<Float>, blocks: Int, size: Int,
    into result: UnsafeMutablePointer<Float>
  ) {
    CKernels.addUp(sums, Int64(blocks), Int64(size), result)
  }

  /// values += bias for each of `count` voxels.
  public func add(
    bias: Parameters, to values: UnsafeMutablePointer<Float>, count: Int, channels: Int
  ) {
    kernels.addBias(values, bias.pointer, Int64(count), Int64(channels))
  }

  /// Planar input (C, D, H, W) to channels-last with a halo.
  public func interleave(_ input: UnsafePointer<Float>, into output: HaloActivation) {
    let grid = output.grid
    run(blocks: grid.rows) { row, _ in
      let (z, y) = row.quotientAndRemainder(dividingBy: grid.height)
      CKernels.interleave(
        input + row * grid.width, Int64(grid.voxels), Int64(output.channels), Int64(grid.width),
        output.line(z, y))
    }
  }
}
