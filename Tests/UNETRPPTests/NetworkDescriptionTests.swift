import Checkpoints
import Foundation
import TestSupport
import Testing

@testable import UNETRPP

struct NetworkDescriptionTests {
  static let published: [(String, NetworkDescription)] = [
    ("synapse", .synapse), ("acdc", .acdc), ("lung", .lung), ("tumor", .tumor),
  ]

  /// The state dictionary is the published one: every name and shape.
  @Test(arguments: published)
  func stateDictionary(name: String, description: NetworkDescription) throws {
    let data = try Data(contentsOf: URL(fileURLWithPath: Golden.path("statedict_\(name).json")))
    let rows = try #require(try JSONSerialization.jsonObject(with: data) as? [[Any]])
    var golden: [String: [Int]] = [:]
    for row in rows {
      let key = try #require(row[0] as? String)
      if !key.hasSuffix("num_batches_tracked") { golden[key] = try #require(row[1] as? [Int]) }
    }
    try description.validate()
    let entries = description.stateDictionary()
    #expect(Dictionary(uniqueKeysWithValues: entries.map { ($0.name, $0.shape) }) == golden)
    for entry in entries where entry.name.hasPrefix("out") {
      #expect(entry.isRequired == entry.name.hasPrefix("out1"))
    }
  }

  @Test func impossibleSizesAreRefused() {
    let changes: [(String, (inout NetworkDescription) -> Void)] = [
      ("patch", { $0.patch = [64, 128] }), ("patch", { $0.patch = [64, 128, 100] }),
      ("patch", { $0.patch = [1024, 1024, 1024] }), ("patch", { $0.patch = [0, 128, 128] }),
      ("stem", { $0.stem = [2, 4, -4] }), ("dims", { $0.dims = [32, 64, 128] }),
      ("dims", { $0.dims = [30, 64, 128, 256] }), ("dims", { $0.dims = [32, 48, 128, 256] }),
      ("dims", { $0.inputChannels = 5 }), ("heads", { $0.heads = 0 }),
      ("classes", { $0.classes = 1 }), ("depths", { $0.depths = [3, 3, 3, 0] }),
      ("projections", { $0.projections = [64, 64, 64, .max] }),
      ("decoderDepths", { $0.decoderDepths = [] }), ("featureSize", { $0.featureSize = -1 }),
    ]
    for (field, change) in changes {
      var description = NetworkDescription.synapse
      change(&description)
      do {
        try description.validate()
        Issue.record("\(field) was accepted: \(description)")
      } catch {
        guard case .invalidDescription(field, _) = error else {
          Issue.record("\(field): \(error)")
          continue
        }
      }
    }
  }

  @Test func memoryIsPredicted() throws {
    let bytes = NetworkDescription.synapse.activationBytes(threads: 2)
    #expect((200 << 20)...(300 << 20) ~= bytes)
    #expect(NetworkDescription.lung.activationBytes(threads: 2) > bytes)
  }

  @Test func weightsThatDoNotFitAreNamed() throws {
    let golden = try Golden.file("net_tiny_synapse")
    let description = NetworkParityTests.reduced(.synapse, tiny: true)
    let tensors = try golden.tensorNames.filter { $0.hasPrefix("w.") }.map {
      (
        name: String($0.dropFirst(2)), shape: golden.entry($0)?.shape ?? [],
        values: try golden.floats($0)
      )
    }
    let folder = try TemporaryFolder()
    let path = folder.url.appendingPathComponent("weights.safetensors").path
    func failure(_ tensors: [SafetensorsWriter.NamedTensor]) throws -> NetworkError? {
      try SafetensorsWriter.write(tensors, to: path)
      let file = try SafetensorsFile(path: path)
      do {
        _ = try Network(description: description, weights: file, threads: 1)
        return nil
      } catch { return error }
    }
    let name = "decoder4.decoder_block.0.0.epa_block.qkvv.weight"
    #expect(
      try failure(tensors.filter { $0.name != name })
        == .missingTensor(path: path, name: name, expected: [64, 16]))
    #expect(
      try failure(tensors + [("unexpected", [1], [0])])
        == .unexpectedTensor(path: path, name: "unexpected", shape: [1]))
    let reshaped = tensors.map { $0.name == name ? ($0.name, [16, 64], $0.values) : $0 }
    #expect(
      try failure(reshaped)
        == .wrongShape(path: path, name: name, expected: [64, 16], actual: [16, 64]))
    // Unused tensors are let pass, but only in their shape.
    let counter = ("decoder4.decoder_block.0.0.conv51.norm1.num_batches_tracked", [1], [Float(0)])
    let head = ("out2.conv.conv.bias", [5], [Float](repeating: 0, count: 5))
    #expect(try failure(tensors + [counter, head]) == nil)
    #expect(
      try failure(tensors + [("out2.conv.conv.bias", [4], [0, 0, 0, 0])])
        == .wrongShape(path: path, name: "out2.conv.conv.bias", expected: [5], actual: [4]))
  }

  @Test func buffersOfTheWrongSizeAreRefused() throws {
    let description = NetworkParityTests.reduced(.synapse, tiny: true)
    let network = try SeededNetwork(description).network(threads: 1)
    var logits = [Float](repeating: 0, count: network.logitsCount)
    let short = [Float](repeating: 0, count: network.inputCount - 1)
    #expect(
      throws: NetworkError.wrongCount(
        buffer: "input", expected: network.inputCount, actual: network.inputCount - 1)
    ) {
      try short.withUnsafeBufferPointer { input in
        try logits.withUnsafeMutableBufferPointer { try network.forward(input, logits: $0) }
      }
    }
  }
}
