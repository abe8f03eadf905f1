import UNETRPP

/// Weights, images and labels that follow from names (rule SM64-v1, Fixtures/golden), as
/// Scripts/train/make_training_goldens.py makes them.
enum RuledNumbers {
  /// SplitMix64 seeded by FNV-1a of the key: numbers in [-1, 1), multiples of 2^-23.
  static func stream(_ key: String, _ count: Int) -> [Double] {
    let seed: UInt64 = key.utf8.reduce(0xcbf2_9ce4_8422_2325) {
      ($0 ^ UInt64($1)) &* 0x100_0000_01b3
    }
    return (0..<count).map { index in
      var z = seed &+ (UInt64(index) &+ 1) &* 0x9E37_79B9_7F4A_7C15
      z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
      z ^= z >> 31
      return Double(z >> 40) * 0x1p-23 - 1
    }
  }

  static func weight(_ name: String, shape: [Int]) -> [Float] {
    let (center, scale) = range(name, shape: shape)
    return stream(name, shape.reduce(1, *)).map { Float(center + scale * $0) }
  }

  private static func range(
    _ name: String, shape: [Int]
  ) -> (center: Double, scale: Double) {
    switch name.split(separator: ".").last {
    case "gamma": return (0.5, 0.25)
    case "temperature": return (2, 1)
    case "temperature2": return (8, 4)
    case "pos_embed": return (0, 0.5)
    case "bias", "running_mean": return (0, 0.25)
    case "running_var": return (1, 0.5)
    case "EF": return (0, 1.5 / Double(shape[0]).squareRoot())
    default: break
    }
    guard shape.count > 1 else { return (1, 0.25) }
    let fan = name.contains("transp_conv") ? shape[0] : shape.dropFirst().reduce(1, *)
    return (0, 1.5 / Double(fan).squareRoot())
  }

  /// The small network of each published shape.
  static func description(_ kind: BlockKind) -> NetworkDescription {
    let (patch, inputs, classes, stem) =
      switch kind {
      case .synapse: ([16, 32, 64], 1, 5, [2, 4, 4])
      case .acdc: ([8, 32, 64], 1, 4, [1, 4, 4])
      case .lung: ([16, 32, 32], 1, 2, [1, 4, 4])
      case .tumor: ([32, 32, 64], 4, 4, [4, 4, 4])
      }
    return NetworkDescription(
      blocks: kind, patch: patch, inputChannels: inputs, classes: classes, stem: stem,
      featureSize: 4, dims: [8, 8, 16, 16], heads: 4, depths: [1, 1, 1, 1],
      decoderDepths: [1, 1, 1], projections: [8, 8, 4, 2], decoderProjections: [8, 8, 8])
  }

  /// Images and labels of a step: a box for each class, brighter than the noise around it.
  static func batch(
    _ d: NetworkDescription, samples: Int, step: Int
  ) -> (images: [Float], labels: [UInt8]) {
    let (depth, height, width) = (d.patch[0], d.patch[1], d.patch[2])
    let voxels = depth * height * width
    var labels = [UInt8](repeating: 0, count: samples * voxels)
    for sample in 0..<samples {
      for label in 1..<d.classes {
        let places = stream("labels.\(step).\(sample).\(label)", 3)
        let first = zip(places, d.patch).map { Int(($0 + 1) * Double($1) / 4) }
        for z in first[0]..<min(depth, first[0] + depth / 2) {
          for y in first[1]..<min(height, first[1] + height / 2) {
            for x in first[2]..<min(width, first[2] + width / 2) {
              labels[sample * voxels + (z * height + y) * width + x] = UInt8(label)
            }
          }
        }
      }
    }
    let noise = stream("images.\(step)", samples * d.inputChannels * voxels)
    let images = noise.enumerated().map { index, value in
      let (sample, voxel) = (index / (d.inputChannels * voxels), index % voxels)
      return Float(value + 0.5 * Double(labels[sample * voxels + voxel]))
    }
    return (images, labels)
  }

  /// Some of the values, at even distances; all of few.
  static func sample(_ values: [Float], count: Int = 40) -> [Float] {
    guard values.count > count else { return values }
    return (0..<count).map { values[$0 * values.count / count] }
  }
}
