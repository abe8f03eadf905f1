import CKernels

/// How LeakyReLU follows a normalisation, for the normalisation's gradient.
public enum ActivationAfter {
  /// It does not.
  case none
  /// It follows normalised values alone, whose sign is computed again.
  case direct
  /// It follows the sum of normalised values and a residual: its output, with the same sign.
  case residual(output: UnsafePointer<Float>)
}

extension Normalisation {
  /// Rows that one block takes; does not depend on the number of threads.
  private static func rowsOfBlock(_ rows: Int) -> Int { min(8192, max(256, (rows + 31) / 32)) }

  /// Takes the statistics of `rows` voxels, channels-last: a sample, or the whole batch of a BatchNorm
  /// after `reset`.
  public func measure(_ input: UnsafePointer<Float>, rows: Int, compute: Compute) {
    let grid = Grid(1, 1, rows)
    measure(
      Activation(UnsafeMutablePointer(mutating: input), grid, channels: channels),
      compute: compute)
  }

  /// output = normalised input [+ residual] [LeakyReLU], `rows` voxels; may be in place.
  public func apply(
    _ input: UnsafePointer<Float>, plus residual: UnsafePointer<Float>? = nil, activated: Bool,
    into output: UnsafeMutablePointer<Float>, rows: Int, compute: Compute
  ) {
    let step = min(1024, Self.rowsOfBlock(rows))
    compute.run(blocks: (rows + step - 1) / step) { block, _ in
      let (first, count) = (block * step * channels, min(step, rows - block * step))
      compute.kernels.normalise(
        input + first, 0, residual.map { $0 + first }, 0, output + first, 0, 1, Int64(count),
        Int64(channels), channelAffine, activated)
    }
  }

  /// halo = LeakyReLU(normalised input), which has no halo.
  public func activate(
    _ input: UnsafePointer<Float>, into halo: HaloActivation, compute: Compute
  ) {
    let (grid, voxels) = (halo.grid, halo.voxels)
    compute.run(blocks: grid.depth + 2) { slab, _ in
      let z = slab - 1
      (voxels.line(z, -1) - channels).update(repeating: 0, count: voxels.plane)
      guard (0..<grid.depth).contains(z) else { return }
      let row = grid.width * channels
      compute.kernels.normalise(
        input + z * grid.height * row, Int64(row), nil, 0, voxels.line(z), Int64(voxels.row),
        Int64(grid.height), Int64(grid.width), Int64(channels), channelAffine, true)
    }
  }

  /// The gradient of the input, from that of the output. With x̂ the standardised values, w the
  /// weight, g the gradient before LeakyReLU, means over what was normalised together:
  /// dx = (w g - mean(w g) - x̂ mean(w g x̂)) / deviation.
  /// - Parameters:
  ///   - input: the `rows` voxels whose statistics are the present ones: of one sample, or of a whole
  ///     batch for BatchNorm.
  ///   - gradient: of the output.
  ///   - activation: what follows.
  ///   - before: becomes g, the gradient of a residual, if not nil; may be `gradient`.
  ///   - result: becomes the gradient of the input; may be `gradient` where `before` is nil.
  ///   - rows: the number of voxels.
  ///   - weights: to which the gradient of the weight is added, if the norm has one; so the bias's.
  ///   - biases: as `weights`.
  ///   - compute: the kernels and worker threads.
  public func gradient(
    _ input: UnsafePointer<Float>, _ gradient: UnsafePointer<Float>,
    activation: ActivationAfter = .none, before: UnsafeMutablePointer<Float>? = nil,
    into result: UnsafeMutablePointer<Float>, rows: Int,
    addingTo weights: UnsafeMutablePointer<Float>? = nil,
    _ biases: UnsafeMutablePointer<Float>? = nil, compute: Compute
  ) {
    var parameters = NormGradient()
    parameters.input = input
    parameters.gradient = gradient
    parameters.affine = channelAffine
    switch activation {
    case .none: break
    case .direct: parameters.mask = 2
    case .residual(let output): (parameters.mask, parameters.output) = (1, output)
    }
    parameters.before = before
    parameters.result = result
    parameters.channels = Int64(channels)
    parameters.streams =
      rows * channels * MemoryLayout<Float>.size > 16 << 20 && channels % 16 == 0
      && Int(bitPattern: result) % 64 == 0
    let step = Self.rowsOfBlock(rows)
    let blocks = (rows + step - 1) / step
    let moments = moments(blocks: blocks)
    compute.run(blocks: blocks) { [parameters] block, _ in
      var parameters = parameters
      compute.kernels.normSums(
        &parameters, Int64(block * step), Int64(min(rows, (block + 1) * step)),
        moments + block * 2 * channels)
    }
    for block in 1..<max(1, blocks) {
      for i in 0..<2 * channels { moments[i] += moments[block * 2 * channels + i] }
    }
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 3 * channels) { factors in
      guard let factors = factors.baseAddress else { return }
      setFactors(factors, moments, rows: rows)
      addGradients(moments, weights, biases)
      parameters.factors = UnsafePointer(factors)
      compute.run(blocks: blocks) { [parameters] block, _ in
        var parameters = parameters
        compute.kernels.normGradient(
          &parameters, Int64(block * step), Int64(min(rows, (block + 1) * step)))
      }
    }
  }

  /// What dx is of g, 1 and x - mean.
  private func setFactors(
    _ factors: UnsafeMutablePointer<Float>, _ sums: UnsafePointer<Double>, rows: Int
  ) {
    let width = channels / groups
    let count = Double(rows * width)
    for first in stride(from: 0, to: channels, by: width) {
      let members = first..<first + width
      let mean = members.reduce(0) { $0 + weight(of: $1) * sums[$1] } / count
      // Of w g (x - mean), whose deviation is the same for all members.
      let product = members.reduce(0) { $0 + weight(of: $1) * sums[channels + $1] } / count
      for channel in members {
        let inverse = inverseDeviation(channel)
        factors[channel] = Float(inverse * weight(of: channel))
        factors[channels + channel] = Float(inverse * mean)
        factors[2 * channels + channel] = Float(inverse * inverse * inverse * product)
      }
    }
  }

  private func addGradients(
    _ sums: UnsafePointer<Double>, _ weights: UnsafeMutablePointer<Float>?,
    _ biases: UnsafeMutablePointer<Float>?
  ) {
    guard let weights, let biases else { return }
    for channel in 0..<channels {
      weights[channel] += Float(sums[channels + channel] * inverseDeviation(channel))
      biases[channel] += Float(sums[channel])
    }
  }

  private func weight(of channel: Int) -> Double { Double(weight?[channel] ?? 1) }
  private func inverseDeviation(_ channel: Int) -> Double {
    1 / (variances[channel] + Self.epsilon).squareRoot()
  }
}
