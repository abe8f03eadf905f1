import CKernels

extension Compute {
  /// The floats of scratch that `attendGradient` needs for a block of `count` tokens.
  public static func attendGradientScratch(
    count: Int, channels: Int, heads: Int, projection: Int
  ) -> Int {
    Int(
      CKernels.attendGradientScratch(
        Int64(count), Int32(heads), Int32(channels / heads), Int32(projection)))
  }

  /// The gradient of `attend` for tokens [first, first + count), on the calling thread. The
  /// probabilities are computed again, a few tokens at a time.
  /// - Parameters:
  ///   - queries: N x C.
  ///   - keys: C x P; so are the values.
  ///   - values: C x P, projected like the keys.
  ///   - gradient: of the output, [C / heads][heads][N].
  ///   - queryGradient: N x C, of which the block's rows are written.
  ///   - keySums: C x P: the block's part of the gradient of the keys; so of the values.
  ///   - valueSums: as `keySums`.
  ///   - scratch: `attendGradientScratch` floats.
  ///   - first: the first token of the block.
  ///   - count: tokens in the block.
  ///   - tokens: N, the tokens of the whole volume.
  ///   - channels: C, of all heads together.
  ///   - heads: heads that the channels are divided into.
  ///   - projection: P, the projected tokens.
  public func attendGradient(
    _ queries: UnsafePointer<Float>, keys: UnsafePointer<Float>, values: UnsafePointer<Float>,
    gradient: UnsafePointer<Float>, queryGradient: UnsafeMutablePointer<Float>,
    keySums: UnsafeMutablePointer<Float>, valueSums: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>, first: Int, count: Int, tokens: Int, channels: Int,
    heads: Int, projection: Int
  ) {
    var parameters = AttendGradient(
      queries: queries + first * channels, keys: keys, values: values, gradient: gradient + first,
      queryGradient: queryGradient + first * channels, keySums: keySums, valueSums: valueSums,
      tokens: Int64(tokens), heads: Int32(heads), d: Int32(channels / heads),
      projection: Int32(projection))
    kernels.attendGradient(&parameters, Int64(count), scratch)
  }

  /// The gradient of a softmax over rows of `columns`: of the probabilities becomes that of the
  /// logits, on the calling thread.
  public func softmaxGradient(
    _ probabilities: UnsafePointer<Float>, _ gradient: UnsafeMutablePointer<Float>, rows: Int,
    columns: Int
  ) {
    for row in 0..<rows {
      let (values, gradient) = (probabilities + row * columns, gradient + row * columns)
      var mean: Float = 0
      for i in 0..<columns { mean += values[i] * gradient[i] }
      for i in 0..<columns { gradient[i] = values[i] * (gradient[i] - mean) }
    }
  }
}

/// The gradient of a 1x1x1 convolution with bias from channels-last to planar logits.
public struct HeadWeightGradient: Sendable {
  let channels, classes, voxels: Int
  private static let blockVoxels = 4096
  private var blocks: Int { (voxels + Self.blockVoxels - 1) / Self.blockVoxels }
  private var size: Int { classes * (channels + 1) }

  /// - Parameters:
  ///   - channels: channels of the input.
  ///   - classes: of the logits.
  ///   - voxels: of one sample.
  public init(channels: Int, classes: Int, voxels: Int) {
    self.channels = channels
    self.classes = classes
    self.voxels = voxels
  }

  /// The floats of scratch that it needs.
  public var scratch: Int { blocks * size }

  /// One sample: values' gradient into (or added to) `result`, the parameters' added to `weightSums`
  /// ([class][channel]) and `biasSums`.
  /// - Parameters:
  ///   - values: the input, channels-last.
  ///   - gradient: of the logits, planar.
  ///   - weights: [class][channel].
  ///   - result: the gradient of the values.
  ///   - accumulates: whether it is added to what the result held.
  ///   - weightSums: the gradient of the weights.
  ///   - biasSums: the gradient of the bias.
  ///   - scratch: as many floats as it needs.
  ///   - compute: the kernels and worker threads.
  public func callAsFunction(
    _ values: UnsafePointer<Float>, gradient: UnsafePointer<Float>,
    weights: UnsafePointer<Float>, into result: UnsafeMutablePointer<Float>, accumulates: Bool,
    addingTo weightSums: UnsafeMutablePointer<Float>, _ biasSums: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>, compute: Compute
  ) {
    compute.run(blocks: blocks) { block, _ in
      let first = block * Self.blockVoxels
      var parameters = HeadGradient(
        values: values + first * channels, gradient: gradient + first, weights: weights,
        result: result + first * channels, plane: Int64(voxels), channels: Int32(channels),
        classes: Int32(classes), adds: accumulates)
      compute.kernels.headGradient(
        &parameters, Int64(min(Self.blockVoxels, voxels - first)), scratch + block * size)
    }
    compute.addUp(
      scratch, blocks: blocks, size: classes * channels, stride: size, addedTo: weightSums)
    compute.addUp(
      scratch + classes * channels, blocks: blocks, size: classes, stride: size, addedTo: biasSums)
  }
}
