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

  /// The sum of the products of `count` pairs, on the calling thread; sixteen sums side by side.
  public static func dot(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, count: Int
  ) -> Float {
    var sums = SIMD16<Float>.zero
    let whole = count - count % 16
    for i in stride(from: 0, to: whole, by: 16) {
      sums +=
        UnsafeRawPointer(a + i).loadUnaligned(as: SIMD16<Float>.self)
        * UnsafeRawPointer(b + i).loadUnaligned(as: SIMD16<Float>.self)
    }
    return (whole..<count).reduce(sums.sum()) { $0 + a[$1] * b[$1] }
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

  /// placed = tokens + position; normalised = LayerNorm(placed), epsilon 1e-5; `rows` tokens of each
  /// of `samples`, which follow each other.
  public func layerNorm(
    _ tokens: UnsafePointer<Float>, position: UnsafePointer<Float>, weight: UnsafePointer<Float>,
    bias: UnsafePointer<Float>, placed: UnsafeMutablePointer<Float>,
    into normalised: UnsafeMutablePointer<Float>, rows: Int, samples: Int, channels: Int
  ) {
    rowBlocks(rows) { first, count in
      for sample in 0..<samples {
        let place = (sample * rows + first) * channels
        kernels.layerNorm(
          tokens + place, position + first * channels, weight, bias, placed + place,
          normalised + place, Int64(count), Int64(channels))
      }
    }
  }

  /// The gradient of `layerNorm`, `rows` tokens of each of `samples`, which follow each other.
  /// - Parameters:
  ///   - placed: what was normalised.
  ///   - gradient: of the normalised tokens.
  ///   - weight: of LayerNorm.
  ///   - result: to which the gradient of `placed` is added, which is that of the tokens too.
  ///   - position: becomes the sum of the samples' results.
  ///   - weights: to which the gradient of the weight is added; so the bias's.
  ///   - biases: as `weights`.
  ///   - rows: tokens of a sample.
  ///   - samples: of the batch.
  ///   - channels: of each token.
  public func layerNormGradient(
    _ placed: UnsafePointer<Float>, _ gradient: UnsafePointer<Float>,
    weight: UnsafePointer<Float>, addedTo result: UnsafeMutablePointer<Float>,
    position: UnsafeMutablePointer<Float>, addingTo weights: UnsafeMutablePointer<Float>,
    _ biases: UnsafeMutablePointer<Float>, rows: Int, samples: Int, channels: Int
  ) {
    sumOverRows(rows, count: 2 * channels) { first, count, sums in
      // The samples in turn: the block's positions stay in the cache.
      for sample in 0..<samples {
        let place = (sample * rows + first) * channels
        kernels.layerNormGradient(
          placed + place, gradient + place, weight, Int64(count), Int32(channels),
          result + place, position + first * channels, sample > 0, sums)
      }
    } use: { sums in
      for channel in 0..<channels {
        biases[channel] += Float(sums[channel])
        weights[channel] += Float(sums[channels + channel])
      }
    }
  }
}
