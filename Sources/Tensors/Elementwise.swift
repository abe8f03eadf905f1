import CKernels

/// Kernels over tokens (N x C, row-major), each on the calling thread.
extension Compute {
  /// placed = tokens + position; normalised = LayerNorm(placed), epsilon 1e-5.
  public func layerNorm(
    _ tokens: UnsafePointer<Float>, position: UnsafePointer<Float>, weight: Parameters,
    bias: Parameters, placed: UnsafeMutablePointer<Float>,
    into normalised: UnsafeMutablePointer<Float>, count: Int, channels: Int
  ) {
    kernels.layerNorm(
      tokens, position, weight.pointer, bias.pointer, placed, normalised, Int64(count),
      Int64(channels))
  }

  /// Softmax over each row, in place.
  public func softmax(_ values: UnsafeMutablePointer<Float>, rows: Int, columns: Int) {
    kernels.softmax(values, Int64(rows), Int64(columns))
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

  /// result[h][i][j] = sum over `count` tokens of a[h*d + i] * b[h*d + j], d channels a head.
  public func headProducts(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    into result: UnsafeMutablePointer<Float>, count: Int, channels: Int, headChannels: Int
  ) {
    kernels.headProducts(a, b, Int64(count), Int32(channels), Int32(headChannels), result)
  }

  /// output[j][h][n] = softmax(queries · keys) · values, for tokens [first, first + count).
  /// - Parameters:
  ///   - queries: N x C.
  ///   - keys: C x P; so are the values.
  ///   - values: C x P, projected like the keys.
  ///   - output: [C / heads][heads][N].
  ///   - first: the first token of the block.
  ///   - count: tokens in the block.
  ///   - tokens: N, the tokens of the whole volume.
  ///   - channels: C, of all heads together.
  ///   - heads: heads that the channels are divided into.
  ///   - projection: P, the projected tokens.
  public func attend(
    _ queries: UnsafePointer<Float>, keys: UnsafePointer<Float>, values: UnsafePointer<Float>,
    into output: UnsafeMutablePointer<Float>, first: Int, count: Int, tokens: Int, channels: Int,
    heads: Int, projection: Int
  ) {
    kernels.attend(
      queries + first * channels, Int64(count), keys, values, Int32(heads),
      Int32(channels / heads), Int32(projection), output + first, Int64(tokens))
  }

  /// As `addUp`, on the calling thread.
  public static func addUpHere(
    _ sums: UnsafePointer<Float>, blocks: Int, size: Int,
    into result: UnsafeMutablePointer<Float>
  ) {
    CKernels.addUp(sums, Int64(blocks), Int64(size), Int64(size), result)
  }

  /// result[i] = sum of `blocks` arrays of `size` floats, added in double and always in the same
  /// order.
  public func addUp(
    _ sums: UnsafePointer<Float>, blocks: Int, size: Int,
    into result: UnsafeMutablePointer<Float>
  ) {
    let piece = 4096
    run(blocks: (size + piece - 1) / piece) { index, _ in
      let first = index * piece
      CKernels.addUp(
        sums + first, Int64(blocks), Int64(size), Int64(min(piece, size - first)), result + first)
    }
  }

  /// Planar input (C, D, H, W) to channels-last with a halo, which is set to zero.
  public func interleave(_ input: UnsafePointer<Float>, into output: HaloActivation) {
    let (grid, voxels) = (output.grid, output.voxels)
    run(blocks: grid.depth + 2) { slab, _ in
      let z = slab - 1
      (voxels.line(z, -1) - output.channels).update(repeating: 0, count: voxels.plane)
      guard (0..<grid.depth).contains(z) else { return }
      for y in 0..<grid.height {
        CKernels.interleave(
          input + (z * grid.height + y) * grid.width, Int64(grid.voxels), Int64(output.channels),
          Int64(grid.width), voxels.line(z, y))
      }
    }
  }

  /// A row of `count` voxels of planar input, `plane` voxels a channel, to channels-last, on the
  /// calling thread.
  public func interleaveRow(
    _ input: UnsafePointer<Float>, plane: Int, channels: Int, count: Int,
    into output: UnsafeMutablePointer<Float>
  ) {
    CKernels.interleave(input, Int64(plane), Int64(channels), Int64(count), output)
  }
}
