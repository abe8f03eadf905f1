import ArgumentParser
import Checkpoints
import Foundation
import Tensors
import UNETRPP
import Wording

/// `segmentd forward`: the bare network on one patch, for comparison with other implementations and
/// for timing.
struct ForwardCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "forward",
    abstract: "Run the bare network on one patch and write its logits.",
    discussion: """
      Reads the tensor "input" (1, C, D, H, W) of a safetensors file, normalised as the model was \
      trained, and writes the tensor "logits" (1, K, D, H, W). No preprocessing, no sliding window.
      """
        + examples(
          "segmentd forward --variant synapse --weights weights.safetensors \\",
          "    --input patch.safetensors --output logits.safetensors"))

  @Option(help: "synapse, acdc, lung, tumor, or a YAML file that describes a network.")
  var variant: String

  @Option(help: "The weights, a safetensors file.", completion: .safetensors)
  var weights: String

  @Option(
    help: "The safetensors file with the tensor \"input\".", completion: .safetensors)
  var input: String

  @Option(help: "The safetensors file to write.", completion: .safetensors)
  var output: String

  @Option(help: "Worker threads.")
  var threads = ProcessInfo.processInfo.activeProcessorCount

  @Option(name: .customLong("repeat"), help: "How often to run, for timing.")
  var repetitions = 1

  @Flag(help: "Print the times as JSON.")
  var json = false

  func validate() throws {
    guard (1...256).contains(threads) else {
      throw ValidationError("--threads must be from 1 to 256")
    }
    guard repetitions >= 1 else { throw ValidationError("--repeat must be at least 1") }
  }

  func run() async throws {
    let description = try networkDescription(variant)
    let patch = try readInput(description)
    let network = try Network(
      description: description, weights: SafetensorsFile(path: weights), threads: threads)
    var logits = [Float](repeating: 0, count: network.logitsCount)
    var seconds: [Double] = []
    for _ in 0..<repetitions {
      let elapsed = try ContinuousClock().measure {
        try patch.withUnsafeBufferPointer { patch in
          try logits.withUnsafeMutableBufferPointer { try network.forward(patch, logits: $0) }
        }
      }
      seconds.append(elapsed / .seconds(1))
    }
    let peak = peakMemoryMB()
    try SafetensorsWriter.write(
      [("logits", [1, description.classes] + description.patch, logits)], to: output)
    try report(seconds, network, peak)
  }

  private func readInput(_ description: NetworkDescription) throws -> [Float] {
    let file = try SafetensorsFile(path: input)
    let expected = [1, description.inputChannels] + description.patch
    guard let entry = file.entry("input") else {
      throw NetworkError.missingTensor(path: input, name: "input", expected: expected)
    }
    guard entry.shape == expected else {
      throw NetworkError.wrongShape(
        path: input, name: "input", expected: expected, actual: entry.shape)
    }
    return try file.floats("input")
  }

  private struct Report: Encodable {
    let seconds: [Double]
    let medianSeconds: Double
    let minSeconds: Double
    let threads: Int
    let isa: String
    let blasCore: String
    let peakMB: Double
  }

  private func report(_ seconds: [Double], _ network: Network, _ peak: Double) throws {
    let report = Report(
      seconds: seconds, medianSeconds: median(seconds), minSeconds: seconds.min() ?? 0,
      threads: network.threads,
      isa: network.instructionSet, blasCore: blasCoreName(),
      peakMB: peak)
    if json {
      print(try encodeJSON(report))
    } else {
      print("median \(report.medianSeconds) s, minimum \(report.minSeconds) s of \(seconds.count)")
      print(
        "\(counted(report.threads, "thread")), \(report.isa), OpenBLAS core \(report.blasCore), "
          + "peak memory \(Int(report.peakMB)) MB")
    }
  }
}
