import Testing

@testable import Tensors

/// Gradients of the normalisations against finite differences of their definition in double.
struct NormalisationGradientTests {
  static let sets = InstructionSet.allCases.filter(\.isAvailable)

  struct Case: Sendable, CustomTestStringConvertible {
    let channels, groups, rows: Int
    let isBatch: Bool
    var testDescription: String {
      "\(channels) channels, \(groups) groups, \(rows) rows\(isBatch ? ", batch" : "")"
    }
  }
  static let cases = [
    Case(channels: 16, groups: 16, rows: 37, isBatch: true),
    Case(channels: 20, groups: 20, rows: 24, isBatch: false),
    Case(channels: 32, groups: 4, rows: 18, isBatch: false),
    Case(channels: 6, groups: 1, rows: 45, isBatch: false),
  ]

  /// Sum of r * LeakyReLU(norm(x) * w + b + residual), row-major.
  private func loss(
    _ x: [Double], _ w: [Double], _ b: [Double], _ residual: [Double]?, _ r: [Double], _ c: Case,
    isActivated: Bool
  ) -> Double {
    let width = c.channels / c.groups
    var sum = 0.0
    for group in 0..<c.groups {
      let places = (0..<c.rows).flatMap { row in
        (group * width..<(group + 1) * width).map { row * c.channels + $0 }
      }
      let mean = places.reduce(0) { $0 + x[$1] } / Double(places.count)
      let variance =
        places.reduce(0) { $0 + (x[$1] - mean) * (x[$1] - mean) } / Double(places.count)
      for place in places {
        var y = (x[place] - mean) / (variance + 1e-5).squareRoot()
        y = y * w[place % c.channels] + b[place % c.channels] + (residual?[place] ?? 0)
        if isActivated, y < 0 { y *= 0.01 }
        sum += r[place] * y
      }
    }
    return sum
  }

  private func differences(_ values: [Double], _ f: ([Double]) -> Double) -> [Double] {
    var values = values
    return values.indices.map { i in
      let here = values[i]
      let step = 1e-5
      values[i] = here + step
      let above = f(values)
      values[i] = here - step
      let below = f(values)
      values[i] = here
      return (above - below) / (2 * step)
    }
  }

  private enum Activation: CaseIterable { case none, direct, residual }

  @Test(arguments: cases)
  func agreesWithFiniteDifferences(c: Case) throws {
    let memory = TestMemory()
    let count = c.rows * c.channels
    let x = memory.random(count).map { $0 * 2 + 0.5 }
    let r = memory.random(count)
    let residual = memory.random(count)
    let hasParameters = c.isBatch || c.groups < c.channels
    let w = hasParameters ? memory.random(c.channels) : Array(repeating: 1, count: c.channels)
    let b = hasParameters ? memory.random(c.channels) : Array(repeating: 0, count: c.channels)
    for activation in Activation.allCases {
      let add = activation == .residual ? residual.map(Double.init) : nil
      func f(_ x: [Double], _ w: [Double], _ b: [Double], _ add: [Double]?) -> Double {
        loss(x, w, b, add, r.map(Double.init), c, isActivated: activation != .none)
      }
      let (xs, ws, bs) = (x.map(Double.init), w.map(Double.init), b.map(Double.init))
      let dx = differences(xs) { f($0, ws, bs, add) }
      let dw = differences(ws) { f(xs, $0, bs, add) }
      let db = differences(bs) { f(xs, ws, $0, add) }
      let before = add.map { add in differences(add) { f(xs, ws, bs, $0) } }
      for set in Self.sets {
        var results: [[Float]] = []
        for threads in [1, 3] {
          let found = try gradients(
            of: c, Inputs(x: x, r: r, residual: residual, weight: w, bias: b), activation,
            try #require(Compute(threads: threads, instructions: set)), memory)
          #expect(relativeError(found.input, dx) < 1e-5, "\(set) \(activation)")
          results.append(found.input)
          if hasParameters {
            #expect(relativeError(found.weight, dw) < 1e-5)
            #expect(relativeError(found.bias, db) < 1e-5)
          }
          if let before { #expect(relativeError(found.residual, before) < 1e-5) }
        }
        #expect(results[0] == results[1], "the result depends on the number of threads")
      }
    }
  }

  private struct Inputs {
    let x, r, residual, weight, bias: [Float]
  }

  /// The derivatives that the kernels find.
  private func gradients(
    of c: Case, _ inputs: Inputs, _ activation: Activation, _ compute: Compute,
    _ memory: TestMemory
  ) throws -> (input: [Float], weight: [Float], bias: [Float], residual: [Float]) {
    let count = inputs.x.count
    let hasParameters = c.isBatch || c.groups < c.channels
    let norm =
      c.isBatch
      ? Normalisation(batch: c.channels)
      : Normalisation(
        channels: c.channels, groups: c.groups, weight: hasParameters ? inputs.weight : nil,
        bias: hasParameters ? inputs.bias : nil)
    norm.load(weight: try memory.floats(inputs.weight), bias: try memory.floats(inputs.bias))
    let input = try memory.floats(inputs.x)
    norm.measure(input, rows: c.rows, compute: compute)
    let y = try memory.floats(count)
    norm.apply(
      input, plus: activation == .residual ? try memory.floats(inputs.residual) : nil,
      activated: activation != .none, into: y, rows: c.rows, compute: compute)
    let gradient = try memory.floats(inputs.r)
    let result = try memory.floats(count)
    let sums = try memory.floats([Float](repeating: 1, count: 2 * c.channels))
    let after: ActivationAfter =
      switch activation {
      case .none: .none
      case .direct: .direct
      case .residual: .residual(output: y)
      }
    norm.gradient(
      input, gradient, activation: after, before: activation == .residual ? gradient : nil,
      into: result, rows: c.rows, addingTo: sums, sums + c.channels, compute: compute)
    let parameters = UnsafeBufferPointer(start: sums, count: 2 * c.channels).map { $0 - 1 }
    return (
      Array(UnsafeBufferPointer(start: result, count: count)),
      Array(parameters[..<c.channels]), Array(parameters[c.channels...]),
      Array(UnsafeBufferPointer(start: gradient, count: count))
    )
  }

  /// LeakyReLU(normalised) in a halo is that without one, and around it are zeros.
  @Test(arguments: sets)
  func intoAHalo(set: InstructionSet) throws {
    let memory = TestMemory()
    let compute = try #require(Compute(threads: 2, instructions: set))
    let (grid, channels) = (Grid(2, 3, 4), 20)
    let x = try memory.floats(memory.random(grid.voxels * channels))
    let norm = Normalisation(instance: channels)
    norm.measure(x, rows: grid.voxels, compute: compute)
    let flat = try memory.floats(grid.voxels * channels)
    norm.apply(x, activated: true, into: flat, rows: grid.voxels, compute: compute)
    let count = HaloActivation.count(grid, channels: channels)
    let halo = HaloActivation(
      try memory.floats([Float](repeating: .nan, count: count)), grid, channels: channels)
    norm.activate(x, into: halo, compute: compute)
    var sum: Float = 0
    for z in 0..<grid.depth {
      for y in 0..<grid.height {
        let first = (z * grid.height + y) * grid.width * channels
        for i in 0..<grid.width * channels {
          #expect(halo.voxels.line(z, y)[i] == flat[first + i])
          sum += abs(flat[first + i])
        }
      }
    }
    let all = (0..<count).reduce(Float(0)) { $0 + abs(halo.data[$1]) }
    #expect(abs(all - sum) < 1e-3)
  }

  /// The statistics of a batch are those of its samples together, and `reset` forgets them.
  @Test func batchOfSamples() throws {
    let memory = TestMemory()
    let compute = try #require(Compute(threads: 2))
    let (channels, rows) = (16, 40)
    let x = try memory.floats(memory.random(2 * rows * channels))
    let whole = Normalisation(batch: channels)
    whole.measure(x, rows: 2 * rows, compute: compute)
    let parts = Normalisation(batch: channels)
    parts.measure(try memory.floats(memory.random(rows * channels)), rows: rows, compute: compute)
    parts.reset()
    parts.measure(x, rows: rows, compute: compute)
    parts.measure(x + rows * channels, rows: rows, compute: compute)
    for channel in 0..<channels {
      #expect(abs(parts.means[channel] - whole.means[channel]) < 1e-12)
      #expect(abs(parts.variances[channel] - whole.variances[channel]) < 1e-12)
    }
  }

  /// Sum of r * LayerNorm(x).
  private func layerNormLoss(
    _ x: [Double], _ w: [Double], _ b: [Double], _ r: [Double], rows: Int
  ) -> Double {
    let channels = w.count
    return (0..<rows).reduce(0.0) { total, row in
      let line = x[row * channels..<(row + 1) * channels]
      let mean = line.reduce(0, +) / Double(channels)
      let variance = line.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(channels)
      return total
        + (0..<channels).reduce(0.0) {
          let y = (x[row * channels + $1] - mean) / (variance + 1e-5).squareRoot()
          return $0 + r[row * channels + $1] * (y * w[$1] + b[$1])
        }
    }
  }

  @Test(arguments: [(16, 9), (20, 40), (96, 33)], sets)
  func layerNorm(size: (Int, Int), set: InstructionSet) throws {
    let (channels, rows) = size
    let memory = TestMemory()
    let compute = try #require(Compute(threads: 2, instructions: set))
    let count = rows * channels
    let x = memory.random(count).map { $0 * 3 + 2 }
    let (r, w) = (memory.random(count), memory.random(channels))
    func f(_ x: [Double], _ w: [Double], _ b: [Double]) -> Double {
      layerNormLoss(x, w, b, r.map(Double.init), rows: rows)
    }
    let (xs, ws) = (x.map(Double.init), w.map(Double.init))
    let zeros = [Double](repeating: 0, count: channels)
    // A row's value depends on that row alone.
    var dx: [Double] = []
    for row in 0..<rows {
      let first = row * channels
      dx += differences(Array(xs[first..<first + channels])) { line in
        let mean = line.reduce(0, +) / Double(channels)
        let variance = line.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(channels)
        return (0..<channels).reduce(0.0) {
          $0 + Double(r[first + $1]) * ws[$1] * (line[$1] - mean) / (variance + 1e-5).squareRoot()
        }
      }
    }
    let dw = differences(ws) { f(xs, $0, zeros) }
    let db = differences(zeros) { f(xs, ws, $0) }
    let before = memory.random(count)
    let expected = zip(dx, before).map { $0 + Double($1) }
    let result = try memory.floats(before + before)
    let position = try memory.floats([Float](repeating: .nan, count: count))
    let sums = try memory.floats(2 * channels)
    compute.layerNormGradient(  // two samples with the same values
      try memory.floats(x + x), try memory.floats(r + r), weight: try memory.floats(w),
      addedTo: result, position: position, addingTo: sums, sums + channels, rows: rows, samples: 2,
      channels: channels)
    let found = Array(UnsafeBufferPointer(start: result, count: 2 * count))
    #expect(relativeError(found, expected + expected) < 1e-5)
    let positions = Array(UnsafeBufferPointer(start: position, count: count))
    #expect(relativeError(positions, expected.map { 2 * $0 }) < 1e-5)
    let parameters = Array(UnsafeBufferPointer(start: sums, count: 2 * channels))
    #expect(relativeError(Array(parameters[..<channels]), dw.map { 2 * $0 }) < 1e-5)
    #expect(relativeError(Array(parameters[channels...]), db.map { 2 * $0 }) < 1e-5)
  }
}
