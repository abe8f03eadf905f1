import Foundation
import Volumes

/// Bright balls in noise: label 1 is a ball, label 2 a smaller one of a brightness between.
public struct BallPhantom {
  private let seed: UInt64

  public static let shape = [10, 20, 20]
  public static let grid = VolumeGrid(
    columns: shape[2], rows: shape[1], slices: shape[0],
    affine: Affine(column: [1, 0, 0], row: [0, 1, 0], slice: [0, 0, 2], origin: [0, 0, 0]))

  public init(seed: UInt64) { self.seed = seed }

  /// SplitMix64, from 0 up to 1.
  private func random(_ index: Int) -> Double {
    var z = seed &* 0x2545_F491_4F6C_DD1D &+ UInt64(index &+ 1) &* 0x9E37_79B9_7F4A_7C15
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return Double((z ^ z >> 31) >> 11) * 0x1p-53
  }

  public var volumes: (image: Volume, labels: LabelVolume) {
    let shape = Self.shape
    let centre = [5 + random(1) - 0.5, 7 + 2 * random(2), 7 + 2 * random(3)]
    let second = [4 + 2 * random(4), 14 + random(5), 14 + random(6)]
    var voxels: [Float] = []
    var labels: [UInt8] = []
    for z in 0..<shape[0] {
      for y in 0..<shape[1] {
        for x in 0..<shape[2] {
          func distance(_ place: [Double]) -> Double {
            let (dz, dy, dx) = (
              2 * (Double(z) - place[0]), Double(y) - place[1], Double(x) - place[2]
            )
            return (dz * dz + dy * dy + dx * dx).squareRoot()
          }
          let label: UInt8 = distance(second) < 3.6 ? 2 : distance(centre) < 5.2 ? 1 : 0
          labels.append(label)
          let noise = 30 * (random(100 + voxels.count) - 0.5)
          voxels.append(Float([100.0, 260, 180][Int(label)] + noise))
        }
      }
    }
    return (Volume(grid: Self.grid, voxels: voxels), LabelVolume(grid: Self.grid, labels: labels))
  }

  /// The sections of a `model.yaml` for them, with a very small network.
  public static let modelYAML = """
    name: balls
    version: 1.0.0
    summary: Two balls in noise
    intendedUse: tests
    network: {blocks: synapse, patch: [8, 16, 16], inputChannels: 1, classes: 3, stem: [1, 2, 2],
      featureSize: 4, dims: [8, 8, 16, 16], heads: 2, depths: [1, 1, 1, 1],
      decoderDepths: [1, 1, 1], projections: [8, 8, 8, 4], decoderProjections: [8, 8, 8]}
    preprocessing:
      orientation: acquired
      spacing: [2, 1, 1]
      cropToNonzero: false
      normalization: [{scheme: zscore, insideMask: false}]
    labels:
      - value: 1
        name: Ball
        category: {value: "91723000", scheme: SCT, meaning: Anatomical Structure}
        type: {value: "10200004", scheme: SCT, meaning: Liver}
        color: [200, 60, 40]
      - value: 2
        name: Small ball
        category: {value: "91723000", scheme: SCT, meaning: Anatomical Structure}
        type: {value: "78961009", scheme: SCT, meaning: Spleen}
        color: [40, 60, 200]
    input: {modalities: [MR]}
    licence: none
    trainingData: phantoms
    """
}
