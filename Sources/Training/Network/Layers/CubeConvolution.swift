import Tensors

/// A 3x3x3 convolution, stride 1, padding 1, without bias, of a batch of volumes. Its weights are
/// packed anew for each pass, in scratch.
final class CubeConvolution {
  private let weight: Range<Int>
  private let inputs, outputs: Int
  private let grid: Grid
  private let batch, threads: Int
  private let forwardMethod, backwardMethod: ConvolutionPlan.Method
  private let weightGradient: ConvolutionWeightGradient

  /// - Parameters:
  ///   - name: `name.weight` is the parameter.
  ///   - inputs: channels of the input.
  ///   - outputs: channels of the output.
  ///   - grid: of both.
  ///   - readsNormalised: whether the input is normalised as it is read.
  ///   - plan: where the parameters are.
  init(
    _ name: String, inputs: Int, outputs: Int, grid: Grid, readsNormalised: Bool = false,
    plan: LayerPlan
  ) {
    weight = plan.placeOfWritten("\(name).weight")
    self.inputs = inputs
    self.outputs = outputs
    self.grid = grid
    batch = plan.batch
    threads = plan.threads
    // Where no tiles are the fastest, the input is copied (or normalised) into a halo.
    func method(_ inputs: Int, _ outputs: Int) -> ConvolutionPlan.Method {
      ConvolutionPlan.best(
        grid: grid, inputChannels: inputs, outputChannels: outputs, samples: plan.batch
      ).method
    }
    forwardMethod = method(inputs, outputs)
    backwardMethod = method(outputs, inputs)
    weightGradient = ConvolutionWeightGradient(
      inputChannels: inputs, outputChannels: outputs, grid: grid, samples: plan.batch,
      method: ConvolutionWeightGradient.best(
        inputChannels: inputs, outputChannels: outputs, grid: grid, samples: plan.batch,
        mayBeDirect: !readsNormalised))
  }

  private func haloCount(_ channels: Int) -> Int {
    HaloActivation.count(grid, channels: channels)
  }
  private func count(_ channels: Int) -> Int { grid.voxels * channels }
  private var multiplyAdds: Int { 27 * inputs * outputs * grid.voxels * batch }

  /// The floats of scratch of each of the three.
  var scratch: Int {
    func size(_ inputs: Int, _ outputs: Int, _ method: ConvolutionPlan.Method) -> Int {
      let plan = ConvolutionPlan(
        method, grid: grid, inputChannels: inputs, outputChannels: outputs)
      let isAtOnce = plan.convolvesBatches
      let memory = plan.scratch(threads: threads, samples: isAtOnce ? batch : nil)
      guard method == .direct else { return Scratch.size(memory) }
      guard isAtOnce else {
        return Scratch.size(
          Convolution3x3x3.packedCount(inputChannels: inputs, outputChannels: outputs),
          haloCount(inputs))
      }
      return batch * Scratch.size(haloCount(inputs)) + Scratch.size(memory)
    }
    let halos = weightGradient.method == .narrow ? batch * Scratch.size(haloCount(inputs)) : 0
    return max(
      size(inputs, outputs, forwardMethod), size(outputs, inputs, backwardMethod),
      halos + Scratch.size(weightGradient.scratch(threads: threads)))
  }

  /// y = convolution of x.
  /// - Parameters:
  ///   - x: channels-last; LeakyReLU(normalised x) is read where there is a norm.
  ///   - normalisation: of the input.
  ///   - y: channels-last.
  ///   - measured: takes the statistics of the output.
  ///   - scratch: memory.
  ///   - pass: the present pass.
  func forward(
    _ x: UnsafePointer<Float>, normalisedBy normalisation: ChannelNorm? = nil,
    into y: UnsafeMutablePointer<Float>, measuredBy measured: ChannelNorm? = nil,
    scratch: Scratch, _ pass: Pass
  ) {
    measured?.begin(pass)
    pass.compute.timed(kind("forward"), multiplyAdds: multiplyAdds) {
      convolve(
        inputs, outputs, forwardMethod, x, normalisation, plus: nil, into: y, measured, scratch,
        pass
      ) { $0.load(weights: pass.values(weight), inPlace: true, compute: pass.compute) }
    }
    measured?.finish(pass)
  }

  /// dx = the convolution of dy with the taps mirrored and input and output exchanged [+ residual].
  func backwardInput(
    _ dy: UnsafePointer<Float>, plus residual: UnsafePointer<Float>? = nil,
    into dx: UnsafeMutablePointer<Float>, scratch: Scratch, _ pass: Pass
  ) {
    pass.compute.timed(kind("input gradient"), multiplyAdds: multiplyAdds) {
      convolve(
        outputs, inputs, backwardMethod, dy, nil, plus: residual, into: dx, nil, scratch, pass
      ) { $0.load(transposeOf: pass.values(weight), inPlace: true, compute: pass.compute) }
    }
  }

  private func convolve(
    _ inputs: Int, _ outputs: Int, _ method: ConvolutionPlan.Method, _ x: UnsafePointer<Float>,
    _ normalisation: ChannelNorm?, plus residual: UnsafePointer<Float>?,
    into y: UnsafeMutablePointer<Float>, _ measured: ChannelNorm?, _ scratch: Scratch,
    _ pass: Pass, load: (Convolution3x3x3) -> Void
  ) {
    var scratch = scratch
    let compute = pass.compute
    let isDirect = method == .direct
    let plan = ConvolutionPlan(method, grid: grid, inputChannels: inputs, outputChannels: outputs)
    let isAtOnce = plan.convolvesBatches
    let packed = Convolution3x3x3.packedCount(inputChannels: inputs, outputChannels: outputs)
    let convolution = Convolution3x3x3(
      inputChannels: inputs, outputChannels: outputs, grid: grid, method: method,
      storage: isAtOnce ? nil : scratch.take(packed), isForBatches: isAtOnce, compute: compute)
    load(convolution)
    func sample(_ index: Int, halo: UnsafeMutablePointer<Float>?) -> Convolution3x3x3.Sample {
      let norm = normalisation?.norm(of: index)
      return Convolution3x3x3.Sample(
        voxels(x, index, inputs, halo: halo, norm, compute), normalisedBy: isDirect ? nil : norm,
        plus: residual.map { volume($0, index, outputs).voxels },
        into: volume(y, index, outputs).voxels, measuredBy: measured?.measured(index, pass))
    }
    if isAtOnce {
      let samples = (0..<batch).map {
        sample($0, halo: isDirect ? scratch.take(haloCount(inputs)) : nil)
      }
      let memory = scratch.take(plan.scratch(threads: compute.threads, samples: batch))
      return convolution(batch: samples, scratch: memory, compute: compute)
    }
    // Direct summation with a halo for one sample at a time.
    let halo = scratch.take(haloCount(inputs))
    for index in 0..<batch {
      convolution(sample(index, halo: halo), scratch: halo, compute: compute)
    }
  }

  /// Sets the weights' gradient; x and its norm as `forward` read them.
  func backwardWeights(
    _ x: UnsafePointer<Float>, normalisedBy normalisation: ChannelNorm? = nil,
    _ dy: UnsafePointer<Float>, scratch: Scratch, _ pass: Pass
  ) {
    var scratch = scratch
    let compute = pass.compute
    let samples = (0..<batch).map { sample in
      let halo = weightGradient.method == .narrow ? scratch.take(haloCount(inputs)) : nil
      return ConvolutionWeightGradient.Sample(
        voxels(x, sample, inputs, halo: halo, nil, compute),
        normalisedBy: normalisation?.norm(of: sample),
        gradient: volume(dy, sample, outputs).voxels)
    }
    let memory = scratch.take(weightGradient.scratch(threads: compute.threads))
    compute.timed(kind("weight gradient"), multiplyAdds: multiplyAdds) {
      weightGradient(samples, into: pass.gradients(weight), scratch: memory, compute: compute)
    }
  }

  private func kind(_ part: String) -> String {
    "3x3x3 convolution, \(part), \(inputs) -> \(outputs)"
  }

  private func volume(_ x: UnsafePointer<Float>, _ sample: Int, _ channels: Int) -> Activation {
    Activation(
      UnsafeMutablePointer(mutating: x + sample * count(channels)), grid, channels: channels)
  }

  /// A sample of the input, copied into a halo where there is one, as LeakyReLU(normalised) where
  /// there is a norm.
  private func voxels(
    _ x: UnsafePointer<Float>, _ sample: Int, _ channels: Int,
    halo: UnsafeMutablePointer<Float>?, _ norm: Normalisation?, _ compute: Compute
  ) -> Voxels {
    let source = volume(x, sample, channels)
    guard let halo else { return source.voxels }
    let target = HaloActivation(halo, grid, channels: channels)
    if let norm {
      norm.activate(source.data, into: target, compute: compute)
    } else {
      compute.copy(source.data, into: target)
    }
    return target.voxels
  }
}

extension Compute {
  /// A volume without gaps into one with a halo, which is set to zero.
  func copy(_ x: UnsafePointer<Float>, into halo: HaloActivation) {
    let (grid, channels) = (halo.grid, halo.channels)
    let (line, row) = (grid.width * channels, (grid.width + 2) * channels)
    let plane = (grid.height + 2) * row
    run(blocks: grid.depth + 2) { slab, _ in
      let target = halo.data + slab * plane
      target.update(repeating: 0, count: plane)
      guard slab >= 1, slab <= grid.depth else { return }
      for y in 0..<grid.height {
        (target + (y + 1) * row + channels).update(
          from: x + ((slab - 1) * grid.height + y) * line, count: line)
      }
    }
  }
}
