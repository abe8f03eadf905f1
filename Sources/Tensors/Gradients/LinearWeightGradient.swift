import CKernels

/// The gradient of the weights of a linear layer: the sum over rows of every product of an output
/// gradient with an input. In blocks of rows and of outputs that depend on the sizes alone.
public struct LinearWeightGradient: Sendable {
  let inputs, outputs, rows: Int

  /// - Parameters:
  ///   - inputs: channels of the input.
  ///   - outputs: channels of the output.
  ///   - rows: of the whole batch.
  public init(inputs: Int, outputs: Int, rows: Int) {
    self.inputs = inputs
    self.outputs = outputs
    self.rows = rows
  }

  private static let outputsOfBlock = 32
  private var rowsOfBlock: Int { max(512, (rows + 15) / 16) }
  private var parts: Int { max(1, (rows + rowsOfBlock - 1) / rowsOfBlock) }

  /// The floats of scratch that it needs.
  public var scratch: Int { parts * inputs * outputs }

  /// weights ([output][input], `stride` apart, nil for without gaps) += their gradient.
  /// - Parameters:
  ///   - input: rows x inputs, `inputStride` apart.
  ///   - inputStride: floats between two rows of the input; nil for without gaps.
  ///   - gradient: of the output, rows x outputs, `gradientStride` apart.
  ///   - gradientStride: floats between two rows of the gradient; nil for without gaps.
  ///   - weights: the result.
  ///   - scratch: as many floats as it needs.
  ///   - compute: the kernels and worker threads.
  public func callAsFunction(
    _ input: UnsafePointer<Float>, inputStride: Int? = nil, gradient: UnsafePointer<Float>,
    gradientStride: Int? = nil, addedTo weights: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>, compute: Compute
  ) {
    let step = Self.outputsOfBlock
    let pieces = (outputs + step - 1) / step
    let size = inputs * outputs
    compute.run(blocks: parts * pieces) { block, _ in
      let (part, piece) = block.quotientAndRemainder(dividingBy: pieces)
      var products = OuterProducts()
      products.aRow = 1
      let (first, output) = (part * rowsOfBlock, piece * step)
      products.aStride = Int64(gradientStride ?? outputs)
      products.bStride = Int64(inputStride ?? inputs)
      products.a = gradient + first * (gradientStride ?? outputs) + output
      products.b = input + first * (inputStride ?? inputs)
      products.n = Int64(min(rowsOfBlock, rows - first))
      products.lines = 1
      products.rows = Int32(min(step, outputs - output))
      products.columns = Int32(inputs)
      products.sums = scratch + part * size + output * inputs
      products.sumsStride = Int64(inputs)
      compute.kernels.outerProducts(&products)
    }
    compute.addUp(scratch, blocks: parts, size: size, addedTo: weights)
  }
}

extension Compute {
  /// sums (rows x columns, `stride` apart) = the sum over `count` of a[row] * b[column], on the calling
  /// thread: the product of a matrix and the transpose of another.
  /// - Parameters:
  ///   - a: entry (i, row) at i * aStride + row * rowStride.
  ///   - aStride: as above.
  ///   - rowStride: as above.
  ///   - rows: of the result.
  ///   - b: entry (i, column) at i * bStride + column.
  ///   - bStride: as above.
  ///   - columns: of the result.
  ///   - count: what is summed.
  ///   - sums: the result.
  ///   - stride: between its rows.
  ///   - accumulates: whether it is added to what the result held.
  public func outerProducts(
    _ a: UnsafePointer<Float>, stride aStride: Int, rowStride: Int = 1, rows: Int,
    _ b: UnsafePointer<Float>, stride bStride: Int, columns: Int, count: Int,
    into sums: UnsafeMutablePointer<Float>, stride: Int, accumulates: Bool = false
  ) {
    var products = OuterProducts()
    products.adds = accumulates
    (products.a, products.aStride, products.aRow) = (a, Int64(aStride), Int64(rowStride))
    (products.b, products.bStride) = (b, Int64(bStride))
    (products.lines, products.n) = (1, Int64(count))
    (products.rows, products.columns) = (Int32(rows), Int32(columns))
    (products.sums, products.sumsStride) = (sums, Int64(stride))
    kernels.outerProducts(&products)
  }

  /// result[i] += sum of `blocks` arrays of `size` floats, `stride` apart (nil: without gaps), added
  /// in double and always in the same order.
  public func addUp(
    _ sums: UnsafePointer<Float>, blocks: Int, size: Int, stride: Int? = nil,
    addedTo result: UnsafeMutablePointer<Float>
  ) {
    let piece = 4096
    run(blocks: (size + piece - 1) / piece) { index, _ in
      let first = index * piece
      CKernels.addTo(
        sums + first, Int64(blocks), Int64(stride ?? size), Int64(min(piece, size - first)),
        result + first)
    }
  }
}
