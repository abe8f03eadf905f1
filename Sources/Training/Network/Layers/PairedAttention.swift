import Tensors
import UNETRPP

/// Efficient paired attention (Shaker et al., section III.B) with what its gradient needs.
///
/// N tokens, C channels, h heads of d = C/h channels, projections to P << N tokens; X is the input
/// (N x C) of one sample. As in inference neither kind of values is formed for all tokens: the
/// projected keys are (E X) Wkᵀ + b, the projected values (F X) Wvᵀ + b, and the channel attention's
/// output is a linear map of X. The spatial attention's probabilities (h x N x P) are computed again
/// in the backward pass. The block's gamma belongs to the layer: its output is a residual + gamma · EPA(X),
/// and EPA(X) itself is stored nowhere.
final class PairedAttention {
  let kind: BlockKind
  let tokens, channels, heads, projection: Int
  let batch, threads: Int
  var headChannels: Int { channels / heads }
  /// Columns of the channel attention's part of the output.
  var channelColumns: Int { kind.hasOutputProjections ? channels / 2 : channels }

  let qkvv: Range<Int>  // [4][C][C]: q, k, v of channel and v of spatial attention
  let temperature, temperature2: Range<Int>  // [h]
  let gamma: Range<Int>  // [C]
  let e, f: Range<Int>  // [P][N], tumor [N][P]; the same where they are shared
  let eBias, fBias: Range<Int>?  // [P]
  /// Weights [C/2][C] and bias [C/2] of an output projection.
  struct OutputProjection { let weight, bias: Range<Int> }
  let spatialOutput, channelOutput: OutputProjection?

  /// What the backward pass needs, of all samples.
  let queries, keys, spatial: Slot  // N x C
  let small: Slot

  init(
    _ prefix: String, gamma: Range<Int>, tokens: Int, channels: Int, projection: Int,
    plan: LayerPlan
  ) {
    kind = plan.description.blocks
    heads = plan.description.heads
    self.tokens = tokens
    self.channels = channels
    self.projection = projection
    self.gamma = gamma
    (batch, threads) = (plan.batch, plan.threads)
    func place(_ name: String) -> Range<Int> { plan.place("\(prefix).\(name)") }
    qkvv = place("qkvv.weight")
    temperature = place("temperature")
    temperature2 = place("temperature2")
    if kind.hasOutputProjections {
      let values = kind.hasSeparateProjections ? "F" : "E"
      (e, eBias) = (place("E.weight"), place("E.bias"))
      (f, fBias) = (place("\(values).weight"), place("\(values).bias"))
      func output(_ name: String) -> OutputProjection {
        OutputProjection(weight: place("\(name).weight"), bias: place("\(name).bias"))
      }
      (spatialOutput, channelOutput) = (output("out_proj"), output("out_proj2"))
    } else {
      (e, f) = (place("EF"), place("EF"))
      (eBias, fBias, spatialOutput, channelOutput) = (nil, nil, nil, nil)
    }
    let count = plan.batch * tokens * channels
    queries = plan.keep(count)
    keys = plan.keep(count)
    spatial = plan.keep(count)
    small = plan.keep(
      plan.batch
        * SmallMatrices.count(
          channels: channels, headChannels: channels / heads, projection: projection))
  }

  /// Tokens that are summed together; does not depend on the number of threads.
  var tokensOfBlock: Int { min(1024, max(64, tokens / 8)) }
  var blocks: Int { (tokens + tokensOfBlock - 1) / tokensOfBlock }

  /// Runs `body` for every block of tokens of every sample.
  func run(
    _ compute: Compute,
    _ body: (_ sample: Int, _ block: Int, _ first: Int, _ count: Int, _ worker: Int) -> Void
  ) {
    compute.run(blocks: batch * blocks) { index, worker in
      let (sample, block) = index.quotientAndRemainder(dividingBy: blocks)
      let first = block * tokensOfBlock
      body(sample, block, first, min(tokensOfBlock, tokens - first), worker)
    }
  }

  /// A sample's part of what has `channels` values for each token.
  func part(_ slot: Slot, _ sample: Int, _ pass: Pass) -> UnsafeMutablePointer<Float> {
    pass.arena[slot] + sample * tokens * channels
  }

  func smallMatrices(sample: Int, _ pass: Pass) -> SmallMatrices {
    let count = SmallMatrices.count(
      channels: channels, headChannels: headChannels, projection: projection)
    return SmallMatrices(
      pass.arena[small] + sample * count, channels: channels, headChannels: headChannels,
      projection: projection)
  }

  /// Row s of the stacked projections: s = 0 q, 1 k, 2 v of channel, 3 v of spatial attention.
  func weights(_ s: Int, head: Int = 0) -> Range<Int> {
    let first = qkvv.lowerBound + (s * channels + head * headChannels) * channels
    return first..<qkvv.upperBound
  }

  /// From token to token of E or F, and from projection to projection.
  var projectorStride: Int { kind.hasOutputProjections ? 1 : projection }
  var projectionStride: Int { kind.hasOutputProjections ? tokens : 1 }

  /// The norm over all tokens of a channel, at least 1e-12 (torch.nn.functional.normalize).
  static let leastNorm: Float = 1e-12
}

/// The matrices of one sample's attention that have no token axis.
struct SmallMatrices {
  /// h x d x d: q kᵀ of the raw queries and keys; of normalised ones; softmax of these, scaled.
  let products, cosines, attention: UnsafeMutablePointer<Float>
  /// C: norms over all tokens.
  let queryNorms, keyNorms: UnsafeMutablePointer<Float>
  /// P x C: E X, F X.
  let projectedE, projectedF: UnsafeMutablePointer<Float>
  /// C x P: projected keys; these scaled so that q · keys are the logits; projected values.
  let projectedKeys, scaledKeys, values: UnsafeMutablePointer<Float>
  /// C x C: x_CA = X channelMapᵀ; its product with the output projection.
  let channelMap, outputMap: UnsafeMutablePointer<Float>

  static func count(channels: Int, headChannels: Int, projection: Int) -> Int {
    3 * channels * headChannels + 2 * channels + 5 * channels * projection
      + 2 * channels * channels
  }

  init(
    _ base: UnsafeMutablePointer<Float>, channels: Int, headChannels: Int, projection: Int
  ) {
    let (heads, flat) = (channels * headChannels, channels * projection)
    products = base
    cosines = products + heads
    attention = cosines + heads
    queryNorms = attention + heads
    keyNorms = queryNorms + channels
    projectedE = keyNorms + channels
    projectedF = projectedE + flat
    projectedKeys = projectedF + flat
    scaledKeys = projectedKeys + flat
    values = scaledKeys + flat
    channelMap = values + flat
    outputMap = channelMap + channels * channels
  }
}
