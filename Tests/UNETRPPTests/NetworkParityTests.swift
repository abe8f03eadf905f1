import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

@testable import UNETRPP

/// Whole networks against the reference implementation.
@Suite(.serialized)
struct NetworkParityTests {
  static let kinds: [BlockKind] = [.synapse, .acdc, .tumor]

  /// The reduced networks of the golden files.
  static func reduced(_ kind: BlockKind, tiny: Bool) -> NetworkDescription {
    let (patch, inputs, stem) =
      switch kind {
      case .synapse: ([16, 32, 64], 1, [2, 4, 4])
      case .acdc, .lung: ([8, 32, 64], 1, [1, 4, 4])
      case .tumor: ([32, 32, 64], 4, [4, 4, 4])
      }
    guard tiny else {
      return NetworkDescription(
        blocks: kind, patch: patch, inputChannels: inputs, classes: kind == .synapse ? 14 : 4,
        stem: stem)
    }
    return NetworkDescription(
      blocks: kind, patch: patch, inputChannels: inputs, classes: kind == .synapse ? 5 : 4,
      stem: stem, featureSize: 4, dims: [8, 16, 32, 64], depths: [1, 1, 1, 1],
      decoderDepths: [1, 1, 1], projections: [16, 16, 8, 8], decoderProjections: [16, 16, 16])
  }

  /// Logits and inspected stages of a network.
  static func run(
    _ network: Network, _ input: [Float]
  ) throws -> (logits: [Float], stages: [String: [Float]]) {
    var logits = [Float](repeating: .nan, count: network.logitsCount)
    var stages: [String: [Float]] = [:]
    try input.withUnsafeBufferPointer { input in
      try logits.withUnsafeMutableBufferPointer { logits in
        try network.forward(input, logits: logits) { stages[$0] = $1.planar }
      }
    }
    return (logits, stages)
  }

  static func input(_ d: NetworkDescription) -> [Float] {
    SeededWeights.input(channels: d.inputChannels, d.patch[0], d.patch[1], d.patch[2])
  }

  private func compare(
    _ name: String, _ network: Network, _ input: [Float], _ golden: SafetensorsFile
  ) throws {
    let (logits, stages) = try Self.run(network, input)
    for (stage, values) in stages.sorted(by: { $0.key < $1.key }) {
      guard golden.entry("act.\(stage)") != nil else { continue }
      Parity("\(name) \(stage)", values, try golden.floats("act.\(stage)")).check(within: 2e-4)
    }
    Parity("\(name) logits", logits, try golden.floats("logits")).check(within: 2e-4, mean: 1.5e-5)
  }

  @Test(arguments: kinds, InstructionSet.allCases.filter(\.isAvailable))
  func tinyNetwork(kind: BlockKind, set: InstructionSet) throws {
    let golden = try Golden.file("net_tiny_\(kind.rawValue)")
    let folder = try TemporaryFolder()
    let path = folder.url.appendingPathComponent("weights.safetensors").path
    let weights = try golden.tensorNames.filter { $0.hasPrefix("w.") }.map {
      (String($0.dropFirst(2)), golden.entry($0)?.shape ?? [], try golden.floats($0))
    }
    try SafetensorsWriter.write(weights, to: path)
    let description = Self.reduced(kind, tiny: true)
    let network = try Network(
      description: description, weights: SafetensorsFile(path: path), threads: 2,
      instructions: set)
    let input = Self.input(description)
    try compare("tiny \(kind) \(set)", network, input, golden)
    // Any number of threads, and a second run, give the same bits.
    let first = try Self.run(network, input).logits
    for threads in [1, 3] {
      let other = try Network(
        description: description, weights: SafetensorsFile(path: path), threads: threads,
        instructions: set)
      #expect(try Self.run(other, input).logits == first)
    }
  }

  @Test(arguments: kinds)
  func smallNetwork(kind: BlockKind) throws {
    let golden = try Golden.file("net_small_\(kind.rawValue)")
    let description = Self.reduced(kind, tiny: false)
    let seeded = try SeededNetwork(description)
    #expect(seeded.digest == golden.metadata["weights_sha256"])
    let input = Self.input(description)
    try compare("small \(kind)", seeded.network(threads: 2), input, golden)
  }

  static let inRelease: ConditionTrait = .enabled(
    if: isRelease,
    "full-size networks take minutes in a debug build: swift test -c release")
  static var isRelease: Bool {
    #if DEBUG
      false
    #else
      true
    #endif
  }

  @Test(inRelease, arguments: BlockKind.allCases)
  func fullNetwork(kind: BlockKind) throws {
    let golden = try Golden.json("full_\(kind.rawValue)")
    let description: NetworkDescription =
      switch kind {
      case .synapse: .synapse
      case .acdc: .acdc
      case .lung: .lung
      case .tumor: .tumor
      }
    let seeded = try SeededNetwork(description)
    #expect(seeded.digest == golden["weights_sha256"] as? String)
    let (logits, stages) = try Self.run(seeded.network(threads: 2), Self.input(description))

    let voxels = description.patchGrid.voxels
    let positions = try #require(golden["positions_linear_voxel_index"] as? [Int])
    let expected = try #require(golden["logits_at_positions"] as? [[Double]])
    let samples = positions.flatMap { position in
      (0..<description.classes).map { logits[$0 * voxels + position] }
    }
    Parity("full \(kind) logits", samples, expected.flatMap { $0.map { Float($0) } })
      .check(within: 5e-4, mean: 2e-5)
    for (name, value) in try #require(golden["stages"] as? [String: [String: Any]]) {
      let stage = try #require(stages[name])
      let indices = try #require(value["idx"] as? [Int])
      let values = try #require(value["values"] as? [Double])
      Parity("full \(kind) \(name)", indices.map { stage[$0] }, values.map { Float($0) })
        .check(within: 5e-4)
    }
    let histogram = try #require(golden["argmax_hist"] as? [Int])
    var counts = [Int](repeating: 0, count: description.classes)
    for voxel in 0..<voxels {
      var best = 0
      for k in 1..<description.classes
      where logits[k * voxels + voxel] > logits[best * voxels + voxel] {
        best = k
      }
      counts[best] += 1
    }
    let moved = zip(counts, histogram).reduce(0) { $0 + abs($1.0 - $1.1) }
    print("parity | full \(kind) argmax counts differ by \(moved) of \(voxels)")
    #expect(moved <= 20)
  }
}

/// A weights file by the seeded rule, in a temporary folder.
struct SeededNetwork {
  let description: NetworkDescription
  let digest: String
  private let folder: TemporaryFolder
  private let file: SafetensorsFile

  init(_ description: NetworkDescription) throws {
    self.description = description
    folder = try TemporaryFolder()
    let path = folder.url.appendingPathComponent("weights.safetensors").path
    let tensors = SeededWeights.network(description)
    try SafetensorsWriter.write(tensors, to: path)
    file = try SafetensorsFile(path: path)
    digest = try Self.digest(file, in: folder)
  }

  func network(threads: Int) throws -> Network {
    try Network(description: description, weights: file, threads: threads)
  }

  /// SHA-256 over all tensors in ascending order of name: name, a zero byte, values.
  private static func digest(_ file: SafetensorsFile, in folder: TemporaryFolder) throws -> String {
    let url = folder.url.appendingPathComponent("digest")
    try Data().write(to: url)
    let handle = try FileHandle(forWritingTo: url)
    for name in file.tensorNames.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
      try handle.write(contentsOf: Data(name.utf8) + [0])
      let values = try file.floats(name)
      try handle.write(contentsOf: values.withUnsafeBytes { Data($0) })
    }
    try handle.close()
    let process = Process()
    let pipe = Pipe()
    defer { try? pipe.fileHandleForReading.close() }
    process.executableURL = URL(fileURLWithPath: "/usr/bin/sha256sum")
    process.arguments = [url.path]
    process.standardOutput = pipe
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    try FileManager.default.removeItem(at: url)
    return String(output.prefix(64))
  }
}
