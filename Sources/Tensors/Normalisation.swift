import CKernels

/// Per-channel normalisation with the statistics of the present patch, kept in double:
/// InstanceNorm (each channel by itself, no parameters) and GroupNorm (channels in groups, with
/// weight and bias). Biased variance, epsilon 1e-5.
public final class Normalisation {
  static let epsilon = 1e-5
  let channels: Int
  let groups: Int
  private(set) var weight: [Float]?
  private(set) var bias: [Float]?
  /// mean, scale and shift of each channel: y = (x - mean) * scale + shift
  private let affine: Parameters
  private var sums = UnsafeMutableBufferPointer<Double>.allocate(capacity: 1)
  /// The present mean and biased variance of each channel.
  public private(set) var means, variances: [Double]
  /// Whether every sample that is measured adds to the statistics, until `reset`: BatchNorm.
  private let isOfBatch: Bool
  /// Sums and sums of squares of the batch so far.
  private var totals: [Double]
  private var totalCount = 0

  /// InstanceNorm.
  public convenience init(instance channels: Int) {
    self.init(channels: channels, groups: channels, weight: nil, bias: nil)
  }

  /// GroupNorm.
  public convenience init(channels: Int, groups: Int, weight: [Float]?, bias: [Float]?) {
    self.init(channels: channels, groups: groups, weight: weight, bias: bias, isOfBatch: false)
  }

  /// BatchNorm with the statistics of the present batch: those of all samples measured since `reset`.
  /// Weight 1 and bias 0 until they are loaded.
  public convenience init(batch channels: Int) {
    self.init(
      channels: channels, groups: channels, weight: Array(repeating: 1, count: channels),
      bias: Array(repeating: 0, count: channels), isOfBatch: true)
  }

  private init(
    channels: Int, groups: Int, weight: [Float]?, bias: [Float]?, isOfBatch: Bool
  ) {
    self.channels = channels
    self.groups = groups
    self.isOfBatch = isOfBatch
    means = Array(repeating: 0, count: channels)
    variances = Array(repeating: 0, count: channels)
    totals = Array(repeating: 0, count: isOfBatch ? 2 * channels : 0)
    self.weight = weight
    self.bias = bias
    affine = Parameters(Array(repeating: 0, count: 3 * channels))
  }

  deinit { sums.deallocate() }

  /// Takes new parameters of a norm that has them; allocates nothing. They count from the next
  /// statistics on.
  public func load(weight values: UnsafePointer<Float>, bias biases: UnsafePointer<Float>) {
    guard weight != nil, bias != nil else { return }
    for channel in 0..<channels {
      weight?[channel] = values[channel]
      bias?[channel] = biases[channel]
    }
  }

  /// Forgets the samples of the batch.
  public func reset() {
    for i in totals.indices { totals[i] = 0 }
    totalCount = 0
  }

  /// Takes statistics from elsewhere: the running ones of a BatchNorm.
  public func use(means: UnsafePointer<Float>, variances: UnsafePointer<Float>) {
    for channel in 0..<channels {
      set(channel, mean: Double(means[channel]), variance: Double(variances[channel]))
    }
  }

  /// y = (x - mean) * scale + shift for each channel.
  var channelAffine: ChannelAffine {
    ChannelAffine(
      mean: affine.pointer, scale: affine.pointer + channels, shift: affine.pointer + 2 * channels)
  }

  /// Voxels that one block sums.
  private static let blockVoxels = 8192

  /// Takes the statistics of `input`.
  public func measure(_ input: Activation, compute: Compute) {
    let blocks = (input.tokens + Self.blockVoxels - 1) / Self.blockVoxels
    let moments = moments(blocks: blocks)
    compute.run(blocks: blocks) { block, _ in
      let first = block * Self.blockVoxels
      let sum = moments + block * 2 * channels
      compute.kernels.channelSums(
        input.data + first * channels, Int64(min(Self.blockVoxels, input.tokens - first)),
        Int64(channels), sum, sum + channels)
    }
    take(blocks: blocks, count: input.tokens)
  }

  /// Zeroed room for the sums and sums of squares of `blocks` parts of an activation, which `take`
  /// adds up; the same memory for every patch.
  func moments(blocks: Int) -> UnsafeMutablePointer<Double> {
    let count = blocks * 2 * channels
    if sums.count < count {
      sums.deallocate()
      sums = UnsafeMutableBufferPointer.allocate(capacity: count)
    }
    sums.initialize(repeating: 0)
    return sums.baseAddress.unsafelyUnwrapped
  }

  /// The statistics of `count` voxels from the moments of `blocks` parts.
  func take(blocks: Int, count: Int) {
    guard let sums = sums.baseAddress else { return }
    for block in 1..<max(1, blocks) {
      for i in 0..<2 * channels { sums[i] += sums[block * 2 * channels + i] }
    }
    guard isOfBatch else {
      return use(sum: sums, squares: sums + channels, count: count)
    }
    for i in totals.indices { totals[i] += sums[i] }
    totalCount += count
    totals.withUnsafeBufferPointer { totals in
      guard let totals = totals.baseAddress else { return }
      use(sum: totals, squares: totals + channels, count: totalCount)
    }
  }

  /// Sets the affine from sums over `count` voxels of each channel.
  func use(
    sum: UnsafePointer<Double>, squares: UnsafePointer<Double>, count: Int
  ) {
    let width = channels / groups
    for group in 0..<groups {
      let members = group * width..<(group + 1) * width
      let n = Double(count * width)
      let mean = members.reduce(0) { $0 + sum[$1] } / n
      let variance = max(0, members.reduce(0) { $0 + squares[$1] } / n - mean * mean)
      for channel in members { set(channel, mean: mean, variance: variance) }
    }
  }

  private func set(_ channel: Int, mean: Double, variance: Double) {
    (means[channel], variances[channel]) = (mean, variance)
    affine.pointer[channel] = Float(mean)
    affine.pointer[channels + channel] = Float(
      Double(weight?[channel] ?? 1) / (variance + Self.epsilon).squareRoot())
    affine.pointer[2 * channels + channel] = bias?[channel] ?? 0
  }

  /// Normalises in place.
  public func apply(_ activation: Activation, compute: Compute) {
    compute.run(blocks: activation.grid.depth) { z, _ in
      let line = activation.data + z * activation.plane
      compute.kernels.normalise(
        line, Int64(activation.row), nil, 0, line, Int64(activation.row),
        Int64(activation.grid.height), Int64(activation.grid.width), Int64(channels),
        channelAffine, false)
    }
  }

  /// Voxels of one row, on the calling thread: output = LeakyReLU(normalised input + residual).
  public func activateRow(
    _ input: UnsafePointer<Float>, plus residual: UnsafePointer<Float>,
    into output: UnsafeMutablePointer<Float>, count: Int, compute: Compute
  ) {
    compute.kernels.normalise(
      input, 0, residual, 0, output, 0, 1, Int64(count), Int64(channels), channelAffine, true)
  }
}

/// BatchNorm with running statistics, folded into the convolution before it. Epsilon 1e-5.
public enum BatchNorm {
  /// Weights and bias of the convolution `weights` ([output][...]) followed by BatchNorm.
  public static func fold(
    weights: [Float], weight: [Float], bias: [Float], mean: [Float], variance: [Float]
  ) -> (weights: [Float], bias: [Float]) {
    let each = weights.count / max(1, weight.count)
    var folded = weights
    var shifts: [Float] = []
    for channel in weight.indices {
      let scale =
        Double(weight[channel]) / (Double(variance[channel]) + Normalisation.epsilon).squareRoot()
      for i in channel * each..<(channel + 1) * each {
        folded[i] = Float(Double(weights[i]) * scale)
      }
      shifts.append(Float(Double(bias[channel]) - Double(mean[channel]) * scale))
    }
    return (folded, shifts)
  }
}
