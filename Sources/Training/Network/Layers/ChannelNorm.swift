import Tensors

/// Normalisation of channels by statistics over voxels, biased variance, epsilon 1e-5: BatchNorm (the
/// voxels of the whole batch), InstanceNorm (each sample and channel by itself, no parameters) and
/// GroupNorm (groups of channels of each sample). Ioffe and Szegedy, ICML 2015; Wu and He, ECCV 2018.
///
/// Rows are voxels, channels-last, batch outermost. Keeps the statistics; the caller keeps the input.
final class ChannelNorm {
  /// Where the parameters are; none for InstanceNorm.
  struct Affine { let weight, bias: Range<Int> }
  /// Where the running statistics of a BatchNorm are.
  struct Running { let mean, variance: Range<Int> }

  static let epsilon = 1e-5
  /// What a new observation counts in the running statistics.
  static let momentum = 0.1

  private let channels, groups, rows, sets: Int
  private let affine: Affine?
  private let running: Running?
  /// Mean and 1 / standard deviation of each channel: [set][2][channels].
  private let statistics: Slot

  /// - Parameters:
  ///   - channels: of each row.
  ///   - groups: channels / groups are normalised together.
  ///   - voxels: rows of each sample.
  private init(
    channels: Int, groups: Int, voxels: Int, wholeBatch: Bool, affine: Affine?, running: Running?,
    plan: LayerPlan
  ) {
    self.channels = channels
    self.groups = groups
    rows = wholeBatch ? voxels * plan.batch : voxels
    sets = wholeBatch ? 1 : plan.batch
    self.affine = affine
    self.running = running
    statistics = plan.keep(sets * 2 * channels)
  }

  /// InstanceNorm.
  convenience init(instance channels: Int, voxels: Int, plan: LayerPlan) {
    self.init(
      channels: channels, groups: channels, voxels: voxels, wholeBatch: false, affine: nil,
      running: nil, plan: plan)
  }

  /// GroupNorm with the parameters `prefix.weight`, `prefix.bias`.
  convenience init(
    _ prefix: String, channels: Int, groups: Int, voxels: Int, plan: LayerPlan
  ) {
    self.init(
      channels: channels, groups: groups, voxels: voxels, wholeBatch: false,
      affine: Affine(weight: plan.place("\(prefix).weight"), bias: plan.place("\(prefix).bias")),
      running: nil, plan: plan)
  }

  /// BatchNorm with the parameters and running statistics of `prefix`.
  convenience init(batch prefix: String, channels: Int, voxels: Int, plan: LayerPlan) {
    self.init(
      channels: channels, groups: channels, voxels: voxels, wholeBatch: true,
      affine: Affine(weight: plan.place("\(prefix).weight"), bias: plan.place("\(prefix).bias")),
      running: Running(
        mean: plan.place("\(prefix).running_mean"), variance: plan.place("\(prefix).running_var")),
      plan: plan)
  }

  /// Takes the statistics of x; a BatchNorm outside training takes the running ones.
  func measure(_ x: UnsafePointer<Float>, _ pass: Pass) {
    if let running, !pass.isTraining { return takeRunning(running, pass) }
    let channels = channels
    for set in 0..<sets {
      let values = x + set * rows * channels
      pass.compute.sumOverRows(rows: rows, count: 2 * channels) { first, count, sums in
        let squares = sums + channels
        for row in first..<first + count {
          let line = values + row * channels
          for c in 0..<channels {
            let value = Double(line[c])
            sums[c] += value
            squares[c] += value * value
          }
        }
      } use: { sums in
        take(sums, into: pass.arena[statistics] + set * 2 * channels, pass)
      }
    }
  }

  private func take(
    _ sums: UnsafePointer<Double>, into statistics: UnsafeMutablePointer<Float>, _ pass: Pass
  ) {
    let width = channels / groups
    let count = Double(rows * width)
    for first in stride(from: 0, to: channels, by: width) {
      let members = first..<first + width
      let mean = members.reduce(0) { $0 + sums[$1] } / count
      let squares = members.reduce(0) { $0 + sums[channels + $1] } / count
      let variance = max(0, squares - mean * mean)
      for channel in members {
        statistics[channel] = Float(mean)
        statistics[channels + channel] = Float(1 / (variance + Self.epsilon).squareRoot())
        if let running {
          update(pass.buffers(running.mean) + channel, mean)
          // As PyTorch: the batch is normalised by the biased variance, the unbiased one is kept.
          update(pass.buffers(running.variance) + channel, variance * count / max(1, count - 1))
        }
      }
    }
  }

  private func update(_ value: UnsafeMutablePointer<Float>, _ observed: Double) {
    value.pointee = Float(Double(value.pointee) * (1 - Self.momentum) + observed * Self.momentum)
  }

  private func takeRunning(_ running: Running, _ pass: Pass) {
    let statistics = pass.arena[statistics]
    let (mean, variance) = (pass.buffers(running.mean), pass.buffers(running.variance))
    for channel in 0..<channels {
      statistics[channel] = mean[channel]
      statistics[channels + channel] = Float(
        1 / (Double(variance[channel]) + Self.epsilon).squareRoot())
    }
  }

  /// y = normalised x [+ residual] [LeakyReLU]; y may be x or the residual.
  func apply(
    _ x: UnsafePointer<Float>, plus residual: UnsafePointer<Float>? = nil, activated: Bool,
    into y: UnsafeMutablePointer<Float>, _ pass: Pass
  ) {
    let channels = channels
    let slope: Float = activated ? leakySlope : 1
    for set in 0..<sets {
      let statistics = pass.arena[statistics] + set * 2 * channels
      withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * channels) { affine in
        guard let scale = affine.baseAddress else { return }
        let shift = scale + channels
        setScaleAndShift(statistics, scale, shift, pass)
        pass.compute.rowBlocks(rows) { first, count in
          for row in first..<first + count {
            let place = (set * rows + row) * channels
            let (x, y) = (x + place, y + place)
            if let residual {
              let residual = residual + place
              for c in 0..<channels {
                let value = (x[c] - statistics[c]) * scale[c] + shift[c] + residual[c]
                y[c] = value > 0 ? value : value * slope
              }
            } else {
              for c in 0..<channels {
                let value = (x[c] - statistics[c]) * scale[c] + shift[c]
                y[c] = value > 0 ? value : value * slope
              }
            }
          }
        }
      }
    }
  }

  private func setScaleAndShift(
    _ statistics: UnsafePointer<Float>, _ scale: UnsafeMutablePointer<Float>,
    _ shift: UnsafeMutablePointer<Float>, _ pass: Pass
  ) {
    for channel in 0..<channels {
      scale[channel] = statistics[channels + channel]
      shift[channel] = 0
      guard let affine else { continue }
      scale[channel] *= pass.values(affine.weight)[channel]
      shift[channel] = pass.values(affine.bias)[channel]
    }
  }

  /// dx from dy, the gradient of the normalised values; adds to the parameters' gradients. dx may
  /// be dy.
  ///
  /// With x̂ the standardised values: dx = (w dy - mean(w dy) - x̂ mean(w dy x̂)) / deviation, the
  /// means over what was normalised together.
  func backward(
    _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
    into dx: UnsafeMutablePointer<Float>, _ pass: Pass
  ) {
    let channels = channels
    for set in 0..<sets {
      let first = set * rows * channels
      let (x, dy, dx) = (x + first, dy + first, dx + first)
      let statistics = UnsafePointer(pass.arena[statistics] + set * 2 * channels)
      withUnsafeTemporaryAllocation(of: Float.self, capacity: 3 * channels) { factors in
        guard let factors = factors.baseAddress else { return }
        sums(x, dy, statistics, pass) { setFactors($0, statistics, factors, pass) }
        let (scale, offset, slope) = (factors, factors + channels, factors + 2 * channels)
        pass.compute.rowBlocks(rows) { first, count in
          for row in first..<first + count {
            let place = row * channels
            let (x, dy, dx) = (x + place, dy + place, dx + place)
            for c in 0..<channels {
              dx[c] = dy[c] * scale[c] - offset[c] - (x[c] - statistics[c]) * slope[c]
            }
          }
        }
      }
    }
  }

  /// Sums over the rows of a set of dy and of dy x̂, for each channel.
  private func sums(
    _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, _ statistics: UnsafePointer<Float>,
    _ pass: Pass, use: (UnsafePointer<Double>) -> Void
  ) {
    let channels = channels
    pass.compute.sumOverRows(rows: rows, count: 2 * channels) { first, count, sums in
      let products = sums + channels
      for row in first..<first + count {
        let (x, dy) = (x + row * channels, dy + row * channels)
        for c in 0..<channels {
          let gradient = Double(dy[c])
          sums[c] += gradient
          products[c] +=
            gradient * Double((x[c] - statistics[c]) * statistics[channels + c])
        }
      }
    } use: {
      use($0)
    }
  }

  /// What dx is of dy, 1 and x - mean; adds the sums to the parameters' gradients.
  private func setFactors(
    _ sums: UnsafePointer<Double>, _ statistics: UnsafePointer<Float>,
    _ factors: UnsafeMutablePointer<Float>, _ pass: Pass
  ) {
    let width = channels / groups
    let count = Double(rows * width)
    let weight = affine.map { pass.values($0.weight) }
    func weighted(_ channel: Int) -> Double { Double(weight?[channel] ?? 1) }
    for first in stride(from: 0, to: channels, by: width) {
      let members = first..<first + width
      let mean = members.reduce(0) { $0 + weighted($1) * sums[$1] } / count
      let product = members.reduce(0) { $0 + weighted($1) * sums[channels + $1] } / count
      for channel in members {
        let inverse = Double(statistics[channels + channel])
        factors[channel] = Float(inverse * weighted(channel))
        factors[channels + channel] = Float(inverse * mean)
        factors[2 * channels + channel] = Float(inverse * inverse * product)
      }
    }
    guard let affine else { return }
    for channel in 0..<channels {
      pass.gradients(affine.bias)[channel] += Float(sums[channel])
      pass.gradients(affine.weight)[channel] += Float(sums[channels + channel])
    }
  }
}
