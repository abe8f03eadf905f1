import ArgumentParser
import Checkpoints
import Foundation
import Tensors
import Training
import UNETRPP
import Wording

/// `segmentd train-step`: training steps of the bare network on one batch, for comparison with other
/// implementations and for timing.
struct TrainStepCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train-step",
    abstract: "Train the bare network on one batch for a few steps, for timing.",
    discussion: """
      Reads the tensors "images" (B, C, D, H, W), normalised, and "labels" (B, D, H, W) of a \
      safetensors file. Every step is the forward pass, the loss with deep supervision, the backward \
      pass, clipping at 12 and one step of the optimiser at a rate of 1e-4.
      """
        + examples(
          "segmentd train-step --variant acdc --weights weights.safetensors \\",
          "    --batch batch.safetensors --steps 3"))

  enum Rule: String, ExpressibleByArgument, CaseIterable {
    case adamw, sgd

    var optimiser: OptimiserRule { self == .sgd ? .sgd() : .adamW() }
  }

  @Option(help: "synapse, acdc, lung, tumor, or a YAML file that describes a network.")
  var variant: String

  @Option(help: "The first weights, a safetensors file.")
  var weights: String

  @Option(help: "The safetensors file with the tensors \"images\" and \"labels\".")
  var batch: String

  @Option(help: "How many steps to make.")
  var steps = 3

  @Option(help: "The optimiser.")
  var optimiser: Rule = .adamw

  @Option(help: "A safetensors file to write with the last weights.")
  var output: String?

  @Option(help: "Worker threads.")
  var threads = ProcessInfo.processInfo.activeProcessorCount

  @Flag(help: "Show the time of each kind of layer, compared with the machine's peak performance.")
  var profile = false

  @Flag(help: "Print the figures as JSON.")
  var json = false

  static let rate = 1e-4
  static let clipping = 12.0

  func validate() throws {
    guard (1...256).contains(threads) else {
      throw ValidationError("--threads must be from 1 to 256")
    }
    guard steps >= 1 else { throw ValidationError("--steps must be at least 1") }
  }

  func run() async throws {
    let description = try networkDescription(variant)
    guard let compute = Compute(threads: threads) else {
      throw ValidationError("\(counted(threads, "thread")) cannot be started")
    }
    let samples = try TrainingSamples(path: batch, description)
    let trial = try TrainingTrial(
      description, samples, weights: SafetensorsFile(path: weights), rule: optimiser.optimiser,
      compute: compute)
    var seconds: [Double] = []
    var processor: [Double] = []
    var losses: [Double] = []
    for _ in 0..<steps {
      let before = processorSeconds()
      let elapsed = try ContinuousClock().measure { losses.append(try trial.step()) }
      seconds.append(elapsed / .seconds(1))
      processor.append(processorSeconds() - before)
    }
    let peakMB = peakMemoryMB()
    if let output { try SafetensorsWriter.write(trial.network.stateDictionary(), to: output) }
    // The profile's clock costs a little, so this step is not among those above.
    let entries = profile ? try trial.network.profile { _ = try trial.step() } : []
    let peak = profile ? MachinePeak(of: compute) : nil
    let report = TrainStepReport(
      seconds: seconds, processorSeconds: processor, losses: losses, threads: compute.threads,
      isa: compute.instructionSet,
      blasCore: blasCoreName(), peakMB: peakMB,
      networkMB: Double(
        try TrainableNetwork.bytes(
          description: description, batch: samples.batch, threads: compute.threads,
          deepSupervision: true)) / 0x1p20,
      layers: peak.map { BenchReport.layers(entries, repetitions: 1, peak: $0) })
    print(json ? try encodeJSON(report) : report.text)
  }
}

/// A batch of images with their labels.
struct TrainingSamples {
  let batch: Int
  let images: [Float]
  let labels: [UInt8]

  /// - Throws: `NetworkError` where a tensor is missing or does not fit the network, `ValidationError`
  ///   where a label is not a whole number from 0 to 255.
  init(path: String, _ description: NetworkDescription) throws {
    let file = try SafetensorsFile(path: path)
    batch = file.entry("images")?.shape.first ?? 1
    func values(_ name: String, _ shape: [Int]) throws -> [Float] {
      guard let entry = file.entry(name) else {
        throw NetworkError.missingTensor(path: path, name: name, expected: shape)
      }
      guard entry.shape == shape else {
        throw NetworkError.wrongShape(
          path: path, name: name, expected: shape, actual: entry.shape)
      }
      return try file.floats(name)
    }
    images = try values("images", [batch, description.inputChannels] + description.patch)
    labels = try values("labels", [batch] + description.patch).map {
      guard let label = UInt8(exactly: $0) else {
        throw ValidationError("\(path): the tensor \"labels\" holds \($0), which is no label")
      }
      return label
    }
  }
}

/// A network that is trained on one batch again and again.
final class TrainingTrial {
  let network: TrainableNetwork
  private let samples: TrainingSamples
  private let compute: Compute
  private let loss: SegmentationLoss
  private let optimiser: Optimiser
  private var gradients: [FlatBuffer] = []

  init(
    _ description: NetworkDescription, _ samples: TrainingSamples, weights: SafetensorsFile,
    rule: OptimiserRule, compute: Compute
  ) throws {
    self.samples = samples
    self.compute = compute
    network = try TrainableNetwork(
      description: description, batch: samples.batch, deepSupervision: true, weights: weights,
      compute: compute)
    loss = SegmentationLoss(
      .recipe, batch: samples.batch, classes: description.classes, shape: description.patch)
    let store = network.parameters
    optimiser = Optimiser(
      rule, count: store.values.count,
      ranges: store.entries.map { ParameterRange($0.range, isDecayed: $0.isDecayed) })
  }

  /// One step; the loss before it.
  func step() throws -> Double {
    guard
      let levels = samples.images.withUnsafeBufferPointer({
        $0.baseAddress.map { network.forward($0, step: optimiser.steps) }
      })
    else { return .nan }
    if gradients.isEmpty {
      gradients = levels.map { FlatBuffer(count: samples.batch * $0.stride) }
    }
    let pointers = gradients.compactMap { $0.values.baseAddress }
    let value = try samples.labels.withUnsafeBufferPointer { labels -> Double in
      guard let labels = labels.baseAddress else { return .nan }
      let levels = zip(levels, pointers).map { level, gradient in
        LossLevel(
          shape: [level.grid.depth, level.grid.height, level.grid.width], logits: level.values,
          gradient: gradient)
      }
      return try loss.evaluate(levels, labels: labels, compute: compute).total
    }
    network.backward(pointers.map { UnsafePointer($0) })
    let store = network.parameters
    let norm = try GradientNorm(store.gradients, compute)
    optimiser.step(
      store.values, store.gradients, rate: TrainStepCommand.rate,
      gradientScale: norm.scale(limit: TrainStepCommand.clipping), compute)
    network.prepareWeights()
    return value
  }
}

/// What `train-step` measured.
struct TrainStepReport: Encodable {
  let seconds: [Double]
  /// Of all threads.
  let processorSeconds: [Double]
  let losses: [Double]
  let threads: Int
  let isa: String
  let blasCore: String
  let peakMB: Double
  /// What the network reserves for parameters, gradients and activations.
  let networkMB: Double
  let layers: [BenchReport.Layer]?

  var text: String {
    var lines = [
      String(format: "median %.3f s, minimum %.3f s of ", median(seconds), seconds.min() ?? 0)
        + "\(counted(seconds.count, "step")); losses "
        + losses.map { String(format: "%.4f", $0) }.joined(separator: " "),
      "\(counted(threads, "thread")), \(isa), OpenBLAS core \(blasCore), "
        + "peak memory \(Int(peakMB)) MB, of it the network \(Int(networkMB)) MB",
    ]
    if let layers { lines += ["", BenchReport.table(layers)] }
    return lines.joined(separator: "\n")
  }
}
