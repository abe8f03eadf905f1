import CKernels

/// The shortcut of the first residual block: InstanceNorm of a 1x1x1 convolution (no bias) of the
/// network's planar input. Its statistics follow from the input's means and covariances, so the
/// convolution is never stored.
public final class PlanarShortcut {
  private let weights: [Float]
  private let inputChannels: Int
  private let outputChannels: Int
  /// What each output voxel is: sum over inputs of x * factor + shift.
  private let factors: Parameters
  private static let blockVoxels = 8192

  /// - Parameters:
  ///   - weights: [output][input].
  ///   - inputChannels: channels of the input.
  ///   - outputChannels: channels of the output.
  public init(weights: [Float], inputChannels: Int, outputChannels: Int) {
    self.weights = weights
    self.inputChannels = inputChannels
    self.outputChannels = outputChannels
    factors = Parameters(Array(repeating: 0, count: (inputChannels + 1) * outputChannels))
  }

  /// Takes the statistics of `input` (C, D, H, W), `voxels` of each channel.
  public func measure(_ input: UnsafePointer<Float>, voxels: Int, compute: Compute) {
    let channels = inputChannels
    let size = channels + channels * channels
    let blocks = (voxels + Self.blockVoxels - 1) / Self.blockVoxels
    withUnsafeTemporaryAllocation(of: Double.self, capacity: blocks * size) { sums in
      guard let sums = sums.baseAddress else { return }
      sums.initialize(repeating: 0, count: blocks * size)
      compute.run(blocks: blocks) { block, _ in
        let first = block * Self.blockVoxels
        planarMoments(
          input + first, Int64(voxels), Int64(channels),
          Int64(min(Self.blockVoxels, voxels - first)), sums + block * size,
          sums + block * size + channels)
      }
      for block in 1..<max(1, blocks) {
        for i in 0..<size { sums[i] += sums[block * size + i] }
      }
      setFactors(sums: sums, count: Double(voxels))
    }
  }

  private func setFactors(sums: UnsafePointer<Double>, count: Double) {
    let channels = inputChannels
    for output in 0..<outputChannels {
      var mean = 0.0
      var variance = 0.0
      for a in 0..<channels {
        let first = Double(weights[output * channels + a])
        mean += first * sums[a] / count
        for b in 0..<channels {
          let covariance =
            sums[channels + a * channels + b] / count - sums[a] / count * (sums[b] / count)
          variance += first * Double(weights[output * channels + b]) * covariance
        }
      }
      let scale = 1 / (max(0, variance) + Normalisation.epsilon).squareRoot()
      for a in 0..<channels {
        factors.pointer[a * outputChannels + output] =
          Float(Double(weights[output * channels + a]) * scale)
      }
      factors.pointer[channels * outputChannels + output] = Float(-mean * scale)
    }
  }

  /// Voxels [first, first + count), on the calling thread: output = LeakyReLU(normalised values +
  /// shortcut(input)).
  /// - Parameters:
  ///   - values: the first of these voxels, channels-last.
  ///   - normalisation: statistics and affine parameters of the values.
  ///   - input: (C, D, H, W), `voxels` of each channel.
  ///   - voxels: voxels in each channel of the input.
  ///   - first: the first voxel.
  ///   - output: channels-last.
  ///   - count: the number of voxels.
  ///   - compute: the kernels and worker threads.
  public func activateRow(
    _ values: UnsafePointer<Float>, normalisedBy normalisation: Normalisation,
    plus input: UnsafePointer<Float>, voxels: Int, first: Int,
    into output: UnsafeMutablePointer<Float>, count: Int, compute: Compute
  ) {
    compute.kernels.normaliseShortcut(
      values, input + first, Int64(voxels), 1, Int64(inputChannels), factors.pointer, output,
      Int64(count), Int64(outputChannels), normalisation.channelAffine)
  }
}
