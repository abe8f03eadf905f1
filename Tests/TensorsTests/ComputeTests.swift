import Foundation
import Testing

@testable import Tensors

struct ComputeTests {
  /// Each block runs exactly once, whatever the number of threads; run often enough to meet both
  /// spinning and sleeping workers.
  @Test(arguments: [1, 2, 3, 7])
  func everyBlockRunsOnce(threads: Int) throws {
    let compute = try #require(Compute(threads: threads))
    #expect(compute.threads == threads)
    let memory = TestMemory()
    for round in 0..<300 {
      let count = round % 23
      let visits = try memory.floats(32)
      compute.run(blocks: count) { block, worker in
        visits[block] += worker < threads ? 1 : 100
      }
      #expect((0..<32).allSatisfy { visits[$0] == ($0 < count ? 1 : 0) })
    }
  }

  /// Of matrices as they are, of the first or the second one transposed; by OpenBLAS and by the kernels.
  @Test(arguments: [nil] + InstructionSet.available.map(Optional.some))
  func smallProducts(set: InstructionSet?) throws {
    let compute = try #require(Compute(threads: 1, instructions: set))
    #expect(compute.arithmetic.contains("OpenBLAS") == (set == nil))
    let memory = TestMemory()
    for (rows, inner, columns) in [(1, 1, 1), (3, 17, 5), (16, 8, 33), (20, 40, 64)] {
      let (a, b) = (memory.random(rows * inner), memory.random(inner * columns))
      func turned(_ values: [Float], _ height: Int, _ width: Int) -> [Float] {
        (0..<width).flatMap { x in (0..<height).map { y in values[y * width + x] } }
      }
      let wanted = (0..<rows * columns).map { place in
        (0..<inner).reduce(0.0) {
          $0 + Double(a[place / columns * inner + $1]) * Double(b[$1 * columns + place % columns])
        }
      }
      let plain = Matrix(try memory.floats(a), stride: inner)
      let other = Matrix(try memory.floats(b), stride: columns)
      let plainTurned = Matrix(try memory.floats(turned(a, rows, inner)), stride: rows).transposed
      let otherTurned =
        Matrix(try memory.floats(turned(b, inner, columns)), stride: inner).transposed
      for (left, right) in [(plain, other), (plain, otherTurned), (plainTurned, other)] {
        let result = try memory.floats(rows * columns)
        compute.smallProduct(
          left, right, into: result, stride: columns, rows: rows, columns: columns, inner: inner)
        #expect(relativeError((0..<rows * columns).map { result[$0] }, wanted) < 1e-6)
      }
    }
  }

  @Test func anInstructionSetThatIsMissingIsNamed() {
    #expect(throws: Never.self) { try InstructionSet.portable.check() }
    #expect(throws: MissingInstructionSet(wanted: .avx512, available: [.avx2, .portable])) {
      try InstructionSet.avx512.check(among: [.avx2, .portable])
    }
    let text = "\(MissingInstructionSet(wanted: .avx512, available: [.avx2, .portable]))"
    #expect(text.contains("no AVX-512") && text.hasSuffix("it has avx2 and portable"))
  }

  @Test func namesAreKnown() {
    #expect(InstructionSet.portable.isAvailable)
    #expect(!blasCoreName().isEmpty)
    for set in InstructionSet.allCases where set.isAvailable {
      #expect(Compute(threads: 1, instructions: set)?.instructionSet == set.rawValue)
    }
  }

  /// Products with every part of what follows them, at sizes that fill no register tile.
  @Test(
    arguments: [(5, 3), (16, 16), (7, 40), (33, 64), (48, 20)],
    InstructionSet.allCases.filter(\.isAvailable))
  func products(size: (inner: Int, columns: Int), set: InstructionSet) throws {
    let compute = try #require(Compute(threads: 2, instructions: set))
    let memory = TestMemory()
    let grid = Grid(2, 5, 7)
    let (inner, columns, n) = (size.inner, size.columns, grid.voxels)
    let (x, weights) = (memory.random(n * inner), memory.random(columns * inner))
    let (bias, scale) = (memory.random(columns), memory.random(columns))
    let (extra, residual) = (memory.random(n * columns), memory.random(n * columns))
    let linear = Linear(
      weights: weights, bias: bias, inputChannels: inner, outputChannels: columns,
      compute: compute)
    let halo = HaloActivation(
      try memory.floats(HaloActivation.count(grid, channels: columns)), grid, channels: columns)
    let added = Activation(try memory.floats(residual), grid, channels: columns)
    let input = Activation(try memory.floats(x), grid, channels: inner)
    linear(input, plus: added.voxels, into: halo.voxels, compute: compute)
    let all = Activation(try memory.floats(n * columns), grid, channels: columns)
    let (more, biases, scales) = (
      try memory.floats(extra), try memory.floats(bias), try memory.floats(scale)
    )
    compute.planes(grid) { z, y, rows in
      let first = (z * grid.height + y) * grid.width
      compute.product(
        linear.matrix, input.data + first * inner, into: all.voxels, z: z, y: y, rows: rows,
        bias: biases, extra: more + first * columns, scale: scales, residual: added.voxels)
    }
    var (sums, wholes, results, scaled): ([Double], [Double], [Float], [Float]) = ([], [], [], [])
    for voxel in 0..<n {
      let (line, column) = voxel.quotientAndRemainder(dividingBy: grid.width)
      for k in 0..<columns {
        let place = voxel * columns + k
        let sum = (0..<inner).reduce(Double(bias[k])) {
          $0 + Double(x[voxel * inner + $1]) * Double(weights[k * inner + $1])
        }
        sums.append(sum + Double(residual[place]))
        wholes.append((sum + Double(extra[place])) * Double(scale[k]) + Double(residual[place]))
        results.append(
          halo.voxels.line(line / grid.height, line % grid.height)[column * columns + k])
        scaled.append(all.data[place])
      }
    }
    #expect(relativeError(results, sums) < 1e-6)
    #expect(relativeError(scaled, wholes) < 1e-6)
  }

  @Test(
    arguments: [(4, 3), (16, 14), (20, 5)], InstructionSet.allCases.filter(\.isAvailable))
  func head(size: (channels: Int, classes: Int), set: InstructionSet) throws {
    let compute = try #require(Compute(threads: 2, instructions: set))
    let memory = TestMemory()
    let grid = Grid(1, 5, 7)
    let (channels, classes, n) = (size.channels, size.classes, grid.voxels)
    let (x, residual) = (memory.random(n * channels), memory.random(n * channels))
    let (weights, bias) = (memory.random(classes * channels), memory.random(classes))
    let input = Activation(try memory.floats(x), grid, channels: channels)
    let norm = Normalisation(instance: channels)
    norm.measure(input, compute: compute)
    let logits = try memory.floats(classes * n)
    Head(weights: weights, bias: bias, channels: channels, classes: classes)(
      input, normalisedBy: norm,
      plus: Activation(try memory.floats(residual), grid, channels: channels), into: logits,
      compute: compute)
    let affine = norm.channelAffine
    let expected = (0..<classes).flatMap { k in
      (0..<n).map { voxel in
        (0..<channels).reduce(Double(bias[k])) { sum, c in
          let value =
            Double(x[voxel * channels + c] - affine.mean[c]) * Double(affine.scale[c])
            + Double(residual[voxel * channels + c])
          return sum + (value > 0 ? value : 0.01 * value) * Double(weights[k * channels + c])
        }
      }
    }
    let values = Array(UnsafeBufferPointer(start: logits, count: classes * n))
    #expect(relativeError(values, expected) < 1e-6)
  }

  /// Spatial attention of heads narrower and wider than a vector, and tokens that fill no vector.
  @Test(
    arguments: [(8, 2, 21, 5), (32, 4, 40, 64), (128, 4, 17, 20)],
    InstructionSet.allCases.filter(\.isAvailable))
  func attention(size: (c: Int, heads: Int, n: Int, p: Int), set: InstructionSet) throws {
    let compute = try #require(Compute(threads: 1, instructions: set))
    let memory = TestMemory()
    let (c, heads, n, p) = size
    let d = c / heads
    let (q, k) = (memory.random(n * c).map { $0 * 4 }, memory.random(c * p))
    let (v, queries) = (memory.random(c * p), try memory.floats(q))
    let output = try memory.floats(n * c)
    compute.attend(
      queries, keys: try memory.floats(k), values: try memory.floats(v), into: output, first: 0,
      count: n, tokens: n, channels: c, heads: heads, projection: p)
    let products = try memory.floats(c * d)
    compute.headProducts(
      queries, queries, into: products, count: n, channels: c, headChannels: d)
    var expected = [Double](repeating: 0, count: n * c)
    var squares = [Double](repeating: 0, count: c * d)
    for head in 0..<heads {
      for token in 0..<n {
        let query = (0..<d).map { Double(q[token * c + head * d + $0]) }
        let exps = (0..<p).map { i in
          exp((0..<d).reduce(0.0) { $0 + query[$1] * Double(k[(head * d + $1) * p + i]) })
        }
        let total = exps.reduce(0, +)
        for j in 0..<d {
          expected[(j * heads + head) * n + token] =
            (0..<p).reduce(0.0) { $0 + exps[$1] * Double(v[(head * d + j) * p + $1]) } / total
          for i in 0..<d { squares[(head * d + i) * d + j] += query[i] * query[j] }
        }
      }
    }
    #expect(
      relativeError(Array(UnsafeBufferPointer(start: output, count: n * c)), expected) < 5e-6)
    #expect(
      relativeError(Array(UnsafeBufferPointer(start: products, count: c * d)), squares) < 1e-6)
  }
}
