import ArgumentParser
import Checkpoints
import Foundation
import Segmentation
import SeriesProcessing
import Tensors
import UNETRPP
import Wording

/// `segmentd bench`: how fast this machine computes a network.
struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Time one patch of a network on this machine.",
    discussion: """
      Without a model, a published network is built with random weights, which take as long as trained ones. The \
      estimate is for a study of 150 slices of 512 x 512 whose pixels are 3 % larger than the model's (0.78 mm for \
      0.758), with its overlap and mirrorings (published networks: half a patch, all three axes) and all resampling; \
      reading and writing files takes additional time.
      """
        + examples("segmentd bench --variant synapse", "segmentd bench --model cardiac --profile"))

  @Option(help: "synapse, acdc, lung, tumor, or a YAML file that describes a network.")
  var variant: String?

  @Option(
    help: "The model's name, or the path of its bundle, instead of a variant.", completion: .model)
  var model: String?

  @Option(
    name: .customLong("models"), help: "A folder of further model bundles.",
    completion: .directory)
  var modelDirectories: [String] = []

  @Option(help: "Worker threads; 0 for one per processor.")
  var threads = 0

  @Option(
    name: .customLong("repeat"), help: "How often to run, after a first run that is not counted.")
  var repetitions = 7

  @Flag(help: "Show the time of each kind of layer, compared with the machine's peak performance.")
  var profile = false

  @Flag(help: "Print the figures as JSON.")
  var json = false

  func validate() throws {
    guard variant == nil || model == nil else {
      throw ValidationError("--variant and --model exclude each other")
    }
    guard (0...256).contains(threads) else {
      throw ValidationError("--threads must be from 0 to 256")
    }
    guard repetitions >= 1 else { throw ValidationError("--repeat must be at least 1") }
  }

  func run() async throws {
    let subject = try await subject()
    let threads = threadCount(threads)
    let network = try Network(
      description: subject.description, weights: SafetensorsFile(path: subject.weights),
      threads: threads)
    subject.removeWeights()
    var generator = SystemRandomNumberGenerator()
    let patch = (0..<network.inputCount).map { _ in Float.random(in: -1...1, using: &generator) }
    var logits = [Float](repeating: 0, count: network.logitsCount)
    func forward() throws {
      try patch.withUnsafeBufferPointer { patch in
        try logits.withUnsafeMutableBufferPointer { try network.forward(patch, logits: $0) }
      }
    }
    try forward()
    var seconds: [Double] = []
    for _ in 0..<repetitions {
      seconds.append(try ContinuousClock().measure(forward) / .seconds(1))
    }
    let peakMB = peakMemoryMB()
    // The profile's clock costs a little, so these runs are not among those above.
    let entries = try network.profile { for _ in 0..<repetitions { try forward() } }
    let estimate = try StudyTimeEstimate.measure(
      subject.description, inference: subject.inference, spacing: subject.spacing)
    let report = BenchReport(
      subject: subject, estimate: estimate, network: network, seconds: seconds, peakMB: peakMB,
      entries: entries,
      repetitions: repetitions, withLayers: profile)
    print(json ? try encodeJSON(report) : report.text)
  }

  private func subject() async throws -> BenchSubject {
    guard let model else {
      let name = variant ?? "synapse"
      return try .random(name, networkDescription(name))
    }
    let library = ModelLibrary(
      directories: try foldersOfModels(modelDirectories), threads: threadCount(threads))
    let bundle = try await library.segmenter(model).bundle
    return BenchSubject(
      name: bundle.name, description: bundle.network, inference: bundle.inference,
      spacing: bundle.preprocessing.spacing,
      weights: bundle.weights.path, isTemporary: false)
  }
}

/// The network that is timed.
struct BenchSubject {
  let name: String
  let description: NetworkDescription
  let inference: ModelBundle.Inference
  /// Of the network's voxels, z, y, x in mm.
  let spacing: [Double]
  let weights: String
  let isTemporary: Bool

  /// A network with random weights, written to a temporary file.
  static func random(_ name: String, _ description: NetworkDescription) throws -> BenchSubject {
    var generator = SystemRandomNumberGenerator()
    let tensors = description.stateDictionary().filter(\.isRequired).map { entry in
      let count = entry.shape.reduce(1, *)
      let size = 1.7 / Float(max(1, entry.shape.dropFirst().reduce(1, *))).squareRoot()
      let isVariance = entry.name.hasSuffix("running_var")
      let values = (0..<count).map { _ in
        isVariance ? 1 : Float.random(in: -size...size, using: &generator)
      }
      return (name: entry.name, shape: entry.shape, values: values)
    }
    let path = FileManager.default.temporaryDirectory
      .appendingPathComponent("segmentd-bench-\(UUID().uuidString).safetensors").path
    try SafetensorsWriter.write(tensors, to: path)
    return BenchSubject(
      name: name, description: description,
      inference: ModelBundle.Inference(step: 0.5, mirrorAxes: [0, 1, 2]),
      spacing: ModelPreset.named(name == "tumor" ? "brats" : name)?.preprocessing.spacing
        ?? [1, 1, 1],
      weights: path, isTemporary: true)
  }

  func removeWeights() {
    if isTemporary { try? FileManager.default.removeItem(atPath: weights) }
  }
}

/// What `bench` measured.
struct BenchReport: Encodable {
  struct Layer: Encodable {
    let kind: String
    let calls: Int
    let milliseconds: Double
    /// Operations over the measured peak, or bytes over the measured bandwidth, the larger.
    let floorMilliseconds: Double
    let gflops: Double
  }
  struct Study: Encodable {
    let shape: [Int]
    let patches: Int
    let seconds: Double
  }

  let network: String
  let threads: Int
  let isa: String
  let blasCore: String
  let medianSeconds: Double
  let minSeconds: Double
  /// Operations of the definition, a multiplication with addition counted as two.
  let gflop: Double
  let gflops: Double
  let peakGflops: Double
  let shareOfPeak: Double
  let bandwidthGBs: Double
  let peakMB: Double
  let study: Study
  let layers: [Layer]?

  init(
    subject: BenchSubject, estimate: StudyTimeEstimate, network: Network, seconds: [Double],
    peakMB: Double,
    entries: [Profile.Entry], repetitions: Int, withLayers: Bool
  ) {
    let peak = network.measurePeak()
    self.network = subject.name
    threads = network.threads
    isa = network.instructionSet
    blasCore = blasCoreName()
    medianSeconds = median(seconds)
    minSeconds = seconds.min() ?? 0
    gflop = entries.reduce(0) { $0 + Double($1.multiplyAdds) } * 2e-9 / Double(repetitions)
    gflops = gflop / minSeconds
    peakGflops = peak.operations * 1e-9
    shareOfPeak = gflops / peakGflops
    bandwidthGBs = peak.bandwidth * 1e-9
    self.peakMB = peakMB
    let shape = [150, 512, 512]
    let patches = PatchCount.of(
      shape: StudyTimeEstimate.resampledShape(shape, spacing: subject.spacing),
      patch: subject.description.patch, inference: subject.inference)
    study = Study(
      shape: shape, patches: patches,
      seconds: Double(patches) * (medianSeconds + estimate.secondsPerPatch)
        + Double(shape.reduce(1, *)) * estimate.secondsPerVoxel)
    layers = withLayers ? Self.layers(entries, repetitions: repetitions, peak: peak) : nil
  }

  /// The time of each kind of layer in one run of `repetitions`.
  static func layers(
    _ entries: [Profile.Entry], repetitions: Int, peak: MachinePeak
  ) -> [Layer] {
    let each = 1 / Double(repetitions)
    return entries.map { entry in
      let operations = 2 * Double(entry.multiplyAdds)
      return Layer(
        kind: entry.kind, calls: entry.calls / repetitions,
        milliseconds: entry.seconds * 1e3 * each,
        floorMilliseconds: max(
          operations / peak.operations, Double(entry.bytes) / peak.bandwidth) * 1e3 * each,
        gflops: operations / entry.seconds * 1e-9)
    }
  }

  var text: String {
    func number(_ value: Double, _ digits: Int = 1) -> String {
      String(format: "%.\(digits)f", value)
    }
    var lines = [
      "\(network), \(counted(threads, "thread")), \(isa), OpenBLAS core \(blasCore)",
      "patch: median \(number(medianSeconds, 4)) s, minimum \(number(minSeconds, 4)) s",
      "\(number(gflop)) GFLOP per patch, \(number(gflops, 0)) GFLOP/s, "
        + "\(number(shareOfPeak * 100, 0)) % of the measured peak of \(number(peakGflops, 0))",
      "peak memory \(number(peakMB, 0)) MB; bandwidth \(number(bandwidthGBs, 0)) GB/s",
      "a study of 150 x 512 x 512 voxels: \(counted(study.patches, "patch", "patches")), "
        + "\(number(study.seconds / 60)) min, and its files",
    ]
    if let layers { lines += ["", Self.table(layers)] }
    return lines.joined(separator: "\n")
  }

  static func table(_ layers: [Layer]) -> String {
    let rows = layers.map {
      [
        String(format: "%.2f", $0.milliseconds), String(format: "%.2f", $0.floorMilliseconds),
        "\($0.calls)", String(format: "%.0f", $0.gflops), $0.kind,
      ]
    }
    return formatTable([["ms", "floor ms", "calls", "GFLOP/s", "layer"]] + rows)
  }
}
