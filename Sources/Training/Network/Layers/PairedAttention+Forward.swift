import Tensors

extension PairedAttention {
  /// What is summed over tokens: q kᵀ of every head, squares of q and of k, E X, F X.
  private var sumCount: Int {
    channels * headChannels + 2 * channels + 2 * projection * channels
  }

  private var forwardScratch: Int {
    let c = channels
    return Scratch.size(
      batch * (blocks + 1) * sumCount, PackedMatrix.count(inner: c, columns: c),
      PackedMatrix.count(inner: c, columns: c), PackedMatrix.count(inner: c, columns: c / 2))
      + batch * Scratch.size(PackedMatrix.count(inner: c, columns: channelColumns))
  }

  /// The floats of scratch of `forward` and `backward`.
  var scratch: Int { max(forwardScratch, backwardScratch) }

  /// output (batch x N x C) = residual + gamma * EPA(x).
  func forward(
    _ x: UnsafePointer<Float>, plus residual: UnsafePointer<Float>,
    into output: UnsafeMutablePointer<Float>, scratch: Scratch, _ pass: Pass
  ) {
    var scratch = scratch
    let (c, compute) = (channels, pass.compute)
    let small = (0..<batch).map { smallMatrices(sample: $0, pass) }
    let maps = small.map { _ in compute.matrix(inner: c, columns: channelColumns, &scratch) }
    compute.timed("attention, forward: q, k and sums over tokens") {
      sumOverTokens(x, small, scratch: scratch, pass)
    }
    compute.timed("attention, forward: matrices without tokens") {
      compute.run(blocks: batch) { sample, _ in
        channelAttention(small[sample], pass)
        projectKeysAndValues(small[sample], pass)
        maps[sample].pack(small[sample].outputMap)
      }
    }
    compute.timed("attention, forward: spatial") {
      run(compute) { sample, _, first, count, _ in
        compute.attend(
          part(queries, sample, pass), keys: small[sample].scaledKeys, values: small[sample].values,
          into: part(spatial, sample, pass), first: first, count: count, tokens: tokens,
          channels: c, heads: heads, projection: projection)
      }
    }
    compute.timed("attention, forward: output") {
      combine(x, maps, plus: residual, into: output, scratch: scratch, pass)
    }
  }

  /// Queries and keys of all tokens, and what is summed over tokens.
  private func sumOverTokens(
    _ x: UnsafePointer<Float>, _ small: [SmallMatrices], scratch: Scratch, _ pass: Pass
  ) {
    var scratch = scratch
    let (c, p, compute) = (channels, projection, pass.compute)
    let size = sumCount
    let (square, flat) = (c * headChannels, c * p)
    let sums = scratch.take(batch * (blocks + 1) * size)
    let maps = (0..<2).map { _ in compute.matrix(inner: c, columns: c, &scratch) }
    compute.run(blocks: 2) { s, _ in maps[s].pack(pass.values(weights(s))) }
    run(compute) { sample, block, first, count, _ in
      let sum = sums + (sample * (blocks + 1) + block) * size
      let rows = x + (sample * tokens + first) * c
      let results = [queries, keys].map { part($0, sample, pass) + first * c }
      for (s, result) in results.enumerated() {
        compute.product(maps[s], rows, into: result, stride: c, count: count)  // (n x C) · (C x C)
        compute.sumSquares(result, into: sum + square + s * c, count: count, channels: c)
      }
      compute.headProducts(
        results[0], results[1], into: sum, count: count, channels: c, headChannels: headChannels)
      let projected = sum + square + 2 * c
      for (place, result) in [(e, projected), (f, projected + flat)] {
        if place == e, result != projected { continue }  // shared
        compute.outerProducts(  // (P x n) · (n x C)
          pass.values(place) + first * projectorStride, stride: projectorStride,
          rowStride: projectionStride, rows: p, rows, stride: c, columns: c, count: count,
          into: result, stride: c)
      }
    }
    compute.run(blocks: batch) { sample, _ in
      let parts = sums + sample * (blocks + 1) * size
      let total = parts + blocks * size
      Compute.addUpHere(parts, blocks: blocks, size: size, into: total)
      let small = small[sample]
      small.products.update(from: total, count: square)
      for channel in 0..<c {
        small.queryNorms[channel] = total[square + channel].squareRoot()
        small.keyNorms[channel] = total[square + c + channel].squareRoot()
      }
      small.projectedE.update(from: total + square + 2 * c, count: flat)
      small.projectedF.update(
        from: total + square + 2 * c + (e == f ? 0 : flat), count: flat)
    }
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

  /// Both attentions' projections side by side (C/2 channels each), or their sum; times gamma, with the
  /// residual.
  private func combine(
    _ x: UnsafePointer<Float>, _ maps: [PackedMatrix], plus residual: UnsafePointer<Float>,
    into output: UnsafeMutablePointer<Float>, scratch: Scratch, _ pass: Pass
  ) {
    var scratch = scratch
    let (c, compute) = (channels, pass.compute)
    let spatialMap = compute.matrix(inner: c, columns: c / 2, &scratch)
    if let spatialOutput { spatialMap.pack(pass.values(spatialOutput.weight)) }
    run(compute) { sample, _, first, count, _ in
      let place = (sample * tokens + first) * c
      let (rows, output, residual) = (x + place, output + place, residual + place)
      let gamma = UnsafePointer(pass.values(gamma))
      let spatial = part(spatial, sample, pass) + first * c
      guard let spatialOutput, let channelOutput else {
        return compute.product(  // (n x C) · (C x C)
          maps[sample], rows, into: output, stride: c, count: count, extra: spatial, scale: gamma,
          residual: residual)
      }
      compute.product(  // (n x C) · (C x C/2)
        spatialMap, spatial, into: output, stride: c, count: count,
        bias: pass.values(spatialOutput.bias), scale: gamma, residual: residual)
      compute.product(  // (n x C) · (C x C/2)
        maps[sample], rows, into: output + c / 2, stride: c, count: count,
        bias: pass.values(channelOutput.bias), scale: gamma + c / 2, residual: residual + c / 2)
    }
  }
}
