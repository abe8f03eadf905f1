import Checkpoints
import Foundation
import TestSupport
import Testing
import UNETRPP
import Volumes

@testable import Segmentation

/// The whole prediction with small networks against the reference implementation's own run of it.
@Suite struct GoldenPredictionTests {
  @Test(arguments: [
    ("A_mirror_gauss", [0, 1, 2]), ("B_pad_nomirror", []), ("C_singletile_pad_mirror", [0, 1, 2]),
  ])
  func tiledPredictionEqualsReference(_ name: String, _ mirrorAxes: [Int]) throws {
    let bundle = try untrainedBundle()
    let network = try Network(
      description: bundle.network, weights: SafetensorsFile(path: bundle.weights.path), threads: 2)
    try expectGoldenPrediction(name, input: "e2e_\(name)", network, mirrorAxes: mirrorAxes)
  }

  @Test func tiledPredictionOfFourChannelsEqualsReference() throws {
    let folder = try TemporaryFolder()
    let path = folder.url.appendingPathComponent("weights.safetensors").path
    let golden = try GoldenArrays("net_tiny_tumor.safetensors")
    try SafetensorsWriter.write(
      golden.arrays.filter { $0.key.hasPrefix("w.") }.map { key, array in
        (name: String(key.dropFirst(2)), shape: array.shape, values: array.values)
      }, to: path)
    let description = NetworkDescription(
      blocks: .tumor, patch: [32, 32, 64], inputChannels: 4, classes: 4, stem: [4, 4, 4],
      featureSize: 4, dims: [8, 16, 32, 64], depths: [1, 1, 1, 1], decoderDepths: [1, 1, 1],
      projections: [16, 16, 8, 8], decoderProjections: [16, 16, 16])
    let network = try Network(
      description: description, weights: SafetensorsFile(path: path), threads: 2)
    try expectGoldenPrediction("T_tumor4ch", input: "e2e_T", network, mirrorAxes: [0, 1, 2])
  }

  private func expectGoldenPrediction(
    _ name: String, input: String, _ network: Network, mirrorAxes: [Int]
  ) throws {
    struct Cases: Decodable {
      struct Case: Decodable { var shape: [Int] }
      var predict3d: [String: Case]
    }
    let item = try #require(try goldenJSON("e2e.json", as: Cases.self).predict3d[name])
    let shape = Array(item.shape[1...])
    let window = SlidingWindow(
      patch: network.description.patch, channels: item.shape[0],
      classes: network.description.classes, step: 0.5, mirrorAxes: mirrorAxes)
    let found = try window.probabilities(
      goldenInput(input, shape: item.shape), shape: shape,
      forward: { try network.forward($0, logits: $1) })
    let golden = try GoldenArrays("e2e_predict3d.safetensors")
    #expect(largestDifference(found, try golden["\(name).prob"].values) <= 1e-4)

    let labels = try assembledLabels(
      found, classes: window.classes, on: uprightGrid(shape: shape, spacing: [1, 1, 1]))
    let expected = try golden["\(name).seg"].values.map { UInt8($0) }
    for voxel in labels.indices where labels[voxel] != expected[voxel] {
      #expect(margin(found, voxel, classes: window.classes) < 1e-4)
    }
  }

  private func assembledLabels(_ probabilities: [Float], classes: Int, on grid: VolumeGrid) throws
    -> [UInt8]
  {
    let plan = try PreprocessingPlan(
      Preprocessing(
        orientation: [.superior, .posterior, .left], spacing: grid.spacing, cropToNonzero: false,
        normalization: []), grid: grid)
    var assembly = LabelAssembly(plan, classes: classes, throughPlane: .nearest)
    let (plane, count) = (grid.rows * grid.columns, grid.voxelCount)
    for z in 0..<grid.slices {
      var values: [Float] = []
      for index in 0..<classes {
        let first = index * count + z * plane
        values += probabilities[first..<first + plane]
      }
      values.withUnsafeBufferPointer { assembly.add($0) }
    }
    return assembly.finish().labels
  }

  /// Between the two most probable classes of a voxel.
  private func margin(_ probabilities: [Float], _ voxel: Int, classes: Int) -> Float {
    let count = probabilities.count / classes
    let sorted = (0..<classes).map { probabilities[$0 * count + voxel] }.sorted(by: >)
    return sorted[0] - sorted[1]
  }

  @Test(arguments: ["P1_iso", "P2_sepz"])
  func wholePipelineEqualsReference(_ name: String) async throws {
    struct Cases: Decodable {
      struct Case: Decodable {
        var spacing: [Double]
        var target: [Double]
        private enum CodingKeys: String, CodingKey {
          case spacing = "spacing_zyx"
          case target = "target_zyx"
        }
      }
      var pipeline: [String: Case]
    }
    let item = try #require(try goldenJSON("e2e.json", as: Cases.self).pipeline[name])
    let golden = try GoldenArrays("e2e_pipeline.safetensors")
    let raw = try golden["\(name).raw"]
    let volume = Volume(
      grid: uprightGrid(shape: raw.shape, spacing: item.spacing), voxels: raw.values)
    var bundle = try untrainedBundle()
    bundle.preprocessing.spacing = item.target
    bundle.inference.mirrorAxes = [0, 1, 2]
    let image = try bundle.preprocessing.apply([volume])
    #expect(largestDifference(image.values, try golden["\(name).preprocessed"].values) <= 2e-5)

    let segmenter = try Segmenter(bundle: bundle, threads: 2)
    let labels = try await segmenter.segment([volume])
    #expect(labels.grid == volume.grid)
    let expected = try golden["\(name).final_seg"].values.map { UInt8($0) }
    let wrong = zip(labels.labels, expected).filter { $0 != $1 }.count
    // Voxels whose two best classes are equal to within the arithmetic's rounding.
    #expect(wrong <= 2, "\(wrong) of \(expected.count) voxels differ")
  }
}

/// The golden files' input: a constant for each block of 8 × 16 × 16 voxels, and noise.
private func goldenInput(_ tag: String, shape: [Int]) -> [Float] {
  let blocks = [(shape[1] + 7) / 8, (shape[2] + 15) / 16, (shape[3] + 15) / 16]
  let noise = stream("\(tag)/noise", count: shape.reduce(1, *))
  let block = stream("\(tag)/block", count: shape[0] * blocks.reduce(1, *))
  return noise.indices.map { index in
    let (x, y) = (index % shape[3], index / shape[3] % shape[2])
    let (z, c) = (index / (shape[3] * shape[2]) % shape[1], index / shape[1...].reduce(1, *))
    let place = ((c * blocks[0] + z / 8) * blocks[1] + y / 16) * blocks[2] + x / 16
    return Float(0.5 * noise[index] + 1.5 * block[place])
  }
}

/// SplitMix64 seeded with the FNV-1a hash of the name, mapped to [-1, 1).
private func stream(_ name: String, count: Int) -> [Double] {
  var state = name.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
    ($0 ^ UInt64($1)) &* 0x100_0000_01b3
  }
  return (0..<count).map { _ in
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
    z ^= z >> 31
    return Double(z >> 40) / 8_388_608 - 1
  }
}
