import CKernels

/// Per-channel normalisation with the statistics of the present patch, kept in double:
/// InstanceNorm (each channel by itself, no parameters) and GroupNorm (channels in groups, with
/// weight and bias). Biased variance, epsilon 1e-5.
public final class Normalisation {
  static let epsilon = 1e-5
  private let channels: Int
  private let groups: Int
  private let weight: [Float]?
  private let bias: [Float]?
  /// mean, scale and shift of each channel: y = (x - mean) * scale + shift
  private let affine: Parameters

  /// InstanceNorm.
  public convenience init(instance channels: Int) {
    self.init(channels: channels, groups: channels, weight: nil, bias: nil)
  }

  /// GroupNorm.
  public init(channels: Int, groups: Int, weight: [Float]?, bias: [Float]?) {
    self.channels = channels
    self.groups = groups
    self.weight = weight
    self.bias = bias
    affine = Parameters(Array(repeating: 0, count: 3 * channels))
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
    let channels = self.channels
    withUnsafeTemporaryAllocation(of: Double.self, capacity: blocks * 2 * channels) { sums in
      guard let sums = sums.baseAddress else { return }
      sums.initialize(repeating: 0, count: blocks * 2 * channels)
      compute.run(blocks: blocks) { block, _ in
        let first = block * Self.blockVoxels
        let sum = sums + block * 2 * channels
        compute.kernels.channelSums(
          input.data + first * channels, Int64(min(Self.blockVoxels, input.tokens - first)),
          Int64(channels), sum, sum + channels)
      }
      for block in 1..<max(1, blocks) {
        for i in 0..<2 * channels { sums[i] += sums[block * 2 * channels + i] }
      }
      use(sum: sums, squares: sums + channels, count: input.tokens)
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
      for channel in members {
        set(
          channel, mean: mean,
          scale: Double(weight?[channel] ?? 1) / (variance + Self.epsilon).squareRoot(),
          shift: Double(bias?[channel] ?? 0))
      }
    }
  }

  func set(_ channel: Int, mean: Double, scale: Double, shift: Double) {
    affine.pointer[channel] = Float(mean)
    affine.pointer[channels + channel] = Float(scale)
    affine.pointer[2 * channels + channel] = Float(shift)
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

  /// output = LeakyReLU(normalised input).
  public func activated(_ input: Activation, into output: HaloActivation, compute: Compute) {
    compute.run(blocks: input.grid.depth) { z, _ in
      compute.kernels.normalise(
        input.data + z * input.plane, Int64(input.row), nil, 0, output.line(z, 0),
        Int64(output.row), Int64(input.grid.height), Int64(input.grid.width), Int64(channels),
        channelAffine, true)
    }
  }

  /// activation = LeakyReLU(normalised activation + residual), in place.
  public func activate(
    _ activation: Activation, plus residual: HaloActivation, compute: Compute
  ) {
    compute.run(blocks: activation.grid.depth) { z, _ in
      let line = activation.data + z * activation.plane
      compute.kernels.normalise(
        line, Int64(activation.row), residual.line(z, 0), Int64(residual.row), line,
        Int64(activation.row), Int64(activation.grid.height), Int64(activation.grid.width),
        Int64(channels), channelAffine, true)
    }
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
