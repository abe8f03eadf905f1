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

  /// What a new observation counts in the running statistics.
  static let momentum = 0.1

  private let channels, rows: Int
  private let affine: Affine?
  private let running: Running?
  /// One for the whole batch, or one for each sample.
  private let norms: [Normalisation]

  private init(
    channels: Int, rows: Int, affine: Affine?, running: Running?, norms: [Normalisation]
  ) {
    self.channels = channels
    self.rows = rows
    self.affine = affine
    self.running = running
    self.norms = norms
  }

  /// InstanceNorm.
  convenience init(instance channels: Int, voxels: Int, plan: LayerPlan) {
    self.init(
      channels: channels, rows: voxels, affine: nil, running: nil,
      norms: (0..<plan.batch).map { _ in Normalisation(instance: channels) })
  }

  /// GroupNorm with the parameters `prefix.weight`, `prefix.bias`.
  convenience init(
    _ prefix: String, channels: Int, groups: Int, voxels: Int, plan: LayerPlan
  ) {
    let ones = [Float](repeating: 1, count: channels)
    self.init(
      channels: channels, rows: voxels, affine: Self.affine(prefix, plan), running: nil,
      norms: (0..<plan.batch).map { _ in
        Normalisation(channels: channels, groups: groups, weight: ones, bias: ones)
      })
  }

  /// BatchNorm with the parameters and running statistics of `prefix`.
  convenience init(batch prefix: String, channels: Int, voxels: Int, plan: LayerPlan) {
    self.init(
      channels: channels, rows: voxels * plan.batch, affine: Self.affine(prefix, plan),
      running: Running(
        mean: plan.place("\(prefix).running_mean"), variance: plan.place("\(prefix).running_var")),
      norms: [Normalisation(batch: channels)])
  }

  private static func affine(_ prefix: String, _ plan: LayerPlan) -> Affine {
    Affine(weight: plan.place("\(prefix).weight"), bias: plan.place("\(prefix).bias"))
  }

  /// The norm of a sample, with the statistics taken last.
  func norm(of sample: Int) -> Normalisation { norms[norms.count == 1 ? 0 : sample] }

  /// Before samples are measured: takes the parameters, and outside training a BatchNorm's running
  /// statistics.
  func begin(_ pass: Pass) {
    for norm in norms {
      norm.reset()
      if let affine {
        norm.load(weight: pass.values(affine.weight), bias: pass.values(affine.bias))
      }
      if let running, !pass.isTraining {
        norm.use(means: pass.buffers(running.mean), variances: pass.buffers(running.variance))
      }
    }
  }

  /// The norm that takes the statistics of a sample, if any does.
  func measured(_ sample: Int, _ pass: Pass) -> Normalisation? {
    running == nil || pass.isTraining ? norm(of: sample) : nil
  }

  /// After all samples are measured: updates the running statistics.
  func finish(_ pass: Pass) {
    guard let running, pass.isTraining else { return }
    // As PyTorch: the batch is normalised by the biased variance, the unbiased one is kept.
    let unbiased = Double(rows) / Double(max(1, rows - 1))
    for channel in 0..<channels {
      update(pass.buffers(running.mean) + channel, norms[0].means[channel])
      update(pass.buffers(running.variance) + channel, norms[0].variances[channel] * unbiased)
    }
  }

  private func update(_ value: UnsafeMutablePointer<Float>, _ observed: Double) {
    value.pointee = Float(Double(value.pointee) * (1 - Self.momentum) + observed * Self.momentum)
  }

  /// Takes the statistics of x, all samples.
  func measure(_ x: UnsafePointer<Float>, _ pass: Pass) {
    begin(pass)
    pass.compute.timed("normalisation, statistics", bytes: 4 * norms.count * rows * channels) {
      for index in norms.indices {
        measured(index, pass)?.measure(
          x + index * rows * channels, rows: rows, compute: pass.compute)
      }
    }
    finish(pass)
  }

  /// y = normalised x [+ residual] [LeakyReLU]; y may be x or the residual.
  func apply(
    _ x: UnsafePointer<Float>, plus residual: UnsafePointer<Float>? = nil, activated: Bool,
    into y: UnsafeMutablePointer<Float>, _ pass: Pass
  ) {
    pass.compute.timed("normalisation, forward", bytes: 12 * norms.count * rows * channels) {
      for (index, norm) in norms.enumerated() {
        let first = index * rows * channels
        norm.apply(
          x + first, plus: residual.map { $0 + first }, activated: activated, into: y + first,
          rows: rows, compute: pass.compute)
      }
    }
  }

  /// dx from dy, the gradient of what `apply` wrote; adds to the parameters' gradients.
  /// - Parameters:
  ///   - x: the input.
  ///   - dy: gradient of the output.
  ///   - output: of the residual's sum after LeakyReLU, where `apply` had a residual.
  ///   - activated: whether LeakyReLU followed; with a residual it did.
  ///   - before: becomes the gradient of the residual; may be dy.
  ///   - dx: may be x, or dy where `before` is nil.
  ///   - pass: the present pass.
  func backward(
    _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
    output: UnsafePointer<Float>? = nil, activated: Bool = false,
    before: UnsafeMutablePointer<Float>? = nil, into dx: UnsafeMutablePointer<Float>,
    _ pass: Pass
  ) {
    let streams = 5 + (output == nil ? 0 : 2) + (before == nil ? 0 : 1)
    pass.compute.timed(
      "normalisation, gradient", bytes: 4 * streams * norms.count * rows * channels
    ) {
      for (index, norm) in norms.enumerated() {
        let first = index * rows * channels
        norm.gradient(
          x + first, dy + first,
          activation: output.map { .residual(output: $0 + first) } ?? (activated ? .direct : .none),
          before: before.map { $0 + first }, into: dx + first, rows: rows,
          addingTo: affine.map { pass.gradients($0.weight) },
          affine.map { pass.gradients($0.bias) }, compute: pass.compute)
      }
    }
  }
}
