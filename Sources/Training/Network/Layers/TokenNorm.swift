import Tensors

/// LayerNorm over the channels of each token, epsilon 1e-5 (Ba et al., 2016). Keeps mean and
/// 1 / standard deviation of each token; the caller keeps the input.
final class TokenNorm {
  private let channels, rows: Int
  private let weight, bias: Range<Int>
  private let statistics: Slot  // [rows][2]

  init(_ prefix: String, channels: Int, voxels: Int, plan: LayerPlan) {
    self.channels = channels
    rows = voxels * plan.batch
    weight = plan.place("\(prefix).weight")
    bias = plan.place("\(prefix).bias")
    statistics = plan.keep(2 * rows)
  }

  /// y = LayerNorm(x).
  func forward(_ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, _ pass: Pass) {
    let channels = channels
    let (weight, bias) = (pass.values(weight), pass.values(bias))
    let statistics = pass.arena[statistics]
    pass.compute.rowBlocks(rows) { first, count in
      for row in first..<first + count {
        let (x, y) = (x + row * channels, y + row * channels)
        var sum: Float = 0
        for c in 0..<channels { sum += x[c] }
        let mean = sum / Float(channels)
        var squares: Float = 0
        for c in 0..<channels { squares += (x[c] - mean) * (x[c] - mean) }
        let inverse = 1 / (squares / Float(channels) + Float(ChannelNorm.epsilon)).squareRoot()
        (statistics[2 * row], statistics[2 * row + 1]) = (mean, inverse)
        for c in 0..<channels { y[c] = (x[c] - mean) * inverse * weight[c] + bias[c] }
      }
    }
  }

  /// dx += the gradient of x, from dy; adds to the parameters' gradients.
  func backward(
    _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
    addedTo dx: UnsafeMutablePointer<Float>, _ pass: Pass
  ) {
    let channels = channels
    let weight = pass.values(weight)
    let statistics = pass.arena[statistics]
    let (weightGradient, biasGradient) = (pass.gradients(self.weight), pass.gradients(bias))
    pass.compute.sumOverRows(rows: rows, count: 2 * channels) { first, count, sums in
      let products = sums + channels
      for row in first..<first + count {
        let (x, dy, dx) = (x + row * channels, dy + row * channels, dx + row * channels)
        let (mean, inverse) = (statistics[2 * row], statistics[2 * row + 1])
        var sum: Float = 0
        var product: Float = 0
        for c in 0..<channels {
          let standard = (x[c] - mean) * inverse
          sums[c] += Double(dy[c])
          products[c] += Double(dy[c] * standard)
          sum += dy[c] * weight[c]
          product += dy[c] * weight[c] * standard
        }
        sum /= Float(channels)
        product /= Float(channels)
        for c in 0..<channels {
          dx[c] += inverse * (dy[c] * weight[c] - sum - (x[c] - mean) * inverse * product)
        }
      }
    } use: { sums in
      for c in 0..<channels {
        biasGradient[c] += Float(sums[c])
        weightGradient[c] += Float(sums[channels + c])
      }
    }
  }
}
