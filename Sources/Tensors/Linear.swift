import CKernels

/// A matrix of weights in the order of the product kernel: [block of columns][inner][lane].
public struct PackedMatrix {
  let pointer: UnsafeMutablePointer<Float>
  let inner, columns, lanes: Int

  /// The floats that it needs.
  public static func count(inner: Int, columns: Int) -> Int { inner * ((columns + 31) / 32) * 32 }

  /// - Parameters:
  ///   - pointer: `count` floats, zero beyond the columns of the last block.
  ///   - inner: rows of the matrix, the channels of the input.
  ///   - columns: columns of the matrix, the channels of the output.
  ///   - compute: the kernels and worker threads.
  public init(
    _ pointer: UnsafeMutablePointer<Float>, inner: Int, columns: Int, compute: Compute
  ) {
    self.pointer = pointer
    self.inner = inner
    self.columns = columns
    lanes = compute.lanes(columns)
  }

  private init(
    _ pointer: UnsafeMutablePointer<Float>, inner: Int, columns: Int, lanes: Int
  ) {
    (self.pointer, self.inner) = (pointer, inner)
    (self.columns, self.lanes) = (columns, lanes)
  }

  /// Blocks of columns.
  var blocks: Int { (columns + lanes - 1) / lanes }

  /// One block of columns as a matrix of its own.
  func block(_ index: Int) -> PackedMatrix {
    PackedMatrix(
      pointer + index * inner * lanes, inner: inner, columns: min(lanes, columns - index * lanes),
      lanes: lanes)
  }

  /// Stores the transpose of `weights` (columns x inner, row-major).
  public func pack(_ weights: UnsafePointer<Float>) {
    pack(weights, columnStride: inner, rows: (1, 0), (inner, 1))
  }

  /// Stores `weights` (inner x columns, row-major) as they are.
  public func pack(transposeOf weights: UnsafePointer<Float>) {
    pack(weights, columnStride: 1, rows: (1, 0), (inner, columns))
  }

  /// Multiplies each row (a channel of the input) by its factor.
  public func scaleRows(by factors: UnsafePointer<Float>) {
    for block in 0..<(columns + lanes - 1) / lanes {
      for row in 0..<inner {
        let values = pointer + (block * inner + row) * lanes
        for lane in 0..<lanes { values[lane] *= factors[row] }
      }
    }
  }

  /// Stores columns from `first` on, `count` of them or all: row (a, b) of column c is
  /// weights[(c - first) * columnStride + a * outer.stride + b * inner.stride].
  func pack(
    _ weights: UnsafePointer<Float>, columnStride: Int, first: Int = 0, count: Int? = nil,
    rows outer: (count: Int, stride: Int), _ inner: (count: Int, stride: Int)
  ) {
    packColumns(
      weights, Int64(columnStride), Int64(first), Int64(first + (count ?? columns - first)),
      Int64(outer.count), Int64(outer.stride), Int64(inner.count), Int64(inner.stride),
      Int32(lanes), pointer)
  }
}

/// A linear layer over the channels of each voxel: a 1x1x1 convolution, or one of the maps of the
/// attention.
public final class Linear {
  public let matrix: PackedMatrix
  private let storage: Parameters
  private let bias: Parameters?

  /// - Parameters:
  ///   - weights: [output][input].
  ///   - bias: one value for each output channel.
  ///   - inputChannels: channels of the input.
  ///   - outputChannels: channels of the output.
  ///   - compute: the kernels and worker threads.
  public convenience init(
    weights: [Float], bias: [Float]? = nil, inputChannels: Int, outputChannels: Int,
    compute: Compute
  ) {
    self.init(
      hasBias: bias != nil, inputChannels: inputChannels, outputChannels: outputChannels,
      compute: compute)
    weights.withUnsafeBufferPointer { if let base = $0.baseAddress { load(weights: base) } }
    bias?.withUnsafeBufferPointer { if let base = $0.baseAddress { load(bias: base) } }
  }

  /// A layer whose weights are zero until they are loaded; the parameters as above.
  public init(hasBias: Bool = false, inputChannels: Int, outputChannels: Int, compute: Compute) {
    storage = Parameters(zeros: PackedMatrix.count(inner: inputChannels, columns: outputChannels))
    matrix = PackedMatrix(
      storage.pointer, inner: inputChannels, columns: outputChannels, compute: compute)
    bias = hasBias ? Parameters(zeros: outputChannels) : nil
  }

  /// Takes new weights, [output][input]; allocates nothing.
  public func load(weights: UnsafePointer<Float>) { matrix.pack(weights) }

  /// Takes the weights of the layer whose input gradient this one shall compute from its output
  /// gradient: [its output][its input], which are this one's input and output.
  public func load(transposeOf weights: UnsafePointer<Float>) {
    matrix.pack(transposeOf: weights)
  }

  /// Takes a new bias of a layer that has one.
  public func load(bias values: UnsafePointer<Float>) {
    bias?.pointer.update(from: values, count: matrix.columns)
  }

  /// result (count x outputs) = input (count x inputs) · weightsᵀ + bias, on the calling thread; of one
  /// block of outputs alone, if not nil.
  public func rows(
    _ input: UnsafePointer<Float>, into result: UnsafeMutablePointer<Float>, count: Int,
    block: Int? = nil, compute: Compute
  ) {
    let first = (block ?? 0) * matrix.lanes
    compute.product(
      block.map { matrix.block($0) } ?? matrix, input, into: result + first,
      stride: matrix.columns, count: count, bias: bias.map { $0.pointer + first })
  }

  /// output = input · weightsᵀ + bias + residual.
  public func callAsFunction(
    _ input: Activation, plus residual: Voxels, into output: Voxels, compute: Compute
  ) {
    compute.planes(output.grid) { z, y, rows in
      compute.product(
        matrix, input.data + z * input.plane + y * input.row, into: output, z: z, y: y, rows: rows,
        bias: bias?.pointer, residual: residual)
    }
  }
}

extension Compute {
  /// Output channels that a block of weights holds.
  func lanes(_ columns: Int) -> Int { columns > 16 ? Int(kernels.widestBlock) : 16 }

  /// Runs `body` for pieces of planes, lines [y, y + rows) of plane z, in blocks of at most 1024
  /// voxels or one line.
  public func planes(_ grid: Grid, _ body: (_ z: Int, _ y: Int, _ rows: Int) -> Void) {
    let lines = max(1, min(grid.height, 1024 / grid.width))
    let pieces = (grid.height + lines - 1) / lines
    run(blocks: grid.depth * pieces) { block, _ in
      let (z, piece) = block.quotientAndRemainder(dividingBy: pieces)
      body(z, piece * lines, min(lines, grid.height - piece * lines))
    }
  }

  /// result (count x columns, rows `stride` apart) = input (count x inner) · matrix + bias
  /// [+ what the result held], on the calling thread.
  public func product(
    _ matrix: PackedMatrix, _ input: UnsafePointer<Float>,
    into result: UnsafeMutablePointer<Float>, stride: Int, count: Int,
    bias: UnsafePointer<Float>? = nil, accumulates: Bool = false
  ) {
    product(
      matrix, input, into: result, stride: stride, count: count, bias: bias,
      residual: accumulates ? UnsafePointer(result) : nil)
  }

  /// result (count x columns, rows `stride` apart) = (input (count x inner, rows `inputStride` apart,
  /// nil: without gaps) · matrix + bias + extra) * scale + residual, on the calling thread; extra and
  /// residual as the result.
  public func product(
    _ matrix: PackedMatrix, _ input: UnsafePointer<Float>, inputStride: Int? = nil,
    into result: UnsafeMutablePointer<Float>, stride: Int, count: Int,
    bias: UnsafePointer<Float>? = nil, extra: UnsafePointer<Float>? = nil,
    scale: UnsafePointer<Float>? = nil, residual: UnsafePointer<Float>?
  ) {
    var product = parameters(matrix, input, bias)
    if let inputStride { product.inputStride = Int64(inputStride) }
    product.output = result
    product.lineLength = Int64(max(1, count))
    product.outputStride = Int64(stride)
    (product.extra, product.extraStride, product.scale) = (extra, Int64(stride), scale)
    product.residual = residual
    product.residualStride = Int64(stride)
    kernels.product(&product, 0, Int64(count))
  }

  /// Lines [y, y + rows) of plane z: channels [column, column + columns) of output = (input · matrix
  /// + bias + extra) * scale + residual, on the calling thread.
  /// - Parameters:
  ///   - matrix: the packed weights.
  ///   - input: the first of these voxels, without gaps; so is `extra`, with output's channels.
  ///   - output: the activation that the lines belong to.
  ///   - column: the first channel of the output that is written.
  ///   - z: the plane.
  ///   - y: the first line.
  ///   - rows: the number of lines.
  ///   - bias: one value for each output channel.
  ///   - extra: added before the scale.
  ///   - scale: one factor for each output channel.
  ///   - residual: added after the scale.
  public func product(
    _ matrix: PackedMatrix, _ input: UnsafePointer<Float>, into output: Voxels, column: Int = 0,
    z: Int, y: Int, rows: Int, bias: UnsafePointer<Float>? = nil,
    extra: UnsafePointer<Float>? = nil, scale: UnsafePointer<Float>? = nil,
    residual: Voxels? = nil
  ) {
    var product = parameters(matrix, input, bias)
    product.extra = extra
    product.extraStride = Int64(output.channels)
    product.scale = scale
    product.lineLength = Int64(output.grid.width)
    product.output = output.line(z, y) + column
    (product.outputStride, product.outputLine) = (Int64(output.channels), Int64(output.row))
    if let residual {
      product.residual = UnsafePointer(residual.line(z, y) + column)
      product.residualStride = Int64(residual.channels)
      product.residualLine = Int64(residual.row)
    }
    kernels.product(&product, 0, Int64(rows * output.grid.width))
  }

  /// result += input · matrix on the calling thread, its rows in lines of `line.count`, `line.stride` apart.
  func product(
    _ matrix: PackedMatrix, _ input: UnsafePointer<Float>,
    addedTo result: UnsafeMutablePointer<Float>, stride: Int, line: (count: Int, stride: Int),
    count: Int
  ) {
    var product = parameters(matrix, input, nil)
    product.output = result
    product.residual = UnsafePointer(result)
    product.lineLength = Int64(line.count)
    (product.outputStride, product.residualStride) = (Int64(stride), Int64(stride))
    (product.outputLine, product.residualLine) = (Int64(line.stride), Int64(line.stride))
    kernels.product(&product, 0, Int64(count))
  }

  private func parameters(
    _ matrix: PackedMatrix, _ input: UnsafePointer<Float>, _ bias: UnsafePointer<Float>?
  ) -> Product {
    var product = Product()
    product.input = input
    product.inputStride = Int64(matrix.inner)
    product.weights = UnsafePointer(matrix.pointer)
    product.bias = bias
    (product.inner, product.columns) = (Int32(matrix.inner), Int32(matrix.columns))
    product.lanes = Int32(matrix.lanes)
    return product
  }
}
