import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing
import UNETRPP

@testable import Training

/// Small networks of each published shape: one block a stage, few channels.
enum SmallNetworks {
  static func description(_ kind: BlockKind) -> NetworkDescription {
    let (patch, inputs, stem) =
      switch kind {
      case .synapse: ([16, 32, 32], 1, [2, 4, 4])
      case .acdc: ([8, 32, 64], 1, [1, 4, 4])
      case .lung: ([16, 32, 32], 1, [1, 4, 4])
      case .tumor: ([32, 32, 32], 4, [4, 4, 4])
      }
    return NetworkDescription(
      blocks: kind, patch: patch, inputChannels: inputs, classes: kind == .lung ? 2 : 3,
      stem: stem, featureSize: 4, dims: [8, 16, 32, 32], heads: 4, depths: [1, 1, 1, 1],
      decoderDepths: [1, 1, 1], projections: [8, 8, 4, 4], decoderProjections: [8, 8, 8])
  }

  /// Numbers in -1...1 that are the same in every run.
  static func numbers(_ count: Int, seed: UInt64) -> [Float] {
    var generator = CounterGenerator(seed: seed, purpose: .noise)
    return (0..<count).map { _ in Float(generator.uniform(in: -1...1)) }
  }

  /// Changes every parameter and running statistic, so that none is 0 or 1 by chance.
  static func shake(_ store: ParameterStore, seed: UInt64) {
    var generator = CounterGenerator(seed: seed, purpose: .noise)
    for entry in store.entries {
      for i in entry.range {
        let value = Float(generator.uniform(in: -1...1))
        switch entry.name.split(separator: ".").last {
        case "gamma": store.values[i] = 0.5 + 0.25 * value
        case "temperature": store.values[i] = 2 + value
        case "temperature2": store.values[i] = 8 + 4 * value
        case "weight" where entry.shape.count == 1: store.values[i] = 1 + 0.25 * value
        case "weight" where entry.shape.count == 2: store.values[i] *= 12
        case "bias", "pos_embed": store.values[i] = 0.25 * value
        default: break
        }
      }
    }
    for entry in store.bufferEntries {
      for i in entry.range {
        let value = Float(generator.uniform(in: -1...1))
        store.buffers[i] = entry.name.hasSuffix("var") ? 1 + 0.5 * value : 0.25 * value
      }
    }
  }
}

/// The trainable network computes what the network of inference computes.
struct EvaluationParityTests {
  @Test(arguments: BlockKind.allCases, InstructionSet.allCases.filter(\.isAvailable))
  func logitsAreThoseOfInference(kind: BlockKind, set: InstructionSet) throws {
    let description = SmallNetworks.description(kind)
    let compute = try #require(Compute(threads: 2, instructions: set))
    let network = try TrainableNetwork(
      description: description, batch: 2, deepSupervision: true, seed: 3, compute: compute)
    SmallNetworks.shake(network.parameters, seed: 4)
    network.prepareWeights()
    let images = SmallNetworks.numbers(network.imagesCount, seed: 5)
    let logits = try #require(
      images.withUnsafeBufferPointer { $0.baseAddress.map(network.evaluate) })

    let folder = try TemporaryFolder()
    let path = folder.url.appendingPathComponent("weights.safetensors").path
    try SafetensorsWriter.write(network.stateDictionary(), to: path)
    let inference = try Network(
      description: description, weights: SafetensorsFile(path: path), threads: 2)
    for sample in 0..<2 {
      let patch = Array(images[sample * inference.inputCount..<(sample + 1) * inference.inputCount])
      var expected = [Float](repeating: .nan, count: inference.logitsCount)
      try patch.withUnsafeBufferPointer { patch in
        try expected.withUnsafeMutableBufferPointer { try inference.forward(patch, logits: $0) }
      }
      let actual = Array(
        UnsafeBufferPointer(
          start: logits[0].values + sample * logits[0].stride, count: logits[0].stride))
      let largest = expected.reduce(0) { max($0, abs($1)) }
      let difference = largestDifference(actual, expected) / largest
      print("\(kind) \(set) sample \(sample): logits to \(largest) differ by \(difference)")
      #expect(difference < 2e-5)
    }
  }

  @Test func weightsFromAFileAreThoseWritten() throws {
    let description = SmallNetworks.description(.synapse)
    let compute = try #require(Compute(threads: 1))
    let first = try TrainableNetwork(
      description: description, batch: 1, deepSupervision: true, seed: 3, compute: compute)
    SmallNetworks.shake(first.parameters, seed: 4)
    let folder = try TemporaryFolder()
    let path = folder.url.appendingPathComponent("weights.safetensors").path
    try SafetensorsWriter.write(first.stateDictionary(), to: path)
    let second = try TrainableNetwork(
      description: description, batch: 1, deepSupervision: true,
      weights: SafetensorsFile(path: path), compute: compute)
    #expect(Array(second.parameters.values) == Array(first.parameters.values))
    #expect(Array(second.parameters.buffers) == Array(first.parameters.buffers))
    // A file of a network that was trained without deep supervision lacks its heads.
    let lesser = first.stateDictionary().filter { !$0.name.hasPrefix("out2") }
    try SafetensorsWriter.write(lesser, to: path)
    let third = try TrainableNetwork(
      description: description, batch: 1, deepSupervision: true,
      weights: SafetensorsFile(path: path), compute: compute)
    let head = try #require(third.parameters.entry("out2.conv.conv.weight"))
    #expect(third.parameters.values[head.range].contains { $0 != 0 })
  }

  @Test func aNetworkWithoutMemoryIsRefused() throws {
    var description = NetworkDescription.lung
    description.patch = [256, 512, 512]
    let compute = try #require(Compute(threads: 1))
    #expect {
      try TrainableNetwork(
        description: description, batch: 1024, deepSupervision: false, seed: 0, compute: compute)
    } throws: { error in
      guard case .notEnoughMemory(let bytes) = error as? NetworkError else { return false }
      return bytes > 1 << 40
    }
  }
}
