import Foundation
import Tensors
import UNETRPP

/// The network's blocks in double precision, each written as its definition says and as slow as that
/// is. Values are channels-last with the batch outermost, [batch][voxels][channels].
struct DoubleReference {
  let batch: Int
  let heads: Int
  let kind: BlockKind
  /// Parameters by the state dictionary's names.
  var parameters: [String: [Double]] = [:]

  typealias Values = [Double]

  func parameter(_ name: String) -> Values { parameters[name] ?? [] }

  // MARK: Convolutions

  /// 3x3x3, padding 1; weights [output][input][27].
  func cube(_ x: Values, _ name: String, grid: Grid, inputs: Int, outputs: Int) -> Values {
    let weights = parameter("\(name).weight")
    var y = Values(repeating: 0, count: batch * grid.voxels * outputs)
    weights.withUnsafeBufferPointer { weights in
      x.withUnsafeBufferPointer { x in
        y.withUnsafeMutableBufferPointer { y in
          forEachTap(grid) { voxel, neighbour, tap in
            for sample in 0..<batch {
              let (to, from) = (
                (sample * grid.voxels + voxel) * outputs,
                (sample * grid.voxels + neighbour) * inputs
              )
              for output in 0..<outputs {
                var sum = 0.0
                for input in 0..<inputs {
                  sum += x[from + input] * weights[(output * inputs + input) * 27 + tap]
                }
                y[to + output] += sum
              }
            }
          }
        }
      }
    }
    return y
  }

  private func forEachTap(_ grid: Grid, _ body: (Int, Int, Int) -> Void) {
    func index(_ z: Int, _ y: Int, _ x: Int) -> Int? {
      guard (0..<grid.depth).contains(z), (0..<grid.height).contains(y),
        (0..<grid.width).contains(x)
      else { return nil }
      return (z * grid.height + y) * grid.width + x
    }
    for z in 0..<grid.depth {
      for y in 0..<grid.height {
        for x in 0..<grid.width {
          for tap in 0..<27 {
            let neighbour = index(z + tap / 9 - 1, y + tap / 3 % 3 - 1, x + tap % 3 - 1)
            if let neighbour { body((z * grid.height + y) * grid.width + x, neighbour, tap) }
          }
        }
      }
    }
  }

  /// Kernel = stride; `grid` is the output's; planar input if so said; weights
  /// [output][input][taps].
  func strided(
    _ x: Values, _ name: String, kernel: Grid, grid: Grid, inputs: Int, outputs: Int,
    planar: Bool
  ) -> Values {
    let weights = parameter("\(name).weight")
    let fine = grid * kernel
    var y = Values(repeating: 0, count: batch * grid.voxels * outputs)
    forEachFine(grid, kernel) { sample, coarse, voxel, tap in
      for output in 0..<outputs {
        for input in 0..<inputs {
          let place =
            planar
            ? (sample * inputs + input) * fine.voxels + voxel
            : (sample * fine.voxels + voxel) * inputs + input
          y[(sample * grid.voxels + coarse) * outputs + output] +=
            x[place] * weights[(output * inputs + input) * kernel.voxels + tap]
        }
      }
    }
    return y
  }

  /// Transposed, kernel = stride; `grid` is the input's; weights [input][output][taps].
  func transposed(
    _ x: Values, _ name: String, kernel: Grid, grid: Grid, inputs: Int, outputs: Int
  ) -> Values {
    let weights = parameter("\(name).weight")
    let fine = grid * kernel
    var y = Values(repeating: 0, count: batch * fine.voxels * outputs)
    forEachFine(grid, kernel) { sample, coarse, voxel, tap in
      for output in 0..<outputs {
        for input in 0..<inputs {
          y[(sample * fine.voxels + voxel) * outputs + output] +=
            x[(sample * grid.voxels + coarse) * inputs + input]
            * weights[(input * outputs + output) * kernel.voxels + tap]
        }
      }
    }
    return y
  }

  private func forEachFine(
    _ coarse: Grid, _ kernel: Grid,
    _ body: (_ sample: Int, _ coarse: Int, _ fine: Int, _ tap: Int) -> Void
  ) {
    let fine = coarse * kernel
    for sample in 0..<batch {
      for voxel in 0..<fine.voxels {
        let (z, y, x) = (
          voxel / (fine.height * fine.width), voxel / fine.width % fine.height, voxel % fine.width
        )
        let place =
          (z / kernel.depth * coarse.height + y / kernel.height) * coarse.width
          + x / kernel.width
        let tap =
          (z % kernel.depth * kernel.height + y % kernel.height) * kernel.width + x % kernel.width
        body(sample, place, voxel, tap)
      }
    }
  }

  /// rows x inputs times weights [outputs][inputs], plus a bias if there is one.
  func linear(_ x: Values, _ weights: Values, _ bias: Values = [], inputs: Int) -> Values {
    let (rows, outputs) = (x.count / inputs, weights.count / inputs)
    var y = Values(repeating: 0, count: rows * outputs)
    for row in 0..<rows {
      for output in 0..<outputs {
        var sum = bias.isEmpty ? 0 : bias[output]
        for input in 0..<inputs {
          sum += x[row * inputs + input] * weights[output * inputs + input]
        }
        y[row * outputs + output] = sum
      }
    }
    return y
  }

  // MARK: Normalisation and activation

  /// Groups of channels, over the voxels of each sample or of the batch; epsilon 1e-5.
  func normalised(
    _ x: Values, channels: Int, groups: Int, wholeBatch: Bool = false, weight: Values = [],
    bias: Values = []
  ) -> Values {
    var y = x
    let (rows, width) = (x.count / channels, channels / groups)
    let sets = wholeBatch ? 1 : batch
    let each = rows / sets
    for set in 0..<sets {
      for group in 0..<groups {
        let places = (set * each..<(set + 1) * each).flatMap { row in
          (group * width..<(group + 1) * width).map { row * channels + $0 }
        }
        let mean = places.reduce(0) { $0 + x[$1] } / Double(places.count)
        let variance =
          places.reduce(0) { $0 + (x[$1] - mean) * (x[$1] - mean) } / Double(places.count)
        for place in places {
          let channel = place % channels
          y[place] = (x[place] - mean) / (variance + 1e-5).squareRoot()
          if !weight.isEmpty { y[place] = y[place] * weight[channel] + bias[channel] }
        }
      }
    }
    return y
  }

  func batchNorm(_ x: Values, _ name: String, channels: Int) -> Values {
    normalised(
      x, channels: channels, groups: channels, wholeBatch: true,
      weight: parameter("\(name).weight"), bias: parameter("\(name).bias"))
  }

  func layerNorm(_ x: Values, _ name: String, channels: Int) -> Values {
    let (weight, bias) = (parameter("\(name).weight"), parameter("\(name).bias"))
    var y = x
    for row in 0..<x.count / channels {
      let values = x[row * channels..<(row + 1) * channels]
      let mean = values.reduce(0, +) / Double(channels)
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(channels)
      for c in 0..<channels {
        let standard = (x[row * channels + c] - mean) / (variance + 1e-5).squareRoot()
        y[row * channels + c] = standard * weight[c] + bias[c]
      }
    }
    return y
  }

  func leaky(_ x: Values) -> Values { x.map { $0 > 0 ? $0 : 0.01 * $0 } }
  func sum(_ a: Values, _ b: Values) -> Values { zip(a, b).map { $0 + $1 } }

  // MARK: Blocks

  func tokenResidual(_ x: Values, _ name: String, grid: Grid, channels: Int) -> Values {
    func convolved(_ x: Values, _ index: Int) -> Values {
      batchNorm(
        cube(x, "\(name).conv\(index).conv", grid: grid, inputs: channels, outputs: channels),
        "\(name).norm\(index)", channels: channels)
    }
    return leaky(sum(convolved(leaky(convolved(x, 1)), 2), x))
  }

  func volumeResidual(
    _ x: Values, _ name: String, grid: Grid, inputs: Int, outputs: Int
  ) -> Values {
    func instance(_ x: Values) -> Values { normalised(x, channels: outputs, groups: outputs) }
    let first = leaky(
      instance(cube(x, "\(name).conv1.conv", grid: grid, inputs: inputs, outputs: outputs)))
    let second = instance(
      cube(first, "\(name).conv2.conv", grid: grid, inputs: outputs, outputs: outputs))
    let shortcut =
      inputs == outputs
      ? x : instance(linear(x, parameter("\(name).conv3.conv.weight"), inputs: inputs))
    return leaky(sum(second, shortcut))
  }

  /// With dropout, `factors` of each channel of each sample.
  func transformer(
    _ x: Values, _ name: String, grid: Grid, channels: Int, projection: Int, factors: Values = []
  ) -> Values {
    let (position, gamma) = (parameter("\(name).pos_embed"), parameter("\(name).gamma"))
    let placed = x.indices.map { x[$0] + position[$0 % position.count] }
    let attended = attention(
      layerNorm(placed, "\(name).norm", channels: channels), "\(name).epa_block",
      channels: channels, projection: projection)
    let joined = placed.indices.map { placed[$0] + gamma[$0 % channels] * attended[$0] }
    var result = joined
    for index in 1...(kind == .acdc || kind == .lung ? 2 : 1) {
      result = tokenResidual(result, "\(name).conv5\(index)", grid: grid, channels: channels)
    }
    if !factors.isEmpty {
      let size = grid.voxels * channels
      for i in result.indices { result[i] *= factors[i / size * channels + i % channels] }
    }
    let last = linear(
      result, parameter("\(name).conv8.1.weight"), parameter("\(name).conv8.1.bias"),
      inputs: channels)
    return sum(joined, last)
  }

  /// Planar logits [batch][classes][voxels].
  func head(_ x: Values, _ name: String, channels: Int) -> Values {
    let rows = linear(
      x, parameter("\(name).weight"), parameter("\(name).bias"), inputs: channels)
    let classes = parameter("\(name).bias").count
    let voxels = rows.count / classes / batch
    var y = rows
    for sample in 0..<batch {
      for voxel in 0..<voxels {
        for k in 0..<classes {
          y[(sample * classes + k) * voxels + voxel] =
            rows[(sample * voxels + voxel) * classes + k]
        }
      }
    }
    return y
  }
}

extension DoubleReference {
  /// Efficient paired attention as the reference implementation writes it: queries, keys and both
  /// values of all tokens, norms along the tokens, and the memory of the spatial attention's output
  /// ([d][h][N]) read as N x C.
  func attention(_ x: Values, _ name: String, channels: Int, projection: Int) -> Values {
    let size = x.count / batch
    return (0..<batch).flatMap {
      attentionOfSample(
        Array(x[$0 * size..<($0 + 1) * size]), name, channels: channels, projection: projection)
    }
  }

  private func attentionOfSample(
    _ x: Values, _ name: String, channels c: Int, projection p: Int
  ) -> Values {
    let (n, d) = (x.count / c, c / heads)
    let all = linear(x, parameter("\(name).qkvv.weight"), inputs: c)
    // Of one of the four, head and channel: its values along the tokens.
    func row(_ s: Int, _ channel: Int) -> Values {
      (0..<n).map { all[$0 * 4 * c + s * c + channel] }
    }
    func normed(_ x: Values) -> Values {
      let norm = max(1e-12, x.reduce(0) { $0 + $1 * $1 }.squareRoot())
      return x.map { $0 / norm }
    }
    let queries = (0..<c).map { normed(row(0, $0)) }
    let keys = (0..<c).map { normed(row(1, $0)) }
    let projectedKeys = (0..<c).map { project(row(1, $0), name, isKey: true, projection: p) }
    let projectedValues = (0..<c).map { project(row(3, $0), name, isKey: false, projection: p) }
    var channelPart = Values(repeating: 0, count: n * c)
    var spatialPart = Values(repeating: 0, count: n * c)
    for head in 0..<heads {
      let (one, two) = (
        parameter("\(name).temperature")[head], parameter("\(name).temperature2")[head]
      )
      let members = head * d..<(head + 1) * d
      let valueRows = members.map { row(2, $0) }
      for i in members {
        let weights = softmax(members.map { dot(queries[i], keys[$0]) * one })
        for token in 0..<n {
          channelPart[token * c + i] = zip(weights, valueRows).reduce(0) { $0 + $1.0 * $1.1[token] }
        }
      }
      for token in 0..<n {
        let weights = softmax(
          (0..<p).map { key in
            members.reduce(0) { $0 + queries[$1][token] * projectedKeys[$1][key] } * two
          })
        for (j, channel) in members.enumerated() {
          spatialPart[(j * heads + head) * n + token] = dot(weights, projectedValues[channel])
        }
      }
    }
    return combined(channelPart, spatialPart, name, channels: c)
  }

  /// Both attentions' projections side by side, or their sum.
  private func combined(
    _ channelPart: Values, _ spatialPart: Values, _ name: String, channels c: Int
  ) -> Values {
    guard kind != .tumor else { return sum(channelPart, spatialPart) }
    let spatial = linear(
      spatialPart, parameter("\(name).out_proj.weight"), parameter("\(name).out_proj.bias"),
      inputs: c)
    let channel = linear(
      channelPart, parameter("\(name).out_proj2.weight"), parameter("\(name).out_proj2.bias"),
      inputs: c)
    var both: Values = []
    for token in 0..<spatialPart.count / c {
      let half = token * c / 2..<(token + 1) * c / 2
      both += spatial[half]
      both += channel[half]
    }
    return both
  }

  private func project(_ x: Values, _ name: String, isKey: Bool, projection p: Int) -> Values {
    if kind == .tumor {
      let weights = parameter("\(name).EF")
      return (0..<p).map { i in x.indices.reduce(0) { $0 + x[$1] * weights[$1 * p + i] } }
    }
    let letter = isKey || kind == .synapse ? "E" : "F"
    return linear(
      x, parameter("\(name).\(letter).weight"), parameter("\(name).\(letter).bias"),
      inputs: x.count)
  }

  private func dot(_ a: Values, _ b: Values) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

  private func softmax(_ x: Values) -> Values {
    let largest = x.max() ?? 0
    let exponentials = x.map { exp($0 - largest) }
    let sum = exponentials.reduce(0, +)
    return exponentials.map { $0 / sum }
  }
}
