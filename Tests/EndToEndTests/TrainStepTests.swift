import Checkpoints
import Foundation
import TestSupport
import Testing

/// `segmentd train-step`: steps of a small network, and batches that are refused.
@Suite(.limitedConcurrency) struct TrainStepTests {
  private let folder: TemporaryFolder
  private let weights = TestFiles.fixtures
    .appendingPathComponent("models/untrained-tiny-mr/weights.safetensors").path
  private let patch = [16, 32, 64]

  init() throws {
    folder = try TemporaryFolder()
    // That of the fixture.
    let network = """
      {blocks: synapse, patch: [16, 32, 64], inputChannels: 1, classes: 5, stem: [2, 4, 4],
       featureSize: 4, dims: [8, 16, 32, 64], heads: 4, depths: [1, 1, 1, 1],
       decoderDepths: [1, 1, 1], projections: [16, 16, 8, 8], decoderProjections: [16, 16, 16]}
      """
    try network.write(to: file("network.yaml"), atomically: true, encoding: .utf8)
  }

  private func file(_ name: String) -> URL { folder.url.appendingPathComponent(name) }

  private func step(labels: [Float]?, _ more: String...) async throws -> ProcessResult {
    let count = patch.reduce(1, *)
    let images = (0..<count).map { Float($0 % 7) - 3 }
    try SafetensorsWriter.write(
      [("images", [1, 1] + patch, images)] + (labels.map { [("labels", [1] + patch, $0)] } ?? []),
      to: file("batch.safetensors").path)
    return try await runProcess(
      segmentdBinary,
      [
        "train-step", "--variant", file("network.yaml").path, "--weights", weights, "--batch",
        file("batch.safetensors").path, "--threads", "2",
      ] + more)
  }

  @Test func stepsLowerTheLossAndGiveWeights() async throws {
    struct Report: Decodable { var losses: [Double], layers: [Layer]? }
    struct Layer: Decodable {}
    let labels = (0..<patch.reduce(1, *)).map { Float($0 / 64 % 32 / 16) }
    let output = file("weights.safetensors").path
    let made = try await step(
      labels: labels, "--steps", "12", "--json", "--profile", "--output", output)
    try #require(made.status == 0, "\(made.output)")
    let report = try JSONDecoder().decode(Report.self, from: Data(made.output.utf8))
    #expect(report.losses.count == 12 && report.layers?.isEmpty == false)
    #expect(try #require(report.losses.last) < report.losses[0])
    let (first, last) = (try SafetensorsFile(path: weights), try SafetensorsFile(path: output))
    #expect(try first.floats("out1.conv.conv.weight") != last.floats("out1.conv.conv.weight"))
    let input = [Float](repeating: 0.5, count: patch.reduce(1, *))
    try SafetensorsWriter.write([("input", [1, 1] + patch, input)], to: file("input").path)
    let forward = try await segmentd(
      "forward", "--variant", file("network.yaml").path, "--weights", output, "--input",
      file("input").path, "--output", file("logits").path, "--json")
    #expect(forward.status == 0, "\(forward.output)")
  }

  @Test(arguments: [Float.nan, .infinity, -1, 0.5, 256])
  func whatIsNoLabelIsNamed(value: Float) async throws {
    var labels = [Float](repeating: 0, count: patch.reduce(1, *))
    labels[100] = value
    let refused = try await step(labels: labels)
    #expect(refused.status == 64, "\(refused.output)")
    #expect(refused.output.contains("batch.safetensors: the tensor \"labels\" holds \(value)"))
  }

  @Test func aLabelBeyondTheClassesAndAMissingTensorAreErrors() async throws {
    let foreign = try await step(labels: [Float](repeating: 5, count: patch.reduce(1, *)))
    #expect(foreign.status == 1 && foreign.output.contains("5"), "\(foreign.output)")
    let missing = try await step(labels: nil)
    #expect(missing.status == 1 && missing.output.contains("labels"), "\(missing.output)")
  }
}
