import Tensors

/// The blocks of voxels of a fine grid that one voxel of a coarse grid covers: what a convolution
/// whose kernel equals its stride reads, and a transposed one writes.
struct PatchRows {
  let coarse, kernel: Grid
  let channels: Int
  let batch: Int
  /// Whether the fine grid's memory is planar (the network's input, [C][D][H][W] a sample); columns
  /// are then [c][kz][ky][kx], otherwise [kz][ky][kx][c].
  let isPlanar: Bool

  /// The values of one patch.
  var columns: Int { kernel.voxels * channels }
  var rows: Int { batch * coarse.voxels }
  private var fine: Grid { coarse * kernel }
  private var lines: Int { batch * coarse.rows }

  /// rows (batch x coarse voxels x columns) from the fine grid.
  func gather(
    _ x: UnsafePointer<Float>, into rows: UnsafeMutablePointer<Float>, compute: Compute
  ) {
    compute.run(blocks: lines) { line, _ in
      forEachRun(ofLine: line) { place, column, count in
        (rows + column).update(from: x + place, count: count)
      }
    }
  }

  /// Adds rows to the fine grid.
  func scatter(
    _ rows: UnsafePointer<Float>, addedTo x: UnsafeMutablePointer<Float>, compute: Compute
  ) {
    compute.run(blocks: lines) { line, _ in
      forEachRun(ofLine: line) { place, column, count in
        let (x, source) = (x + place, rows + column)
        for i in 0..<count { x[i] += source[i] }
      }
    }
  }

  /// The runs of values that are neighbours in the rows of a coarse line: `count` values at `column`
  /// of the rows are at `place` of the fine grid.
  private func forEachRun(
    ofLine line: Int, _ body: (_ place: Int, _ column: Int, _ count: Int) -> Void
  ) {
    let (sample, rest) = line.quotientAndRemainder(dividingBy: coarse.rows)
    let (z, y) = rest.quotientAndRemainder(dividingBy: coarse.height)
    let plane = fine.voxels
    for x in 0..<coarse.width {
      let row = (line * coarse.width + x) * columns
      for dz in 0..<kernel.depth {
        for dy in 0..<kernel.height {
          let fineLine = (z * kernel.depth + dz) * fine.height + y * kernel.height + dy
          let voxel = fineLine * fine.width + x * kernel.width
          let tap = (dz * kernel.height + dy) * kernel.width
          if isPlanar {
            for c in 0..<channels {
              body(
                (sample * channels + c) * plane + voxel, row + c * kernel.voxels + tap,
                kernel.width)
            }
          } else {
            body(
              (sample * plane + voxel) * channels, row + tap * channels, kernel.width * channels)
          }
        }
      }
    }
  }
}

/// A convolution whose kernel equals its stride, without bias: each output voxel is the product of
/// one patch with the weights.
final class StridedConvolution {
  private let weight: Range<Int>  // [output][input][taps]
  private let patches: PatchRows
  private let map: RowMap

  /// - Parameters:
  ///   - name: `name.weight` is the parameter.
  ///   - grid: of the output.
  ///   - planarInput: whether the input is the network's own.
  init(
    _ name: String, kernel: Grid, inputs: Int, outputs: Int, grid: Grid, planarInput: Bool,
    plan: LayerPlan
  ) {
    weight = plan.place("\(name).weight")
    patches = PatchRows(
      coarse: grid, kernel: kernel, channels: inputs, batch: plan.batch, isPlanar: planarInput)
    map = RowMap(inputs: patches.columns, outputs: outputs)
  }

  var scratch: Int {
    Scratch.size(patches.rows * patches.columns, weight.count, weight.count)
      + map.scratch(rows: patches.rows)
  }

  /// y (channels-last) = convolution of x.
  func forward(
    _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, scratch: Scratch, _ pass: Pass
  ) {
    var scratch = scratch
    let rows = scratch.take(patches.rows * patches.columns)
    patches.gather(x, into: rows, compute: pass.compute)
    let weights = orderedWeights(&scratch, pass)
    map.forward(rows, weights: weights, into: y, rows: patches.rows, compute: pass.compute)
  }

  /// dx += the gradient of the input, where that is asked for; adds to the weights' gradient.
  func backward(
    _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
    addedTo dx: UnsafeMutablePointer<Float>?, scratch: Scratch, _ pass: Pass
  ) {
    var scratch = scratch
    let (compute, count) = (pass.compute, patches.rows)
    let rows = scratch.take(count * patches.columns)
    let weights = orderedWeights(&scratch, pass)
    patches.gather(x, into: rows, compute: compute)
    let gradient = scratch.take(weight.count)
    compute.zero(gradient, count: weight.count)
    map.backwardWeights(rows, dy, into: gradient, rows: count, scratch: scratch, compute: compute)
    let result = pass.gradients(weight)
    forEachWeight { ordered, place in result[place] += gradient[ordered] }
    guard let dx else { return }
    map.backwardInput(
      dy, weights: weights, into: rows, rows: count, accumulates: false, compute: compute)
    patches.scatter(rows, addedTo: dx, compute: compute)
  }

  /// The weights with columns in the order of the patches.
  private func orderedWeights(
    _ scratch: inout Scratch, _ pass: Pass
  ) -> UnsafePointer<Float> {
    let weights = pass.values(weight)
    if patches.isPlanar { return UnsafePointer(weights) }
    let result = scratch.take(weight.count)
    forEachWeight { ordered, place in result[ordered] = weights[place] }
    return UnsafePointer(result)
  }

  /// Places of each weight in the patches' order and in PyTorch's.
  private func forEachWeight(_ body: (_ ordered: Int, _ place: Int) -> Void) {
    let (taps, inputs) = (patches.kernel.voxels, patches.channels)
    if patches.isPlanar {
      for i in 0..<weight.count { body(i, i) }
      return
    }
    for output in 0..<map.outputs {
      for input in 0..<inputs {
        for tap in 0..<taps {
          body((output * taps + tap) * inputs + input, (output * inputs + input) * taps + tap)
        }
      }
    }
  }
}

/// A transposed convolution whose kernel equals its stride, without bias: each input voxel makes one
/// patch of the output.
final class TransposedConvolution {
  private let weight: Range<Int>  // [input][output][taps]
  private let patches: PatchRows
  private let map: RowMap

  /// - Parameters:
  ///   - name: `name.weight` is the parameter.
  ///   - grid: of the input.
  init(_ name: String, kernel: Grid, inputs: Int, outputs: Int, grid: Grid, plan: LayerPlan) {
    weight = plan.place("\(name).weight")
    patches = PatchRows(
      coarse: grid, kernel: kernel, channels: outputs, batch: plan.batch, isPlanar: false)
    map = RowMap(inputs: inputs, outputs: patches.columns)
  }

  var scratch: Int {
    Scratch.size(patches.rows * patches.columns, weight.count, weight.count)
      + map.scratch(rows: patches.rows)
  }

  /// y += transposed convolution of x; y holds the skip connection.
  func forward(
    _ x: UnsafePointer<Float>, addedTo y: UnsafeMutablePointer<Float>, scratch: Scratch,
    _ pass: Pass
  ) {
    var scratch = scratch
    let rows = scratch.take(patches.rows * patches.columns)
    let weights = orderedWeights(&scratch, pass)
    map.forward(x, weights: weights, into: rows, rows: patches.rows, compute: pass.compute)
    patches.scatter(rows, addedTo: y, compute: pass.compute)
  }

  /// dx from dy; adds to the weights' gradient.
  func backward(
    _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, into dx: UnsafeMutablePointer<Float>,
    scratch: Scratch, _ pass: Pass
  ) {
    var scratch = scratch
    let (compute, count) = (pass.compute, patches.rows)
    let rows = scratch.take(count * patches.columns)
    let weights = orderedWeights(&scratch, pass)
    patches.gather(dy, into: rows, compute: compute)
    let gradient = scratch.take(weight.count)
    compute.zero(gradient, count: weight.count)
    map.backwardWeights(x, rows, into: gradient, rows: count, scratch: scratch, compute: compute)
    let result = pass.gradients(weight)
    forEachWeight { ordered, place in result[place] += gradient[ordered] }
    map.backwardInput(
      rows, weights: weights, into: dx, rows: count, accumulates: false, compute: compute)
  }

  /// [tap][output][input].
  private func orderedWeights(
    _ scratch: inout Scratch, _ pass: Pass
  ) -> UnsafePointer<Float> {
    let weights = pass.values(weight)
    let result = scratch.take(weight.count)
    forEachWeight { ordered, place in result[ordered] = weights[place] }
    return UnsafePointer(result)
  }

  /// Places of each weight in the patches' order and in PyTorch's.
  private func forEachWeight(_ body: (_ ordered: Int, _ place: Int) -> Void) {
    let (taps, outputs) = (patches.kernel.voxels, patches.channels)
    for input in 0..<map.inputs {
      for output in 0..<outputs {
        for tap in 0..<taps {
          body(
            (tap * outputs + output) * map.inputs + input,
            (input * outputs + output) * taps + tap)
        }
      }
    }
  }
}
