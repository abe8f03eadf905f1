import Tensors

/// A linear map of rows: `outputs` x `inputs` weights, row-major as PyTorch stores them.
struct RowMap {
  let inputs, outputs: Int

  /// y (rows x outputs) = x (rows x inputs) · weightsᵀ [+ bias].
  func forward(
    _ x: UnsafePointer<Float>, weights: UnsafePointer<Float>, bias: UnsafePointer<Float>? = nil,
    into y: UnsafeMutablePointer<Float>, rows: Int, compute: Compute
  ) {
    compute.rowBlocks(rows) { first, count in
      let result = y + first * outputs
      if let bias {
        for row in 0..<count { (result + row * outputs).update(from: bias, count: outputs) }
      }
      multiply(
        Matrix(x + first * inputs, stride: inputs), Matrix(weights, stride: inputs).transposed,
        into: result, stride: outputs, rows: count, columns: outputs, inner: inputs,
        beta: bias == nil ? 0 : 1)
    }
  }

  /// dx (rows x inputs) = dy (rows x outputs) · weights [+ dx].
  func backwardInput(
    _ dy: UnsafePointer<Float>, weights: UnsafePointer<Float>,
    into dx: UnsafeMutablePointer<Float>, rows: Int, accumulates: Bool, compute: Compute
  ) {
    compute.rowBlocks(rows) { first, count in
      multiply(
        Matrix(dy + first * outputs, stride: outputs), Matrix(weights, stride: inputs),
        into: dx + first * inputs, stride: inputs, rows: count, columns: inputs, inner: outputs,
        beta: accumulates ? 1 : 0)
    }
  }

  /// Rows that are summed together; does not depend on the number of threads.
  private static func rowsOfSum(_ rows: Int) -> Int { max(512, (rows + 15) / 16) }
  private static func sums(_ rows: Int) -> Int {
    (rows + rowsOfSum(rows) - 1) / rowsOfSum(rows)
  }

  /// The floats of scratch of `backwardWeights`.
  func scratch(rows: Int) -> Int { Scratch.size(Self.sums(rows) * inputs * outputs) }

  /// gradient (outputs x inputs) += sum over rows of dy ⊗ x.
  func backwardWeights(
    _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
    into gradient: UnsafeMutablePointer<Float>, rows: Int, scratch: Scratch, compute: Compute
  ) {
    var scratch = scratch
    let (parts, step) = (Self.sums(rows), Self.rowsOfSum(rows))
    let sums = scratch.take(parts * inputs * outputs)
    let chunk = 64  // outputs of a block
    let chunks = (outputs + chunk - 1) / chunk
    compute.run(blocks: parts * chunks) { block, _ in
      let (part, piece) = block.quotientAndRemainder(dividingBy: chunks)
      let (first, output) = (part * step, piece * chunk)
      multiply(
        Matrix(dy + first * outputs + output, stride: outputs).transposed,
        Matrix(x + first * inputs, stride: inputs),
        into: sums + (part * outputs + output) * inputs, stride: inputs,
        rows: min(chunk, outputs - output), columns: inputs, inner: min(step, rows - first))
    }
    compute.add(sums: sums, blocks: parts, size: inputs * outputs, to: gradient)
  }
}

extension Compute {
  /// Runs `body` for blocks of rows whose size depends on their number alone.
  func rowBlocks(_ rows: Int, _ body: (_ first: Int, _ count: Int) -> Void) {
    let step = min(1024, max(32, (rows + 15) / 16))
    run(blocks: (rows + step - 1) / step) { block, _ in
      body(block * step, min(step, rows - block * step))
    }
  }

  /// Runs `body` for pieces of an array.
  func pieces(_ count: Int, _ body: (_ first: Int, _ count: Int) -> Void) {
    let step = 16384
    run(blocks: (count + step - 1) / step) { block, _ in
      body(block * step, min(step, count - block * step))
    }
  }

  /// result[i] += sum of `blocks` arrays of `size` floats, in double and always in the same order.
  func add(
    sums: UnsafePointer<Float>, blocks: Int, size: Int, stride: Int? = nil,
    to result: UnsafeMutablePointer<Float>
  ) {
    let stride = stride ?? size
    pieces(size) { first, count in
      for i in first..<first + count {
        var sum = Double(result[i])
        for block in 0..<blocks { sum += Double(sums[block * stride + i]) }
        result[i] = Float(sum)
      }
    }
  }

  /// result[channel] += sum over rows of x.
  func addColumnSums(
    _ x: UnsafePointer<Float>, rows: Int, channels: Int,
    to result: UnsafeMutablePointer<Float>
  ) {
    sumOverRows(rows: rows, count: channels) { first, count, sums in
      for row in first..<first + count {
        let line = x + row * channels
        for c in 0..<channels { sums[c] += Double(line[c]) }
      }
    } use: { sums in
      for c in 0..<channels { result[c] += Float(sums[c]) }
    }
  }

  /// Sums of `count` values over blocks of rows, in double, the blocks added in order.
  func sumOverRows(
    rows: Int, count: Int,
    _ body: (_ first: Int, _ rows: Int, _ sums: UnsafeMutablePointer<Double>) -> Void,
    use: (_ sums: UnsafePointer<Double>) -> Void
  ) {
    let step = max(256, (rows + 31) / 32)
    let blocks = (rows + step - 1) / step
    withUnsafeTemporaryAllocation(of: Double.self, capacity: max(1, blocks * count)) { sums in
      guard let sums = sums.baseAddress else { return }
      sums.initialize(repeating: 0, count: blocks * count)
      run(blocks: blocks) { block, _ in
        body(block * step, min(step, rows - block * step), sums + block * count)
      }
      for block in 1..<max(1, blocks) {
        for i in 0..<count { sums[i] += sums[block * count + i] }
      }
      use(sums)
    }
  }
}
