import Tensors

/// A linear map of rows: `outputs` x `inputs` weights, row-major as PyTorch stores them.
struct RowMap {
  let inputs, outputs: Int

  /// y (rows x outputs) = x (rows x inputs) · weightsᵀ [+ bias] [+ residual].
  func forward(
    _ x: UnsafePointer<Float>, weights: UnsafePointer<Float>, bias: UnsafePointer<Float>? = nil,
    plus residual: UnsafePointer<Float>? = nil, into y: UnsafeMutablePointer<Float>, rows: Int,
    compute: Compute
  ) {
    compute.timed("linear, forward", multiplyAdds: rows * inputs * outputs) {
      compute.withPacked(inner: inputs, columns: outputs) { matrix in
        matrix.pack(weights)
        compute.rowBlocks(rows) { first, count in
          compute.product(
            matrix, x + first * inputs, into: y + first * outputs, stride: outputs, count: count,
            bias: bias, residual: residual.map { $0 + first * outputs })
        }
      }
    }
  }

  /// dx (rows x inputs) = dy (rows x outputs) · weights [+ dx].
  func backwardInput(
    _ dy: UnsafePointer<Float>, weights: UnsafePointer<Float>,
    into dx: UnsafeMutablePointer<Float>, rows: Int, accumulates: Bool, compute: Compute
  ) {
    compute.timed("linear, input gradient", multiplyAdds: rows * inputs * outputs) {
      compute.withPacked(inner: outputs, columns: inputs) { matrix in
        matrix.pack(transposeOf: weights)
        compute.rowBlocks(rows) { first, count in
          compute.product(
            matrix, dy + first * outputs, into: dx + first * inputs, stride: inputs, count: count,
            accumulates: accumulates)
        }
      }
    }
  }

  private func weightGradient(_ rows: Int) -> LinearWeightGradient {
    LinearWeightGradient(inputs: inputs, outputs: outputs, rows: rows)
  }

  /// The floats of scratch of `backwardWeights`.
  func scratch(rows: Int) -> Int { Scratch.size(weightGradient(rows).scratch) }

  /// gradient (outputs x inputs) += sum over rows of dy ⊗ x.
  func backwardWeights(
    _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
    into gradient: UnsafeMutablePointer<Float>, rows: Int, scratch: Scratch, compute: Compute
  ) {
    var scratch = scratch
    let sum = weightGradient(rows)
    let memory = scratch.take(sum.scratch)
    compute.timed("linear, weight gradient", multiplyAdds: rows * inputs * outputs) {
      sum(x, gradient: dy, addedTo: gradient, scratch: memory, compute: compute)
    }
  }
}

extension Compute {
  /// A matrix for the time that `body` runs, its values to be packed.
  func withPacked(inner: Int, columns: Int, _ body: (PackedMatrix) -> Void) {
    let count = PackedMatrix.count(inner: inner, columns: columns)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { memory in
      guard let base = memory.baseAddress else { return }
      memory.initialize(repeating: 0)
      body(PackedMatrix(base, inner: inner, columns: columns, compute: self))
    }
  }

  /// A matrix in scratch, its values to be packed; what is beyond its columns is zero.
  func matrix(inner: Int, columns: Int, _ scratch: inout Scratch) -> PackedMatrix {
    let count = PackedMatrix.count(inner: inner, columns: columns)
    let memory = scratch.take(count)
    if columns % 32 != 0 { memory.update(repeating: 0, count: count) }
    return PackedMatrix(memory, inner: inner, columns: columns, compute: self)
  }

  /// Runs `body` for pieces of an array.
  func pieces(_ count: Int, _ body: (_ first: Int, _ count: Int) -> Void) {
    let step = 16384
    run(blocks: (count + step - 1) / step) { block, _ in
      body(block * step, min(step, count - block * step))
    }
  }
}
