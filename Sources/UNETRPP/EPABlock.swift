import Foundation
import Tensors

/// Efficient paired attention (the paper's section III.B): channel attention and spatial attention
/// that share queries and keys.
///
/// N tokens, C channels, h heads of d = C/h channels, projections to P << N tokens. With X the input
/// (N x C), keys and values of all tokens are never formed:
///   - channel attention needs q kᵀ = Wq (XᵀX) Wkᵀ and the norms of q's and k's rows, which are on
///     the diagonals of Wq (XᵀX) Wqᵀ and Wk (XᵀX) Wkᵀ; its output is a linear map of X;
///   - the projected keys are E k = (E X) Wkᵀ + b, the projected values (F X) Wvᵀ + b.
final class EPABlock {
  let tokens, channels, heads, projection: Int
  private var headChannels: Int { channels / heads }
  private let kind: BlockKind
  private let qkvv: Parameters  // [4][C][C]: q, k, v of channel and v of spatial attention
  private let e: Parameters  // [P][N]; tumor [N][P]
  private let f: Parameters?  // [P][N] where separate
  private let eBias: [Float]?  // [P]
  private let fBias: [Float]?  // [P]
  private let outSpatial: Parameters?  // [C/2][C]
  private let outChannel: Parameters?  // [C/2][C]
  private let outBias: Parameters?  // [C]
  private let temperature: [Float]  // [h]
  private let temperature2: [Float]  // [h]

  init(
    _ weights: Weights, kind: BlockKind, tokens: Int, channels: Int, heads: Int, projection: Int
  ) throws(NetworkError) {
    self.kind = kind
    self.tokens = tokens
    self.channels = channels
    self.heads = heads
    self.projection = projection
    qkvv = Parameters(try weights("qkvv.weight"))
    temperature = try weights("temperature")
    temperature2 = try weights("temperature2")
    if kind.hasOutputProjections {
      // In the shared case F is a second name of E and was loaded last by the reference.
      let shared = !kind.hasSeparateProjections && weights.has("F.weight") ? "F" : "E"
      e = Parameters(try weights("\(shared).weight"))
      eBias = try weights("\(shared).bias")
      f = kind.hasSeparateProjections ? Parameters(try weights("F.weight")) : nil
      fBias = kind.hasSeparateProjections ? try weights("F.bias") : eBias
      outSpatial = Parameters(try weights("out_proj.weight"))
      outChannel = Parameters(try weights("out_proj2.weight"))
      outBias = Parameters(try weights("out_proj.bias") + weights("out_proj2.bias"))
    } else {
      e = Parameters(try weights("EF"))
      (f, eBias, fBias, outSpatial, outChannel, outBias) = (nil, nil, nil, nil, nil, nil)
    }
  }

  /// Memory of one attention, shared by all blocks of a network.
  struct Scratch {
    let spatial: UnsafeMutablePointer<Float>  // N x C: output of the spatial attention
    let sums: UnsafeMutablePointer<Float>  // sums of each block of tokens
    let small: UnsafeMutablePointer<Float>  // matrices without a token axis
    let workers: UnsafeMutablePointer<Float>  // queries and attention of a block, each worker

    static let tokensOfBlock = 256

    /// Tokens that are summed together; does not depend on the number of threads.
    static func tokensOfSum(_ tokens: Int) -> Int { min(1024, max(64, tokens / 8)) }
    static func sumsOf(tokens: Int) -> Int {
      (tokens + tokensOfSum(tokens) - 1) / tokensOfSum(tokens)
    }

    static func sumsCount(tokens: Int, channels: Int, projection: Int) -> Int {
      sumsOf(tokens: tokens) * (channels * channels + 2 * projection * channels)
    }
    static func smallCount(channels: Int, projection: Int) -> Int {
      5 * channels * channels + 4 * projection * channels
    }
    static func workerCount(channels: Int, projection: Int) -> Int {
      tokensOfBlock * (channels + projection)
    }
  }

  /// The matrices of the attention that have no token axis.
  private struct Small {
    let gram, queryGram, keyGram, channelMap, outputMap: UnsafeMutablePointer<Float>  // C x C
    let projectedE, projectedF: UnsafeMutablePointer<Float>  // P x C
    let keys, values: UnsafeMutablePointer<Float>  // C x P

    init(_ base: UnsafeMutablePointer<Float>, channels: Int, projection: Int) {
      let square = channels * channels
      let flat = channels * projection
      gram = base
      queryGram = base + square
      keyGram = base + 2 * square
      channelMap = base + 3 * square
      outputMap = base + 4 * square
      projectedE = base + 5 * square
      projectedF = projectedE + flat
      keys = projectedF + flat
      values = keys + flat
    }
  }

  /// output (N x C) = EPA(x), x the normalised tokens (N x C).
  func callAsFunction(
    _ x: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>, scratch: Scratch,
    compute: Compute
  ) {
    let small = Small(scratch.small, channels: channels, projection: projection)
    sumOverTokens(x, small, scratch, compute)
    let queryNorms = channelAttention(small, compute)
    projectKeysAndValues(small, queryNorms: queryNorms)
    spatialAttention(x, small, scratch, compute)
    combine(x, small, scratch, into: output, compute)
  }

  /// gram = XᵀX (C x C), projectedE = E X (P x C), projectedF = F X (P x C).
  private func sumOverTokens(
    _ x: UnsafePointer<Float>, _ small: Small, _ scratch: Scratch, _ compute: Compute
  ) {
    let (c, p, n) = (channels, projection, tokens)
    let size = c * c + 2 * p * c
    let step = Scratch.tokensOfSum(n)
    let blocks = Scratch.sumsOf(tokens: n)
    compute.run(blocks: blocks) { block, _ in
      let first = block * step
      let count = min(step, n - first)
      let sums = scratch.sums + block * size
      let rows = Matrix(x + first * c, stride: c)  // n x C
      multiply(rows.transposed, rows, into: sums, stride: c, rows: c, columns: c, inner: count)
      for (index, weights) in [e, f].enumerated() {
        guard let weights else { continue }
        let projector =
          kind.hasOutputProjections
          ? Matrix(weights.pointer + first, stride: n)  // P x n
          : Matrix(weights.pointer + first * p, stride: p).transposed
        multiply(
          projector, rows, into: sums + c * c + index * p * c, stride: c, rows: p, columns: c,
          inner: count)
      }
    }
    compute.addUp(scratch.sums, blocks: blocks, size: c * c, stride: size, into: small.gram)
    compute.addUp(
      scratch.sums + c * c, blocks: blocks, size: p * c, stride: size, into: small.projectedE)
    if f != nil {
      compute.addUp(
        scratch.sums + c * c + p * c, blocks: blocks, size: p * c, stride: size,
        into: small.projectedF)
    }
  }

  /// Row s of the stacked projections: s = 0 q, 1 k, 2 v of channel, 3 v of spatial attention.
  private func weights(_ s: Int, head: Int = 0) -> UnsafeMutablePointer<Float> {
    qkvv.pointer + (s * channels + head * headChannels) * channels
  }

  /// channelMap (C x C): x_CA = X channelMapᵀ. outputMap: its product with the output projection.
  /// - Returns: the norm over all tokens of each channel of q.
  private func channelAttention(_ small: Small, _ compute: Compute) -> [Float] {
    let (c, d) = (channels, headChannels)
    let gram = Matrix(small.gram, stride: c)
    for (s, product) in [(0, small.queryGram), (1, small.keyGram)] {
      multiply(
        Matrix(weights(s), stride: c), gram, into: product, stride: c, rows: c, columns: c,
        inner: c)
    }
    let keyNorms = norms(small.keyGram, weights(1))
    let queryNorms = norms(small.queryGram, weights(0))
    let attention = small.gram  // its values are used up
    for head in 0..<heads {
      multiply(  // q kᵀ: d x d
        Matrix(small.queryGram + head * d * c, stride: c),
        Matrix(weights(1, head: head), stride: c).transposed, into: attention, stride: d, rows: d,
        columns: d, inner: c)
      for i in 0..<d {
        for j in 0..<d {
          attention[i * d + j] *=
            temperature[head] / (queryNorms[head * d + i] * keyNorms[head * d + j])
        }
      }
      compute.softmax(attention, rows: d, columns: d)
      multiply(  // rows of this head: (d x d) · (d x C)
        Matrix(attention, stride: d), Matrix(weights(2, head: head), stride: c),
        into: small.channelMap + head * d * c, stride: c, rows: d, columns: c, inner: d)
    }
    if let outChannel {
      multiply(  // (C/2 x C) · (C x C)
        Matrix(outChannel.pointer, stride: c), Matrix(small.channelMap, stride: c),
        into: small.outputMap, stride: c, rows: c / 2, columns: c, inner: c)
    }
    return queryNorms
  }

  /// The norm over all tokens of each channel of X Wᵀ, at least 1e-12: the square root of the
  /// diagonal of W gram Wᵀ, where product = W gram.
  private func norms(
    _ product: UnsafePointer<Float>, _ weights: UnsafePointer<Float>
  ) -> [Float] {
    (0..<channels).map { row in
      var square = 0.0
      for i in row * channels..<(row + 1) * channels {
        square += Double(product[i]) * Double(weights[i])
      }
      return Float(max(1e-12, max(0, square).squareRoot()))
    }
  }

  /// keys (C x P), scaled so that X Wqᵀ · keys are the logits of the spatial attention, and values
  /// (C x P).
  private func projectKeysAndValues(_ small: Small, queryNorms: [Float]) {
    let (c, d, p) = (channels, headChannels, projection)
    let projectedF = f == nil ? small.projectedE : small.projectedF
    for (s, projected, result) in [
      (1, small.projectedE, small.keys), (3, projectedF, small.values),
    ] {
      multiply(  // (C x C) · (C x P)
        Matrix(weights(s), stride: c), Matrix(projected, stride: c).transposed, into: result,
        stride: p, rows: c, columns: p, inner: c)
    }
    for channel in 0..<c {
      let scale = temperature2[channel / d] / queryNorms[channel]
      for i in 0..<p {
        small.keys[channel * p + i] = (small.keys[channel * p + i] + (eBias?[i] ?? 0)) * scale
        small.values[channel * p + i] += fBias?[i] ?? 0
      }
    }
  }

  /// spatial = softmax(q keys) valuesᵀ, stored as [d][h][N]. The published networks read this
  /// memory as N x C without moving it, and were trained so.
  private func spatialAttention(
    _ x: UnsafePointer<Float>, _ small: Small, _ scratch: Scratch, _ compute: Compute
  ) {
    let (c, d, p, n) = (channels, headChannels, projection, tokens)
    let step = Scratch.tokensOfBlock
    compute.run(blocks: (n + step - 1) / step) { block, worker in
      let first = block * step
      let count = min(step, n - first)
      let queries = scratch.workers + worker * Scratch.workerCount(channels: c, projection: p)
      let attention = queries + step * c
      multiply(  // (n x C) · (C x C)
        Matrix(x + first * c, stride: c), Matrix(weights(0), stride: c).transposed, into: queries,
        stride: c, rows: count, columns: c, inner: c)
      for head in 0..<heads {
        multiply(  // (n x d) · (d x P)
          Matrix(queries + head * d, stride: c), Matrix(small.keys + head * d * p, stride: p),
          into: attention, stride: p, rows: count, columns: p, inner: d)
        compute.softmax(attention, rows: count, columns: p)
        multiply(  // (d x P) · (P x n)
          Matrix(small.values + head * d * p, stride: p),
          Matrix(attention, stride: p).transposed, into: scratch.spatial + head * n + first,
          stride: heads * n, rows: d, columns: count, inner: p)
      }
    }
  }

  /// output (N x C): both attentions' projections side by side (C/2 channels each), or their sum.
  private func combine(
    _ x: UnsafePointer<Float>, _ small: Small, _ scratch: Scratch,
    into output: UnsafeMutablePointer<Float>, _ compute: Compute
  ) {
    let (c, n) = (channels, tokens)
    let step = Scratch.tokensOfBlock
    compute.run(blocks: (n + step - 1) / step) { block, _ in
      let first = block * step
      let count = min(step, n - first)
      let tokens = Matrix(x + first * c, stride: c)
      let result = output + first * c
      if let outSpatial, let outBias {
        multiply(  // (n x C) · (C x C/2)
          Matrix(scratch.spatial + first * c, stride: c),
          Matrix(outSpatial.pointer, stride: c).transposed, into: result, stride: c, rows: count,
          columns: c / 2, inner: c)
        multiply(  // (n x C) · (C x C/2)
          tokens, Matrix(small.outputMap, stride: c).transposed, into: result + c / 2, stride: c,
          rows: count, columns: c / 2, inner: c)
        compute.add(bias: outBias, to: result, count: count, channels: c)
      } else {
        result.update(from: scratch.spatial + first * c, count: count * c)
        multiply(  // (n x C) · (C x C)
          tokens, Matrix(small.channelMap, stride: c).transposed, into: result, stride: c,
          rows: count, columns: c, inner: c, beta: 1)
      }
    }
  }
}
