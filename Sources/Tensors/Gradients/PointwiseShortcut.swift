import CKernels

/// InstanceNorm (no parameters, epsilon 1e-5) of a 1x1x1 convolution without bias, of few channels: the
/// shortcut of a residual block, with its gradient. Both follow from sums over the voxels, so the
/// convolution is never stored. With x the inputs, m their means, C their covariances, for output o
/// with weights w, v = wᵀ C w and deviation s = sqrt(v + epsilon):
///   - output: (w x - w m) / s;
///   - with g the gradient of the output, G = Σ g, S = Σ g x, the gradient of w is
///     (S - m G - C w (w (S - m G)) / s²) / s.
public final class PointwiseShortcut {
  private let inputs, outputs: Int
  private let factors: Parameters  // [inputs + 1][outputs]
  private var means, covariances: [Double]
  /// Rows whose sums are taken in single precision.
  private static let rowsOfChunk = 256

  /// - Parameters:
  ///   - inputs: channels of the input.
  ///   - outputs: channels of the output.
  public init(inputs: Int, outputs: Int) {
    self.inputs = inputs
    self.outputs = outputs
    factors = Parameters(zeros: (inputs + 1) * outputs)
    means = Array(repeating: 0, count: inputs)
    covariances = Array(repeating: 0, count: inputs * inputs)
  }

  /// Takes the statistics of x (rows x inputs) for weights [output][input].
  public func measure(
    _ x: UnsafePointer<Float>, rows: Int, weights: UnsafePointer<Float>, compute: Compute
  ) {
    sums(x, x, columns: inputs, rows: rows, compute) { totals, products in
      for a in 0..<inputs {
        means[a] = totals[a] / Double(rows)
        for b in 0..<inputs {
          covariances[a * inputs + b] =
            products[a * inputs + b] / Double(rows) - means[a] * totals[b] / Double(rows)
        }
      }
    }
    for output in 0..<outputs {
      let inverse = 1 / deviation(weights + output * inputs)
      var shift = 0.0
      for a in 0..<inputs {
        let weight = Double(weights[output * inputs + a])
        factors.pointer[a * outputs + output] = Float(weight * inverse)
        shift -= weight * means[a] * inverse
      }
      factors.pointer[inputs * outputs + output] = Float(shift)
    }
  }

  /// C w of one output.
  private func covariance(_ a: Int, _ weights: UnsafePointer<Float>) -> Double {
    (0..<inputs).reduce(0) { $0 + covariances[a * inputs + $1] * Double(weights[$1]) }
  }

  private func deviation(_ weights: UnsafePointer<Float>) -> Double {
    let variance = (0..<inputs).reduce(0) { $0 + Double(weights[$1]) * covariance($1, weights) }
    return (max(0, variance) + Normalisation.epsilon).squareRoot()
  }

  /// output = LeakyReLU(normalised values + shortcut(x)).
  public func activate(
    _ values: UnsafePointer<Float>, normalisedBy normalisation: Normalisation,
    plus x: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>, rows: Int,
    compute: Compute
  ) {
    compute.rowBlocks(rows) { first, count in
      compute.kernels.normaliseShortcut(
        values + first * outputs, x + first * inputs, 1, Int64(inputs), Int64(inputs),
        factors.pointer, output + first * outputs, Int64(count), Int64(outputs),
        normalisation.channelAffine)
    }
  }

  /// gradients ([output][input]) += the gradient of the weights, from that of the shortcut's output.
  public func gradient(
    _ x: UnsafePointer<Float>, _ gradient: UnsafePointer<Float>, rows: Int,
    weights: UnsafePointer<Float>, addedTo gradients: UnsafeMutablePointer<Float>,
    compute: Compute
  ) {
    sums(x, gradient, columns: outputs, rows: rows, compute) { totals, products in
      for output in 0..<outputs {
        let weights = weights + output * inputs
        func centred(_ a: Int) -> Double {
          products[a * outputs + output] - means[a] * totals[output]
        }
        let along = (0..<inputs).reduce(0) { $0 + Double(weights[$1]) * centred($1) }
        let deviation = deviation(weights)
        for a in 0..<inputs {
          let part = covariance(a, weights) * along / (deviation * deviation)
          gradients[output * inputs + a] += Float((centred(a) - part) / deviation)
        }
      }
    }
  }

  /// Sums over rows of y (rows x columns), and [input][column] of x times y: a chunk in single
  /// precision, the chunks in double.
  private func sums(
    _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, columns: Int, rows: Int,
    _ compute: Compute,
    use: (_ totals: UnsafePointer<Double>, _ products: UnsafePointer<Double>) -> Void
  ) {
    let size = inputs * columns
    compute.sumOverRows(rows, count: 2 * columns + size) { first, count, sums in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: size) { products in
        guard let products = products.baseAddress else { return }
        for start in stride(from: first, to: first + count, by: Self.rowsOfChunk) {
          let some = min(Self.rowsOfChunk, first + count - start)
          compute.outerProducts(
            x + start * inputs, stride: inputs, rows: inputs, y + start * columns, stride: columns,
            columns: columns, count: some, into: products, stride: columns)
          for i in 0..<size { sums[2 * columns + i] += Double(products[i]) }
          compute.kernels.channelSums(
            y + start * columns, Int64(some), Int64(columns), sums, sums + columns)
        }
      }
    } use: {
      use($0, $0 + 2 * columns)
    }
  }
}
