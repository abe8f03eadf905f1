import Tensors

extension PairedAttention {
  /// What is summed over tokens: q kᵀ of every head, squares of q and of k, E X, F X.
  private var sumCount: Int {
    channels * headChannels + 2 * channels + 2 * projection * channels
  }

  private var forwardScratch: Int {
    Scratch.size((blocks + 1) * sumCount)
  }

  /// The floats of scratch of `forward` and `backward`.
  var scratch: Int { max(forwardScratch, backwardScratch) }

  /// output (batch x N x C) = EPA(x).
  func forward(
    _ x: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>, scratch: Scratch,
    _ pass: Pass
  ) {
    for sample in 0..<batch {
      let first = sample * tokens * channels
      let small = smallMatrices(sample: sample, pass)
      let (queries, keys) = (pass.arena[queries] + first, pass.arena[keys] + first)
      let spatial = pass.arena[spatial] + first
      let compute = pass.compute
      compute.timed("attention, forward: q, k and sums over tokens") {
        sumOverTokens(x + first, queries, keys, small, scratch: scratch, pass)
      }
      compute.timed("attention, forward: matrices without tokens") {
        channelAttention(small, pass)
        projectKeysAndValues(small, pass)
      }
      compute.timed("attention, forward: spatial") {
        run(compute) { _, first, count, _ in
          compute.attend(
            queries, keys: small.scaledKeys, values: small.values, into: spatial, first: first,
            count: count, tokens: tokens, channels: channels, heads: heads, projection: projection)
        }
      }
      compute.timed("attention, forward: output") {
        combine(x + first, spatial, small, into: output + first, pass)
      }
    }
  }

  /// Queries and keys of all tokens, and what is summed over tokens.
  private func sumOverTokens(
    _ x: UnsafePointer<Float>, _ queries: UnsafeMutablePointer<Float>,
    _ keys: UnsafeMutablePointer<Float>, _ small: SmallMatrices, scratch: Scratch, _ pass: Pass
  ) {
    var scratch = scratch
    let (c, p, compute) = (channels, projection, pass.compute)
    let size = sumCount
    let (square, flat) = (c * headChannels, c * p)
    let sums = scratch.take((blocks + 1) * size)
    run(compute) { block, first, count, _ in
      let sum = sums + block * size
      let rows = Matrix(x + first * c, stride: c)
      for (s, result) in [(0, queries + first * c), (1, keys + first * c)] {
        multiply(  // (n x C) · (C x C)
          rows, Matrix(pass.values(weights(s)), stride: c).transposed, into: result, stride: c,
          rows: count, columns: c, inner: c)
        compute.sumSquares(result, into: sum + square + s * c, count: count, channels: c)
      }
      compute.headProducts(
        queries + first * c, keys + first * c, into: sum, count: count, channels: c,
        headChannels: headChannels)
      let projected = sum + square + 2 * c
      for (place, result) in [(e, projected), (f, projected + flat)] {
        if place == e, result != projected { continue }  // shared
        compute.outerProducts(  // (P x n) · (n x C)
          pass.values(place) + first * projectorStride, stride: projectorStride,
          rowStride: kind.hasOutputProjections ? tokens : 1, rows: p, x + first * c, stride: c,
          columns: c, count: count, into: result, stride: c)
      }
    }
    let total = sums + blocks * size
    compute.addUp(sums, blocks: blocks, size: size, into: total)
    small.products.update(from: total, count: square)
    for channel in 0..<c {
      small.queryNorms[channel] = total[square + channel].squareRoot()
      small.keyNorms[channel] = total[square + c + channel].squareRoot()
    }
    small.projectedE.update(from: total + square + 2 * c, count: flat)
    small.projectedF.update(
      from: total + square + 2 * c + (e == f ? 0 : flat), count: flat)
  }

  private func channelAttention(_ small: SmallMatrices, _ pass: Pass) {
    let (c, d) = (channels, headChannels)
    let temperature = pass.values(temperature)
    for row in 0..<c {
      let inverse = 1 / max(Self.leastNorm, small.queryNorms[row])
      for j in 0..<d {
        let norm = max(Self.leastNorm, small.keyNorms[row / d * d + j])
        small.cosines[row * d + j] = small.products[row * d + j] * (inverse / norm)
        small.attention[row * d + j] = small.cosines[row * d + j] * temperature[row / d]
      }
    }
    pass.compute.softmax(small.attention, rows: c, columns: d)
    for head in 0..<heads {
      multiply(  // (d x d) · (d x C)
        Matrix(small.attention + head * d * d, stride: d),
        Matrix(pass.values(weights(2, head: head)), stride: c),
        into: small.channelMap + head * d * c, stride: c, rows: d, columns: c, inner: d)
    }
    guard let channelOutput else {
      return small.outputMap.update(from: small.channelMap, count: c * c)
    }
    multiply(  // (C/2 x C) · (C x C)
      Matrix(pass.values(channelOutput.weight), stride: c), Matrix(small.channelMap, stride: c),
      into: small.outputMap, stride: c, rows: c / 2, columns: c, inner: c)
  }

  private func projectKeysAndValues(_ small: SmallMatrices, _ pass: Pass) {
    let (c, d, p) = (channels, headChannels, projection)
    for (s, projected, bias, result) in [
      (1, small.projectedE, eBias, small.projectedKeys),
      (3, small.projectedF, fBias, small.values),
    ] {
      multiply(  // (C x C) · (C x P)
        Matrix(pass.values(weights(s)), stride: c), Matrix(projected, stride: c).transposed,
        into: result, stride: p, rows: c, columns: p, inner: c)
      guard let bias else { continue }
      let values = pass.values(bias)
      for channel in 0..<c {
        for i in 0..<p { result[channel * p + i] += values[i] }
      }
    }
    let temperature = pass.values(temperature2)
    for channel in 0..<c {
      let scale = temperature[channel / d] / max(Self.leastNorm, small.queryNorms[channel])
      for i in 0..<p {
        small.scaledKeys[channel * p + i] = small.projectedKeys[channel * p + i] * scale
      }
    }
  }

  /// Both attentions' projections side by side (C/2 channels each), or their sum.
  private func combine(
    _ x: UnsafePointer<Float>, _ spatial: UnsafePointer<Float>, _ small: SmallMatrices,
    into output: UnsafeMutablePointer<Float>, _ pass: Pass
  ) {
    let c = channels
    run(pass.compute) { _, first, count, _ in
      let output = output + first * c
      let rows = Matrix(x + first * c, stride: c)
      guard let spatialOutput, let channelOutput else {
        output.update(from: spatial + first * c, count: count * c)
        return multiply(  // (n x C) · (C x C)
          rows, Matrix(small.outputMap, stride: c).transposed, into: output, stride: c,
          rows: count, columns: c, inner: c, beta: 1)
      }
      for row in 0..<count {
        (output + row * c).update(from: pass.values(spatialOutput.bias), count: c / 2)
        (output + row * c + c / 2).update(from: pass.values(channelOutput.bias), count: c / 2)
      }
      multiply(  // (n x C) · (C x C/2)
        Matrix(spatial + first * c, stride: c),
        Matrix(pass.values(spatialOutput.weight), stride: c).transposed, into: output, stride: c,
        rows: count, columns: c / 2, inner: c, beta: 1)
      multiply(  // (n x C) · (C x C/2)
        rows, Matrix(small.outputMap, stride: c).transposed, into: output + c / 2, stride: c,
        rows: count, columns: c / 2, inner: c, beta: 1)
    }
  }
}
