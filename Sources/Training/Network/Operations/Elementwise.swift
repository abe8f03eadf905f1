import Tensors

/// The slope of LeakyReLU below zero, everywhere in the network.
let leakySlope: Float = 0.01

/// Operations on arrays of equal layout, element by element.
extension Compute {
  /// result += x.
  func add(
    _ x: UnsafePointer<Float>, to result: UnsafeMutablePointer<Float>, count: Int
  ) {
    pieces(count) { first, count in
      let (x, result) = (x + first, result + first)
      for i in 0..<count { result[i] += x[i] }
    }
  }

  func copy(
    _ x: UnsafePointer<Float>, to result: UnsafeMutablePointer<Float>, count: Int
  ) {
    pieces(count) { first, count in (result + first).update(from: x + first, count: count) }
  }

  func zero(_ x: UnsafeMutablePointer<Float>, count: Int) {
    pieces(count) { first, count in (x + first).update(repeating: 0, count: count) }
  }

  /// gradient *= derivative of LeakyReLU, by the sign of its output, which is that of its input.
  func leakyBackward(
    _ gradient: UnsafeMutablePointer<Float>, output: UnsafePointer<Float>, count: Int
  ) {
    pieces(count) { first, count in
      let (gradient, output) = (gradient + first, output + first)
      for i in 0..<count { gradient[i] *= output[i] > 0 ? 1 : leakySlope }
    }
  }

  /// rows of x times one factor for each channel: result = x * factors [+ residual].
  func scale(
    _ x: UnsafePointer<Float>, by factors: UnsafePointer<Float>,
    plus residual: UnsafePointer<Float>? = nil, into result: UnsafeMutablePointer<Float>,
    rows: Int, channels: Int
  ) {
    rowBlocks(rows) { first, count in
      for row in first..<first + count {
        let (x, result) = (x + row * channels, result + row * channels)
        if let residual {
          let residual = residual + row * channels
          for c in 0..<channels { result[c] = residual[c] + x[c] * factors[c] }
        } else {
          for c in 0..<channels { result[c] = x[c] * factors[c] }
        }
      }
    }
  }
}
