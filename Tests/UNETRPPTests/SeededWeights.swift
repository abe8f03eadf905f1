import Foundation

@testable import UNETRPP

/// Weights and inputs by the rule SM64-v1 (Fixtures/golden): values that any language can make
/// again from a tensor's name.
enum SeededWeights {
  /// FNV-1a, 64 bits.
  static func seed(_ text: String) -> UInt64 {
    text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }

  /// SplitMix64: element `index` of the stream, in [-1, 1), a multiple of 2^-23.
  @inline(__always)
  static func element(_ seed: UInt64, _ index: Int) -> Double {
    var z = seed &+ (UInt64(index) &+ 1) &* 0x9E37_79B9_7F4A_7C15
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    z ^= z >> 31
    return Double(z >> 40) * 0x1p-23 - 1
  }

  static func values(_ name: String, shape: [Int], tokens: Int) -> [Float] {
    let count = shape.reduce(1, *)
    let (center, scale) = range(name, shape: shape, tokens: tokens)
    let seed = seed(name)
    var values = [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      for i in 0..<count {
        buffer.initializeElement(at: i, to: Float(center + scale * element(seed, i)))
      }
      initialized = count
    }
    if name.hasPrefix("out"), name.hasSuffix(".weight") {
      for i in stride(from: 1, to: count, by: 2) { values[i] = -values[i - 1] }
    }
    return values
  }

  private static func range(
    _ name: String, shape: [Int], tokens: Int
  ) -> (center: Double, scale: Double) {
    let rest = Double(shape.dropFirst().reduce(1, *))
    switch name.split(separator: ".").last {
    case "running_mean": return (0, 0.25)
    case "running_var": return (1, 0.5)
    case "gamma": return (0.5, 0.25)
    case "temperature": return (4, 2)
    case "temperature2": return (Double(tokens).squareRoot(), 0.5 * Double(tokens).squareRoot())
    case "pos_embed": return (0, 0.5)
    case "EF": return (0, 1.25 / Double(shape[0]).squareRoot())
    case "bias": return (0, 0.25)
    default: break
    }
    if shape.count == 1 { return (1, 0.25) }
    if name.contains("transp_conv") { return (0, 1.25 / Double(shape[0]).squareRoot()) }
    if name.hasPrefix("out") { return (0, 2.5 / rest.squareRoot()) }
    return (0, 1.25 / rest.squareRoot())
  }

  /// Every tensor that inference uses, the second names of shared projections included.
  static func network(_ description: NetworkDescription) -> [(
    name: String, shape: [Int], values: [Float]
  )] {
    let entries = description.stateDictionary()
    var tokens: [Substring: Int] = [:]
    for entry in entries {
      guard let range = entry.name.range(of: ".epa_block.") else { continue }
      let block = entry.name[..<range.lowerBound]
      if entry.name.hasSuffix("E.weight") { tokens[block] = entry.shape[1] }
      if entry.name.hasSuffix("EF") { tokens[block] = entry.shape[0] }
    }
    return entries.compactMap { entry in
      if entry.name.hasPrefix("out2") || entry.name.hasPrefix("out3") { return nil }
      let block = entry.name.range(of: ".epa_block.").map { entry.name[..<$0.lowerBound] }
      var source = entry.name
      if !entry.isRequired {
        source = source.replacingOccurrences(of: ".epa_block.F.", with: ".epa_block.E.")
      }
      let values = values(source, shape: entry.shape, tokens: block.flatMap { tokens[$0] } ?? 0)
      return (entry.name, entry.shape, values)
    }
  }

  /// The input patch of tag "input": noise plus blocks of 8 x 16 x 16 voxels.
  static func input(channels: Int, _ depth: Int, _ height: Int, _ width: Int) -> [Float] {
    let (noise, block) = (seed("input/noise"), seed("input/block"))
    let (bz, by, bx) = ((depth + 7) / 8, (height + 15) / 16, (width + 15) / 16)
    var values: [Float] = []
    values.reserveCapacity(channels * depth * height * width)
    for c in 0..<channels {
      for z in 0..<depth {
        for y in 0..<height {
          for x in 0..<width {
            let index = ((c * bz + z / 8) * by + y / 16) * bx + x / 16
            values.append(
              Float(0.5 * element(noise, values.count) + 1.5 * element(block, index)))
          }
        }
      }
    }
    return values
  }
}
