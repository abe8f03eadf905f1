import Foundation
import Testing

@testable import Tensors

/// Gradients of operations on rows, and of the spatial attention, against their definitions in double.
struct RowGradientTests {
  static let sets = InstructionSet.allCases.filter(\.isAvailable)

  private func array(_ pointer: UnsafePointer<Float>, _ count: Int) -> [Float] {
    Array(UnsafeBufferPointer(start: pointer, count: count))
  }

  @Test(arguments: [(1, 16, 40), (33, 70, 1500), (64, 4, 700)], sets)
  func linearWeights(size: (Int, Int, Int), set: InstructionSet) throws {
    let (inputs, outputs, rows) = size
    let memory = TestMemory()
    let (x, dy) = (memory.random(rows * inputs), memory.random(rows * outputs))
    let expected = (0..<outputs * inputs).map { place in
      (0..<rows).reduce(1.0) {
        $0 + Double(dy[$1 * outputs + place / inputs]) * Double(x[$1 * inputs + place % inputs])
      }
    }
    var results: [[Float]] = []
    for threads in [1, 3] {
      let compute = try #require(Compute(threads: threads, instructions: set))
      let gradient = LinearWeightGradient(inputs: inputs, outputs: outputs, rows: rows)
      let result = try memory.floats([Float](repeating: 1, count: outputs * inputs))
      gradient(
        try memory.floats(x), gradient: try memory.floats(dy), addedTo: result,
        scratch: try memory.floats(gradient.scratch), compute: compute)
      results.append(array(result, outputs * inputs))
    }
    #expect(relativeError(results[0], expected) < 1e-6)
    #expect(results[0] == results[1])
  }

  /// aᵀ b with the rows of a next to each other, and with those of aᵀ.
  @Test(arguments: [(8, 32, 50), (11, 70, 9), (64, 20, 33)], sets)
  func outerProducts(size: (Int, Int, Int), set: InstructionSet) throws {
    let (rows, columns, count) = size
    let memory = TestMemory()
    let compute = try #require(Compute(threads: 1, instructions: set))
    let (a, b) = (memory.random(count * rows), memory.random(count * columns))
    for isTransposed in [false, true] {
      let sums = try memory.floats([Float](repeating: .nan, count: rows * columns))
      compute.outerProducts(
        try memory.floats(a), stride: isTransposed ? 1 : rows,
        rowStride: isTransposed ? count : 1, rows: rows, try memory.floats(b), stride: columns,
        columns: columns, count: count, into: sums, stride: columns)
      let expected = (0..<rows * columns).map { place in
        let (row, column) = place.quotientAndRemainder(dividingBy: columns)
        return (0..<count).reduce(0.0) {
          let factor = a[isTransposed ? row * count + $1 : $1 * rows + row]
          return $0 + Double(factor) * Double(b[$1 * columns + column])
        }
      }
      #expect(relativeError(array(sums, rows * columns), expected) < 1e-6)
    }
  }

  @Test(arguments: [(16, 100), (20, 1000), (35, 7)], sets)
  func scaleAndSums(size: (Int, Int), set: InstructionSet) throws {
    let (channels, rows) = size
    let memory = TestMemory()
    let compute = try #require(Compute(threads: 2, instructions: set))
    let count = channels * rows
    let (g, x, factors) = (memory.random(count), memory.random(count), memory.random(channels))
    let result = try memory.floats(g)
    let sums = try memory.floats(2 * channels)
    compute.addColumnSums(result, rows: rows, channels: channels, to: sums)
    compute.scaleGradient(
      result, of: try memory.floats(x), by: try memory.floats(factors), into: result,
      addingTo: sums + channels, rows: rows, channels: channels)
    let places = (0..<channels).map { c in (0..<rows).map { $0 * channels + c } }
    #expect(
      relativeError(
        array(sums, channels), places.map { $0.reduce(0.0) { $0 + Double(g[$1]) } }) < 1e-6)
    #expect(
      relativeError(
        array(sums + channels, channels),
        places.map { $0.reduce(0.0) { $0 + Double(g[$1]) * Double(x[$1]) } }) < 1e-6)
    let scaled = g.indices.map { Double(g[$0]) * Double(factors[$0 % channels]) }
    #expect(relativeError(array(result, count), scaled) < 1e-6)
    compute.scale(
      result, by: try memory.floats(factors), plus: try memory.floats(x), into: result, rows: rows,
      channels: channels)
    compute.add(try memory.floats(g), to: result, count: count)
    let expected = g.indices.map {
      scaled[$0] * Double(factors[$0 % channels]) + Double(x[$0]) + Double(g[$0])
    }
    #expect(relativeError(array(result, count), expected) < 1e-6)
  }

  @Test(arguments: [(16, 4, 5000), (20, 14, 37), (32, 2, 16)], sets)
  func head(size: (Int, Int, Int), set: InstructionSet) throws {
    let (channels, classes, voxels) = size
    let memory = TestMemory()
    let compute = try #require(Compute(threads: 2, instructions: set))
    let x = memory.random(voxels * channels)
    let w = memory.random(classes * channels)
    let dy = memory.random(classes * voxels)
    let result = try memory.floats([Float](repeating: 1, count: voxels * channels))
    let gradient = HeadWeightGradient(channels: channels, classes: classes, voxels: voxels)
    let sums = try memory.floats(classes * (channels + 1))
    for accumulates in [false, true] {
      gradient(
        try memory.floats(x), gradient: try memory.floats(dy), weights: try memory.floats(w),
        into: result, accumulates: accumulates, addingTo: sums, sums + classes * channels,
        scratch: try memory.floats(gradient.scratch), compute: compute)
    }
    let dx = x.indices.map { i in
      (0..<classes).reduce(0.0) {
        $0 + 2 * Double(dy[$1 * voxels + i / channels])
          * Double(w[$1 * channels + i % channels])
      }
    }
    #expect(relativeError(array(result, x.count), dx) < 1e-6)
    let dw = w.indices.map { i in
      (0..<voxels).reduce(0.0) {
        $0 + 2 * Double(dy[i / channels * voxels + $1])
          * Double(x[$1 * channels + i % channels])
      }
    }
    #expect(relativeError(array(sums, w.count), dw) < 1e-6)
    let db = (0..<classes).map { k in
      (0..<voxels).reduce(0.0) { $0 + 2 * Double(dy[k * voxels + $1]) }
    }
    #expect(relativeError(array(sums + w.count, classes), db) < 1e-6)
  }

  @Test(arguments: [(16, 4, 5000), (20, 14, 37)], sets)
  func headWithoutNormalisation(size: (Int, Int, Int), set: InstructionSet) throws {
    let (channels, classes, voxels) = size
    let memory = TestMemory()
    let compute = try #require(Compute(threads: 2, instructions: set))
    let x = memory.random(voxels * channels)
    let (w, b) = (memory.random(classes * channels), memory.random(classes))
    let head = Head(
      weights: Array(repeating: 0, count: w.count), bias: Array(repeating: 0, count: classes),
      channels: channels, classes: classes)
    head.load(weights: try memory.floats(w), bias: try memory.floats(b))
    let logits = try memory.floats(classes * voxels)
    head(try memory.floats(x), voxels: voxels, into: logits, compute: compute)
    let expected = (0..<classes * voxels).map { place in
      let (k, n) = place.quotientAndRemainder(dividingBy: voxels)
      return (0..<channels).reduce(Double(b[k])) {
        $0 + Double(x[n * channels + $1]) * Double(w[k * channels + $1])
      }
    }
    #expect(relativeError(array(logits, expected.count), expected) < 1e-6)
  }

  /// Channels-last of 2 samples, or planar: the weights' gradient of a convolution whose kernel is its
  /// stride.
  @Test(arguments: [(3, false), (20, false), (1, true), (3, true)], sets)
  func patchWeights(fine: (Int, Bool), set: InstructionSet) throws {
    let (channels, isPlanar) = fine
    let memory = TestMemory()
    let (kernel, grid, outer, samples) = (Grid(2, 3, 4), Grid(3, 2, 5), 18, 2)
    let finer = grid * kernel
    let taps = kernel.voxels
    let x = memory.random(samples * finer.voxels * channels)
    let y = memory.random(samples * grid.voxels * outer)
    var expected = [Double](repeating: 1, count: outer * channels * taps)
    for n in 0..<samples * finer.voxels {
      let (sample, voxel) = n.quotientAndRemainder(dividingBy: finer.voxels)
      let (column, row) = (voxel % finer.width, voxel / finer.width % finer.height)
      let plane = voxel / finer.width / finer.height
      let place =
        ((sample * grid.depth + plane / kernel.depth) * grid.height + row / kernel.height)
        * grid.width + column / kernel.width
      let tap =
        (plane % kernel.depth * kernel.height + row % kernel.height) * kernel.width
        + column % kernel.width
      for i in 0..<channels {
        let value =
          isPlanar ? x[(sample * channels + i) * finer.voxels + voxel] : x[n * channels + i]
        for o in 0..<outer {
          expected[(o * channels + i) * taps + tap] += Double(value) * Double(y[place * outer + o])
        }
      }
    }
    var results: [[Float]] = []
    for threads in [1, 3] {
      let compute = try #require(Compute(threads: threads, instructions: set))
      let gradient = PatchWeightGradient(
        kernel: kernel, coarse: grid, coarseChannels: outer, fineChannels: channels,
        isPlanar: isPlanar, samples: samples)
      let result = try memory.floats([Float](repeating: 1, count: expected.count))
      gradient(
        coarse: try memory.floats(y), fine: try memory.floats(x), addedTo: result,
        scratch: try memory.floats(gradient.scratch), compute: compute)
      results.append(array(result, expected.count))
    }
    #expect(relativeError(results[0], expected) < 1e-6)
    #expect(results[0] == results[1])
  }

  struct Attention: Sendable, CustomTestStringConvertible {
    let tokens, heads, d, projection, first, count: Int
    var testDescription: String {
      "\(tokens) tokens, \(heads) heads of \(d), projection \(projection), \(first)+\(count)"
    }
  }
  static let attentions = [
    Attention(tokens: 200, heads: 4, d: 8, projection: 64, first: 16, count: 150),
    Attention(tokens: 50, heads: 4, d: 4, projection: 10, first: 0, count: 50),
    Attention(tokens: 27, heads: 2, d: 10, projection: 3, first: 3, count: 24),
    Attention(tokens: 16, heads: 1, d: 20, projection: 32, first: 0, count: 16),
  ]

  /// Gradients by q, keys and values of the sum of g * softmax(q keys) valuesᵀ.
  private func reference(
    _ a: Attention, _ q: [Float], _ keys: [Float], _ values: [Float], _ g: [Float]
  ) -> (q: [Double], keys: [Double], values: [Double]) {
    let (c, p) = (a.heads * a.d, a.projection)
    var dq = [Double](repeating: 0, count: a.count * c)
    var dk = [Double](repeating: 0, count: c * p)
    var dv = dk
    for token in a.first..<a.first + a.count {
      for head in 0..<a.heads {
        let channels = head * a.d..<(head + 1) * a.d
        let logits = (0..<p).map { i in
          channels.reduce(0.0) { $0 + Double(q[token * c + $1]) * Double(keys[$1 * p + i]) }
        }
        let top = logits.max() ?? 0
        let exponentials = logits.map { exp($0 - top) }
        let weights = exponentials.map { $0 / exponentials.reduce(0, +) }
        func output(_ channel: Int) -> Double {
          Double(g[((channel - head * a.d) * a.heads + head) * a.tokens + token])
        }
        let slopes = (0..<p).map { i in
          channels.reduce(0.0) { $0 + output($1) * Double(values[$1 * p + i]) }
        }
        let mean = zip(weights, slopes).reduce(0) { $0 + $1.0 * $1.1 }
        for i in 0..<p {
          let slope = weights[i] * (slopes[i] - mean)
          for channel in channels {
            dq[(token - a.first) * c + channel] += slope * Double(keys[channel * p + i])
            dk[channel * p + i] += slope * Double(q[token * c + channel])
            dv[channel * p + i] += weights[i] * output(channel)
          }
        }
      }
    }
    return (dq, dk, dv)
  }

  @Test(arguments: attentions, sets)
  func attention(a: Attention, set: InstructionSet) throws {
    let memory = TestMemory()
    let compute = try #require(Compute(threads: 1, instructions: set))
    let (c, p) = (a.heads * a.d, a.projection)
    let q = memory.random(a.tokens * c)
    let (keys, values) = (memory.random(c * p), memory.random(c * p))
    let g = memory.random(a.tokens * c)
    let expected = reference(a, q, keys, values, g)
    let dq = try memory.floats([Float](repeating: .nan, count: a.tokens * c))
    let dk = try memory.floats([Float](repeating: .nan, count: c * p))
    let dv = try memory.floats([Float](repeating: .nan, count: c * p))
    compute.attendGradient(
      try memory.floats(q), keys: try memory.floats(keys), values: try memory.floats(values),
      gradient: try memory.floats(g), queryGradient: dq, keySums: dk, valueSums: dv,
      scratch: try memory.floats(
        Compute.attendGradientScratch(
          count: a.count, channels: c, heads: a.heads, projection: p)),
      first: a.first, count: a.count, tokens: a.tokens, channels: c, heads: a.heads, projection: p)
    #expect(relativeError(array(dq + a.first * c, a.count * c), expected.q) < 2e-6)
    #expect(relativeError(array(dk, c * p), expected.keys) < 2e-6)
    #expect(relativeError(array(dv, c * p), expected.values) < 2e-6)
    // Rows of other blocks are left alone.
    for i in 0..<a.first * c { #expect(dq[i].isNaN) }
  }
}
