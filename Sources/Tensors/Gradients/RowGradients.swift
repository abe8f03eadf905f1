import CKernels

/// Forward and backward operations on rows of channels (voxels or tokens, row-major), all rows of a
/// batch at once. Sums are taken in blocks that depend on the number of rows alone, in double, and
/// added in order.
extension Compute {
  /// Rows that are summed together.
  private static func rowsOfSum(_ rows: Int) -> Int { min(8192, max(256, (rows + 31) / 32)) }

  /// Runs `body` for blocks of at most 1024 rows.
  public func rowBlocks(_ rows: Int, _ body: (_ first: Int, _ count: Int) -> Void) {
    let step = min(1024, max(32, (rows + 15) / 16))
    run(blocks: (rows + step - 1) / step) { block, _ in
      body(block * step, min(step, rows - block * step))
    }
  }

  /// Sums of `count` values over blocks of rows, each zero before `body` adds to it; the total goes
  /// to `use`.
  public func sumOverRows(
    _ rows: Int, count: Int,
    _ body: (_ first: Int, _ rows: Int, _ sums: UnsafeMutablePointer<Double>) -> Void,
    use: (_ sums: UnsafePointer<Double>) -> Void
  ) {
    let step = Self.rowsOfSum(rows)
    let blocks = (rows + step - 1) / step
    withUnsafeTemporaryAllocation(of: Double.self, capacity: max(1, blocks * count)) { sums in
      guard let sums = sums.baseAddress else { return }
      sums.initialize(repeating: 0, count: max(1, blocks * count))
      run(blocks: blocks) { block, _ in
        body(block * step, min(step, rows - block * step), sums + block * count)
      }
      for block in 1..<max(1, blocks) {
        for i in 0..<count { sums[i] += sums[block * count + i] }
      }
      use(sums)
    }
  }

  /// result[channel] += sum over rows: the gradient of a bias.
  public func addColumnSums(
    _ gradient: UnsafePointer<Float>, rows: Int, channels: Int,
    to result: UnsafeMutablePointer<Float>
  ) {
    sumOverRows(rows, count: 2 * channels) { first, count, sums in
      kernels.channelSums(
        gradient + first * channels, Int64(count), Int64(channels), sums, sums + channels)
    } use: { sums in
      for channel in 0..<channels { result[channel] += Float(sums[channel]) }
    }
  }

  /// result += x.
  public func add(
    _ x: UnsafePointer<Float>, to result: UnsafeMutablePointer<Float>, count: Int
  ) {
    let step = 32768
    run(blocks: (count + step - 1) / step) { block, _ in
      let first = block * step
      kernels.add(x + first, Int64(min(step, count - first)), result + first)
    }
  }

  /// result = x * factors [+ residual], a factor for each channel; may be in place.
  public func scale(
    _ x: UnsafePointer<Float>, by factors: UnsafePointer<Float>,
    plus residual: UnsafePointer<Float>? = nil, into result: UnsafeMutablePointer<Float>,
    rows: Int, channels: Int
  ) {
    rowBlocks(rows) { first, count in
      let place = first * channels
      kernels.scaleRows(
        x + place, factors, residual.map { $0 + place }, Int64(count), Int32(channels),
        result + place)
    }
  }

  /// As `scale`, on the calling thread.
  public func scaleRows(
    _ x: UnsafePointer<Float>, by factors: UnsafePointer<Float>,
    plus residual: UnsafePointer<Float>? = nil, into result: UnsafeMutablePointer<Float>,
    rows: Int, channels: Int
  ) {
    kernels.scaleRows(x, factors, residual, Int64(rows), Int32(channels), result)
  }

  /// The gradient of `scale`: result = gradient * factors, which may be in place; gradients[channel]
  /// += sum over rows of gradient * x.
  public func scaleGradient(
    _ gradient: UnsafePointer<Float>, of x: UnsafePointer<Float>,
    by factors: UnsafePointer<Float>, into result: UnsafeMutablePointer<Float>,
    addingTo gradients: UnsafeMutablePointer<Float>, rows: Int, channels: Int
  ) {
    sumOverRows(rows, count: channels) { first, count, sums in
      let place = first * channels
      kernels.scaleGradient(
        gradient + place, x + place, factors, Int64(count), Int32(channels), result + place, sums)
    } use: { sums in
      for channel in 0..<channels { gradients[channel] += Float(sums[channel]) }
    }
  }

  /// placed = tokens + position; normalised = LayerNorm(placed), epsilon 1e-5; `rows` tokens of one
  /// sample.
  public func layerNorm(
    _ tokens: UnsafePointer<Float>, position: UnsafePointer<Float>, weight: UnsafePointer<Float>,
    bias: UnsafePointer<Float>, placed: UnsafeMutablePointer<Float>,
    into normalised: UnsafeMutablePointer<Float>, rows: Int, channels: Int
  ) {
    rowBlocks(rows) { first, count in
      let place = first * channels
      kernels.layerNorm(
        tokens + place, position + place, weight, bias, placed + place, normalised + place,
        Int64(count), Int64(channels))
    }
  }

  /// The gradient of `layerNorm`, `rows` tokens of one sample.
  /// - Parameters:
  ///   - placed: what was normalised.
  ///   - gradient: of the normalised tokens.
  ///   - weight: of LayerNorm.
  ///   - result: to which the gradient of `placed` is added, which is that of the tokens too.
  ///   - position: to which the result is added if `isFirst` is false, or which becomes the result.
  ///   - isFirst: whether this is the first sample of the batch.
  ///   - weights: to which the gradient of the weight is added; so the bias's.
  ///   - biases: as `weights`.
  ///   - rows: tokens.
  ///   - channels: of each token.
  public func layerNormGradient(
    _ placed: UnsafePointer<Float>, _ gradient: UnsafePointer<Float>,
    weight: UnsafePointer<Float>, addedTo result: UnsafeMutablePointer<Float>,
    position: UnsafeMutablePointer<Float>, isFirst: Bool,
    addingTo weights: UnsafeMutablePointer<Float>, _ biases: UnsafeMutablePointer<Float>,
    rows: Int, channels: Int
  ) {
    sumOverRows(rows, count: 2 * channels) { first, count, sums in
      let place = first * channels
      kernels.layerNormGradient(
        placed + place, gradient + place, weight, Int64(count), Int32(channels), result + place,
        position + place, !isFirst, sums)
    } use: { sums in
      for channel in 0..<channels {
        biases[channel] += Float(sums[channel])
        weights[channel] += Float(sums[channels + channel])
      }
    }
  }
}
