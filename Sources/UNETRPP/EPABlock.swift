import Foundation
import Tensors

/// Efficient paired attention (the paper's section III.B): channel attention and spatial attention
/// that share queries and keys.
///
/// N tokens, C channels, h heads of d = C/h channels, projections to P << N tokens. With X the input
/// (N x C), neither kind of values is formed for all tokens:
///   - the projected keys are E k = (E X) Wkᵀ + b, the projected values (F X) Wvᵀ + b;
///   - the output of the channel attention is a linear map of X.
/// The norms of q and k are taken of q and k themselves: from XᵀX they would lose half of their
/// digits where a channel is small on all tokens.
final class EPABlock {
  let tokens, channels, heads, projection: Int
  private var headChannels: Int { channels / heads }
  private let kind: BlockKind
  private let qkvv: Parameters  // [4][C][C]: q, k, v of channel and v of spatial attention
  private let queriesMap, keysMap: Linear  // q and k again, packed
  private let e: Parameters  // [P][N]; tumor [N][P]
  private let f: Parameters?  // [P][N] where separate
  private let eBias: [Float]?  // [P]
  private let fBias: [Float]?  // [P]
  private let outSpatial: Linear?  // C -> C/2
  private let outChannel: Parameters?  // [C/2][C]
  private let outBias: Parameters?  // [C]
  private let temperature: [Float]  // [h]
  private let temperature2: [Float]  // [h]

  init(
    _ weights: Weights, kind: BlockKind, tokens: Int, channels: Int, heads: Int, projection: Int,
    compute: Compute
  ) throws(NetworkError) {
    self.kind = kind
    self.tokens = tokens
    self.channels = channels
    self.heads = heads
    self.projection = projection
    let qkvv = try weights("qkvv.weight")
    func map(_ s: Int) -> Linear {
      Linear(
        weights: Array(qkvv[s * channels * channels..<(s + 1) * channels * channels]),
        inputChannels: channels, outputChannels: channels, compute: compute)
    }
    self.qkvv = Parameters(qkvv)
    queriesMap = map(0)
    keysMap = map(1)
    temperature = try weights("temperature")
    temperature2 = try weights("temperature2")
    if kind.hasOutputProjections {
      // In the shared case F is a second name of E and was loaded last by the reference.
      let shared = !kind.hasSeparateProjections && weights.has("F.weight") ? "F" : "E"
      e = try weights.inPlace("\(shared).weight")
      eBias = try weights("\(shared).bias")
      f = kind.hasSeparateProjections ? try weights.inPlace("F.weight") : nil
      fBias = kind.hasSeparateProjections ? try weights("F.bias") : eBias
      outSpatial = Linear(
        weights: try weights("out_proj.weight"), inputChannels: channels,
        outputChannels: channels / 2, compute: compute)
      outChannel = Parameters(try weights("out_proj2.weight"))
      outBias = Parameters(try weights("out_proj.bias") + weights("out_proj2.bias"))
    } else {
      e = try weights.inPlace("EF")
      (f, eBias, fBias, outSpatial, outChannel, outBias) = (nil, nil, nil, nil, nil, nil)
    }
  }

  /// Memory of one attention, shared by all blocks of a network.
  struct Scratch {
    let queries: UnsafeMutablePointer<Float>  // N x C
    let spatial: UnsafeMutablePointer<Float>  // N x C: output of the spatial attention
    let sums: UnsafeMutablePointer<Float>  // sums of each block of tokens
    let small: UnsafeMutablePointer<Float>  // matrices without a token axis
    let workers: UnsafeMutablePointer<Float>  // keys of a block, each worker

    static let tokensOfBlock = 256

    /// Tokens that are summed together; does not depend on the number of threads.
    static func tokensOfSum(_ tokens: Int) -> Int { min(1024, max(64, tokens / 8)) }
    static func sumsOf(tokens: Int) -> Int {
      (tokens + tokensOfSum(tokens) - 1) / tokensOfSum(tokens)
    }

    /// What is summed over tokens: q kᵀ of every head, squares of q and of k, E X, F X.
    static func sumCount(channels: Int, heads: Int, projection: Int) -> Int {
      channels * (channels / heads) + 2 * channels + 2 * projection * channels
    }
    static func sumsCount(tokens: Int, channels: Int, heads: Int, projection: Int) -> Int {
      sumsOf(tokens: tokens) * sumCount(channels: channels, heads: heads, projection: projection)
    }
    static func smallCount(channels: Int, heads: Int, projection: Int) -> Int {
      sumCount(channels: channels, heads: heads, projection: projection)
        + 2 * channels * channels + 2 * projection * channels
        + PackedMatrix.count(inner: channels, columns: channels)
    }
    static func workerCount(tokens: Int, channels: Int) -> Int {
      tokensOfSum(tokens) * channels
    }
  }

  /// The matrices of the attention that have no token axis.
  private struct Small {
    let attention: UnsafeMutablePointer<Float>  // h x d x d: q kᵀ, then its softmax
    let querySquares, keySquares: UnsafeMutablePointer<Float>  // C: sums over all tokens
    let projectedE, projectedF: UnsafeMutablePointer<Float>  // P x C: E X, F X
    let channelMap, outputMap: UnsafeMutablePointer<Float>  // C x C
    let packedMap: UnsafeMutablePointer<Float>  // the last of them, packed
    let keys, values: UnsafeMutablePointer<Float>  // C x P

    init(_ base: UnsafeMutablePointer<Float>, channels: Int, heads: Int, projection: Int) {
      let square = channels * channels
      let flat = channels * projection
      attention = base
      querySquares = base + square / heads
      keySquares = querySquares + channels
      projectedE = keySquares + channels
      projectedF = projectedE + flat
      channelMap = projectedF + flat
      outputMap = channelMap + square
      keys = outputMap + square
      values = keys + flat
      packedMap = values + flat
    }
  }

  /// output (channels C) = EPA(x) * scale + residual, x the normalised tokens (N x C).
  func callAsFunction(
    _ x: Activation, scale: Parameters? = nil, plus residual: Voxels? = nil, into output: Voxels,
    scratch: Scratch, compute: Compute
  ) {
    let small = Small(scratch.small, channels: channels, heads: heads, projection: projection)
    compute.timed("attention: q, k and sums over tokens", multiplyAdds: sumMultiplications) {
      sumOverTokens(x.data, scratch, compute)
    }
    compute.timed("attention: matrices without tokens", multiplyAdds: smallMultiplications) {
      channelAttention(small, compute)
      projectKeysAndValues(small, compute)
    }
    compute.timed(
      "attention: spatial", multiplyAdds: 2 * tokens * channels * projection,
      exponentials: tokens * heads * projection
    ) {
      spatialAttention(small, scratch, compute)
    }
    compute.timed(
      "attention: output", multiplyAdds: tokens * channels * channels
    ) {
      combine(x, small, scratch, scale, residual, into: output, compute)
    }
  }

  private var sumMultiplications: Int {
    tokens * channels * (2 * channels + headChannels + projection * (f == nil ? 1 : 2))
  }
  private var smallMultiplications: Int {
    channels * channels * (headChannels + channels / 2 + 2 * projection)
  }

  /// Queries of all tokens, and what is summed over tokens: q kᵀ (d x d a head), squares of q and k
  /// (C), E X and F X (P x C).
  private func sumOverTokens(_ x: UnsafePointer<Float>, _ scratch: Scratch, _ compute: Compute) {
    let (c, n) = (channels, tokens)
    let size = Scratch.sumCount(channels: c, heads: heads, projection: projection)
    let step = Scratch.tokensOfSum(n)
    let blocks = Scratch.sumsOf(tokens: n)
    let workerSize = Scratch.workerCount(tokens: n, channels: c)
    compute.run(blocks: blocks) { block, worker in
      let first = block * step
      let count = min(step, n - first)
      let sums = Small(
        scratch.sums + block * size, channels: c, heads: heads, projection: projection)
      let queries = scratch.queries + first * c
      let keys = scratch.workers + worker * workerSize
      for (map, result, squares) in [
        (queriesMap, queries, sums.querySquares), (keysMap, keys, sums.keySquares),
      ] {
        map.rows(x + first * c, into: result, count: count, compute: compute)  // (n x C) · (C x C)
        compute.sumSquares(result, into: squares, count: count, channels: c)
      }
      compute.headProducts(  // (d x n) · (n x d) of every head
        queries, keys, into: sums.attention, count: count, channels: c, headChannels: headChannels)
      project(x + first * c, first: first, count: count, sums, compute)
    }
    compute.addUp(scratch.sums, blocks: blocks, size: size, into: scratch.small)
  }

  /// E X and, where separate, F X of a block of tokens: (P x n) · (n x C).
  private func project(
    _ rows: UnsafePointer<Float>, first: Int, count: Int, _ sums: Small, _ compute: Compute
  ) {
    let (c, p, n) = (channels, projection, tokens)
    let isTransposed = !kind.hasOutputProjections  // N x P
    for (weights, result) in [(e, sums.projectedE), (f, sums.projectedF)] {
      guard let weights else { continue }
      compute.outerProducts(
        weights.pointer + (isTransposed ? first * p : first), stride: isTransposed ? p : 1,
        rowStride: isTransposed ? 1 : n, rows: p, rows, stride: c, columns: c, count: count,
        into: result, stride: c)
    }
  }

  /// Row s of the stacked projections: s = 0 q, 1 k, 2 v of channel, 3 v of spatial attention.
  private func weights(_ s: Int, head: Int = 0) -> UnsafeMutablePointer<Float> {
    qkvv.pointer + (s * channels + head * headChannels) * channels
  }

  /// The norm over all tokens of a channel, at least 1e-12.
  private func norm(_ square: Float) -> Float { max(1e-12, square.squareRoot()) }

  /// channelMap (C x C): x_CA = X channelMapᵀ. outputMap: its product with the output projection.
  private func channelAttention(_ small: Small, _ compute: Compute) {
    let (c, d) = (channels, headChannels)
    for row in 0..<c {
      let scale = temperature[row / d] / norm(small.querySquares[row])
      for j in 0..<d {
        small.attention[row * d + j] *= scale / norm(small.keySquares[row / d * d + j])
      }
    }
    compute.softmax(small.attention, rows: c, columns: d)
    for head in 0..<heads {
      compute.smallProduct(  // (d x d) · (d x C)
        Matrix(small.attention + head * d * d, stride: d),
        Matrix(weights(2, head: head), stride: c),
        into: small.channelMap + head * d * c, stride: c, rows: d, columns: c, inner: d)
    }
    guard let outChannel else {
      return packedMap(small, compute).pack(small.channelMap)
    }
    compute.smallProduct(  // (C/2 x C) · (C x C)
      Matrix(outChannel.pointer, stride: c), Matrix(small.channelMap, stride: c),
      into: small.outputMap, stride: c, rows: c / 2, columns: c, inner: c)
    packedMap(small, compute).pack(small.outputMap)
  }

  /// The map from X to the channel attention's part of the output.
  private func packedMap(_ small: Small, _ compute: Compute) -> PackedMatrix {
    PackedMatrix(
      small.packedMap, inner: channels, columns: outChannel == nil ? channels : channels / 2,
      compute: compute)
  }

  /// keys (C x P), scaled so that q · keys are the logits of the spatial attention, and values
  /// (C x P).
  private func projectKeysAndValues(_ small: Small, _ compute: Compute) {
    let (c, d, p) = (channels, headChannels, projection)
    let projectedF = f == nil ? small.projectedE : small.projectedF
    for (s, projected, result) in [
      (1, small.projectedE, small.keys), (3, projectedF, small.values),
    ] {
      compute.smallProduct(  // (C x C) · (C x P)
        Matrix(weights(s), stride: c), Matrix(projected, stride: c).transposed, into: result,
        stride: p, rows: c, columns: p, inner: c)
    }
    for channel in 0..<c {
      let scale = temperature2[channel / d] / norm(small.querySquares[channel])
      for i in 0..<p {
        small.keys[channel * p + i] = (small.keys[channel * p + i] + (eBias?[i] ?? 0)) * scale
        small.values[channel * p + i] += fBias?[i] ?? 0
      }
    }
  }

  /// spatial = softmax(q keys) valuesᵀ, stored as [d][h][N]. The published networks read this
  /// memory as N x C without moving it, and were trained so.
  private func spatialAttention(_ small: Small, _ scratch: Scratch, _ compute: Compute) {
    let step = Scratch.tokensOfBlock
    compute.run(blocks: (tokens + step - 1) / step) { block, _ in
      let first = block * step
      compute.attend(
        scratch.queries, keys: small.keys, values: small.values, into: scratch.spatial,
        first: first, count: min(step, tokens - first), tokens: tokens, channels: channels,
        heads: heads, projection: projection)
    }
  }

  /// Both attentions' projections side by side (C/2 channels each), or their sum.
  private func combine(
    _ x: Activation, _ small: Small, _ scratch: Scratch, _ scale: Parameters?,
    _ residual: Voxels?, into output: Voxels, _ compute: Compute
  ) {
    let (c, half) = (channels, channels / 2)
    let map = packedMap(small, compute)
    compute.planes(output.grid) { z, y, rows in
      let first = (z * output.grid.height + y) * output.grid.width * c
      guard let outSpatial, let outBias else {
        return compute.product(  // (n x C) · (C x C)
          map, x.data + first, into: output, z: z, y: y, rows: rows,
          extra: scratch.spatial + first, scale: scale?.pointer, residual: residual)
      }
      compute.product(  // (n x C) · (C x C/2)
        outSpatial.matrix, scratch.spatial + first, into: output, z: z, y: y, rows: rows,
        bias: outBias.pointer, scale: scale?.pointer, residual: residual)
      compute.product(  // (n x C) · (C x C/2)
        map, x.data + first, into: output, column: half, z: z, y: y, rows: rows,
        bias: outBias.pointer + half, scale: scale.map { $0.pointer + half }, residual: residual)
    }
  }
}
