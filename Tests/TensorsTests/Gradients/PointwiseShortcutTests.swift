import Testing

@testable import Tensors

/// The shortcut of the first residual block and its gradient against their definition in double.
struct PointwiseShortcutTests {
  /// LeakyReLU(values + InstanceNorm(w x)), row-major.
  private func output(
    _ x: [Float], _ w: [Double], _ values: [Float], _ rows: Int, _ inputs: Int, _ outputs: Int
  ) -> [Double] {
    var result = [Double](repeating: 0, count: rows * outputs)
    for o in 0..<outputs {
      let line = (0..<rows).map { row in
        (0..<inputs).reduce(0.0) { $0 + w[o * inputs + $1] * Double(x[row * inputs + $1]) }
      }
      let mean = line.reduce(0, +) / Double(rows)
      let variance = line.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(rows)
      for row in 0..<rows {
        let y =
          Double(values[row * outputs + o]) + (line[row] - mean) / (variance + 1e-5).squareRoot()
        result[row * outputs + o] = y > 0 ? y : 0.01 * y
      }
    }
    return result
  }

  @Test(arguments: [(1, 16, 700), (4, 20, 1111)], InstructionSet.allCases.filter(\.isAvailable))
  func agreesWithTheDefinition(size: (Int, Int, Int), set: InstructionSet) throws {
    let (inputs, outputs, rows) = size
    let memory = TestMemory()
    let compute = try #require(Compute(threads: 2, instructions: set))
    let x = memory.random(rows * inputs).map { $0 + 0.5 }
    // Small ones, so that epsilon counts and one input has a gradient too.
    let w = memory.random(outputs * inputs).map { $0 * 0.01 }
    let values = memory.random(rows * outputs)
    let g = memory.random(rows * outputs)
    let (px, pw) = (try memory.floats(x), try memory.floats(w))
    let shortcut = PointwiseShortcut(inputs: inputs, outputs: outputs)
    shortcut.measure(px, rows: rows, weights: pw, compute: compute)
    let identity = Normalisation(instance: outputs)
    identity.use(
      means: try memory.floats(outputs),
      variances: try memory.floats([Float](repeating: 1 - 1e-5, count: outputs)))
    let result = try memory.floats(rows * outputs)
    shortcut.activate(
      try memory.floats(values), normalisedBy: identity, plus: px, into: result, rows: rows,
      compute: compute)
    let ws = w.map(Double.init)
    let found = Array(UnsafeBufferPointer(start: result, count: rows * outputs))
    #expect(relativeError(found, output(x, ws, values, rows, inputs, outputs)) < 1e-5)

    // Large values take LeakyReLU away: the gradient is that of the shortcut alone.
    let large = values.map { _ in Float(100) }
    let expected = ws.indices.map { i in
      var moved = ws
      func loss(_ weight: Double) -> Double {
        moved[i] = weight
        return zip(output(x, moved, large, rows, inputs, outputs), g).reduce(0) {
          $0 + $1.0 * Double($1.1)
        }
      }
      return 1 + (loss(ws[i] + 1e-6) - loss(ws[i] - 1e-6)) / 2e-6
    }
    let gradients = try memory.floats([Float](repeating: 1, count: w.count))
    shortcut.gradient(
      px, try memory.floats(g), rows: rows, weights: pw, addedTo: gradients, compute: compute)
    let sums = Array(UnsafeBufferPointer(start: gradients, count: w.count))
    #expect(relativeError(sums, expected) < 1e-4)
  }
}
