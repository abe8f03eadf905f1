import Tensors

extension PairedAttention {
  /// What the first pass over tokens sums: G = dOᵀ X of the channel part ([C/2 or C] x C), the
  /// gradient of the spatial output projection (C/2 x C), of scaled keys and of values (C x P).
  private var firstSums: Int {
    channelColumns * channels + (spatialOutput == nil ? 0 : channels / 2 * channels)
      + 2 * channels * projection
  }
  /// What the second one sums: the gradients of the weights of q and k (C x C).
  private var secondSums: Int { 2 * channels * channels }
  private var workerCount: Int {
    max(
      tokensOfBlock * channels,
      Compute.attendGradientScratch(
        count: tokensOfBlock, channels: channels, heads: heads, projection: projection))
  }

  var backwardScratch: Int {
    let count = tokens * channels
    return Scratch.size(
      count, count, (blocks + 1) * max(firstSums, secondSums), threads * workerCount)
      + SmallGradients.count(channels: channels, headChannels: headChannels, projection: projection)
  }

  /// dx (batch x N x C) from the gradient of the output; adds to the parameters' gradients.
  func backward(
    _ x: UnsafePointer<Float>, _ gradient: UnsafePointer<Float>,
    into dx: UnsafeMutablePointer<Float>, scratch: Scratch, _ pass: Pass
  ) {
    addOutputBiases(gradient, pass)
    for sample in 0..<batch {
      let first = sample * tokens * channels
      var scratch = scratch
      let step = Step(
        x: x + first, gradient: gradient + first, dx: dx + first,
        queries: UnsafePointer(pass.arena[queries] + first),
        keys: UnsafePointer(pass.arena[keys] + first),
        spatial: UnsafePointer(pass.arena[spatial] + first),
        small: smallMatrices(sample: sample, pass),
        spatialGradient: scratch.take(tokens * channels),
        queryGradient: scratch.take(tokens * channels),
        sums: scratch.take((blocks + 1) * max(firstSums, secondSums)),
        workers: scratch.take(threads * workerCount),
        gradients: SmallGradients(
          &scratch, channels: channels, headChannels: headChannels, projection: projection))
      let compute = pass.compute
      compute.timed("attention, gradient: spatial and sums") { firstPass(step, pass) }
      compute.timed("attention, gradient: matrices without tokens") {
        takeFirstSums(step, pass)
        channelAttentionBackward(step, pass)
        keysAndValuesBackward(step, pass)
      }
      compute.timed("attention, gradient: q, k, E and F") { secondPass(step, pass) }
    }
  }

  /// What one sample's backward pass works on.
  private struct Step {
    let x, gradient: UnsafePointer<Float>  // N x C
    let dx: UnsafeMutablePointer<Float>  // N x C
    let queries, keys, spatial: UnsafePointer<Float>  // N x C; the last [d][h][N]
    let small: SmallMatrices
    let spatialGradient: UnsafeMutablePointer<Float>  // N x C, read as [d][h][N]
    let queryGradient: UnsafeMutablePointer<Float>  // N x C
    let sums, workers: UnsafeMutablePointer<Float>
    let gradients: SmallGradients
  }

  private func addOutputBiases(_ gradient: UnsafePointer<Float>, _ pass: Pass) {
    guard let spatialOutput, let channelOutput else { return }
    let (c, half) = (channels, channels / 2)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: c) { sums in
      guard let sums = sums.baseAddress else { return }
      sums.initialize(repeating: 0, count: c)
      pass.compute.addColumnSums(gradient, rows: batch * tokens, channels: c, to: sums)
      for i in 0..<half {
        pass.gradients(spatialOutput.bias)[i] += sums[i]
        pass.gradients(channelOutput.bias)[i] += sums[half + i]
      }
    }
  }

  /// Gradients of the spatial attention's output for all tokens (their layout mixes tokens), then,
  /// block by block: dx through the channel attention's map, dq through the spatial attention, and
  /// the sums.
  private func firstPass(_ step: Step, _ pass: Pass) {
    let (c, half) = (channels, channels / 2)
    run(pass.compute) { _, first, count, _ in
      guard let spatialOutput else {
        (step.spatialGradient + first * c).update(from: step.gradient + first * c, count: count * c)
        return
      }
      multiply(  // (n x C/2) · (C/2 x C)
        Matrix(step.gradient + first * c, stride: c),
        Matrix(pass.values(spatialOutput.weight), stride: c),
        into: step.spatialGradient + first * c, stride: c, rows: count, columns: c, inner: half)
    }
    run(pass.compute) { block, first, count, worker in
      let sums = step.sums + block * firstSums
      let columns = channelColumns
      let gradient = step.gradient + first * c
      let ofChannels = Matrix(gradient + (c - columns), stride: c)
      multiply(  // (n x C/2) · (C/2 x C)
        ofChannels, Matrix(step.small.outputMap, stride: c), into: step.dx + first * c, stride: c,
        rows: count, columns: c, inner: columns)
      pass.compute.outerProducts(  // (C/2 x n) · (n x C)
        gradient + (c - columns), stride: c, rows: columns, step.x + first * c, stride: c,
        columns: c, count: count, into: sums, stride: c)
      var rest = sums + columns * c
      if spatialOutput != nil {
        pass.compute.outerProducts(  // (C/2 x n) · (n x C)
          gradient, stride: c, rows: half, step.spatial + first * c, stride: c, columns: c,
          count: count, into: rest, stride: c)
        rest += half * c
      }
      pass.compute.attendGradient(
        step.queries, keys: step.small.scaledKeys, values: step.small.values,
        gradient: step.spatialGradient, queryGradient: step.queryGradient, keySums: rest,
        valueSums: rest + c * projection, scratch: step.workers + worker * workerCount,
        first: first, count: count, tokens: tokens, channels: c, heads: heads,
        projection: projection)
    }
  }

  private func takeFirstSums(_ step: Step, _ pass: Pass) {
    let (c, compute) = (channels, pass.compute)
    let total = step.sums + blocks * firstSums
    compute.addUp(step.sums, blocks: blocks, size: firstSums, into: total)
    step.gradients.products.update(from: total, count: channelColumns * c)
    var rest = total + channelColumns * c
    if let spatialOutput {
      compute.add(rest, to: pass.gradients(spatialOutput.weight), count: c / 2 * c)
      rest += c / 2 * c
    }
    step.gradients.scaledKeys.update(from: rest, count: c * projection)
    step.gradients.values.update(from: rest + c * projection, count: c * projection)
  }

  /// From G = dOᵀ X to the gradients of the output projection, of v, the temperature, and of q kᵀ.
  private func channelAttentionBackward(_ step: Step, _ pass: Pass) {
    let (c, d) = (channels, headChannels)
    let (small, gradients) = (step.small, step.gradients)
    var mapGradient = gradients.products  // C x C
    if let channelOutput {
      multiply(  // (C/2 x C) · (C x C)
        Matrix(gradients.products, stride: c), Matrix(small.channelMap, stride: c).transposed,
        into: pass.gradients(channelOutput.weight), stride: c, rows: c / 2, columns: c, inner: c,
        beta: 1)
      multiply(  // (C x C/2) · (C/2 x C)
        Matrix(pass.values(channelOutput.weight), stride: c).transposed,
        Matrix(gradients.products, stride: c), into: gradients.channelMap, stride: c, rows: c,
        columns: c, inner: c / 2)
      mapGradient = gradients.channelMap
    }
    for head in 0..<heads {
      let map = Matrix(mapGradient + head * d * c, stride: c)
      let attention = small.attention + head * d * d
      multiply(  // (d x d) · (d x C)
        Matrix(attention, stride: d).transposed, map,
        into: pass.gradients(weights(2, head: head)), stride: c, rows: d, columns: c, inner: d,
        beta: 1)
      multiply(  // (d x C) · (C x d)
        map, Matrix(pass.values(weights(2, head: head)), stride: c).transposed,
        into: gradients.attention + head * d * d, stride: d, rows: d, columns: d, inner: c)
    }
    pass.compute.softmaxGradient(small.attention, gradients.attention, rows: c, columns: d)
    for channel in 0..<c { (gradients.queryNorms[channel], gradients.keyNorms[channel]) = (0, 0) }
    for row in 0..<c {
      let head = row / d
      let norm = max(Self.leastNorm, small.queryNorms[row])
      for j in 0..<d {
        let (place, column) = (row * d + j, head * d + j)
        let keyNorm = max(Self.leastNorm, small.keyNorms[column])
        let gradient = gradients.attention[place]
        pass.gradients(temperature)[head] += gradient * small.cosines[place]
        let ofCosine = gradient * pass.values(temperature)[head]
        gradients.queryNorms[row] -= ofCosine * small.cosines[place] / norm
        gradients.keyNorms[column] -= ofCosine * small.cosines[place] / keyNorm
        gradients.attention[place] = ofCosine / (norm * keyNorm)  // of q kᵀ
      }
    }
  }

  /// From the gradients of scaled keys and values to those of the temperature, the projections'
  /// biases, the weights of k and v, and of E X and F X.
  private func keysAndValuesBackward(_ step: Step, _ pass: Pass) {
    let (c, d, p) = (channels, headChannels, projection)
    let (small, gradients) = (step.small, step.gradients)
    for channel in 0..<c {
      let norm = max(Self.leastNorm, small.queryNorms[channel])
      let scale = pass.values(temperature2)[channel / d] / norm
      var ofScale: Float = 0
      for i in channel * p..<(channel + 1) * p {
        ofScale += gradients.scaledKeys[i] * small.projectedKeys[i]
        gradients.scaledKeys[i] *= scale  // of the projected keys
      }
      pass.gradients(temperature2)[channel / d] += ofScale / norm
      gradients.queryNorms[channel] -= ofScale * scale / norm
    }
    for (s, projected, bias, gradient, result) in [
      (1, small.projectedE, eBias, gradients.scaledKeys, gradients.projectedE),
      (3, small.projectedF, fBias, gradients.values, gradients.projectedF),
    ] {
      multiply(  // (C x P) · (P x C)
        Matrix(gradient, stride: p), Matrix(projected, stride: c),
        into: pass.gradients(weights(s)), stride: c, rows: c, columns: c, inner: p, beta: 1)
      multiply(  // (P x C) · (C x C)
        Matrix(gradient, stride: p).transposed, Matrix(pass.values(weights(s)), stride: c),
        into: result, stride: c, rows: p, columns: c, inner: c)
      guard let bias else { continue }
      for channel in 0..<c {
        for i in 0..<p { pass.gradients(bias)[i] += gradient[channel * p + i] }
      }
    }
    // Where a norm is below its bound, the bound divides and has no gradient.
    for channel in 0..<c {
      scaleNormGradient(gradients.queryNorms + channel, norm: small.queryNorms[channel])
      scaleNormGradient(gradients.keyNorms + channel, norm: small.keyNorms[channel])
    }
  }

  /// The gradient of a norm becomes the factor of the vector in the vector's gradient.
  private func scaleNormGradient(_ gradient: UnsafeMutablePointer<Float>, norm: Float) {
    gradient.pointee = norm > Self.leastNorm ? gradient.pointee / norm : 0
  }

  /// Block by block: dq and dk through q kᵀ and the norms; dx through q, k, E and F; the gradients of
  /// E and F, and the sums of those of q's and k's weights.
  private func secondPass(_ step: Step, _ pass: Pass) {
    let (c, d, p) = (channels, headChannels, projection)
    run(pass.compute) { block, first, count, worker in
      let queryGradient = step.queryGradient + first * c
      let keyGradient = step.workers + worker * workerCount
      let (queries, keys) = (step.queries + first * c, step.keys + first * c)
      for head in 0..<heads {
        let products = Matrix(step.gradients.attention + head * d * d, stride: d)
        multiply(  // (n x d) · (d x d)
          Matrix(keys + head * d, stride: c), products.transposed,
          into: queryGradient + head * d, stride: c, rows: count, columns: d, inner: d, beta: 1)
        multiply(  // (n x d) · (d x d)
          Matrix(queries + head * d, stride: c), products, into: keyGradient + head * d,
          stride: c, rows: count, columns: d, inner: d)
      }
      pass.compute.scaleRows(
        queries, by: step.gradients.queryNorms, plus: queryGradient, into: queryGradient,
        rows: count, channels: c)
      pass.compute.scaleRows(
        keys, by: step.gradients.keyNorms, plus: keyGradient, into: keyGradient, rows: count,
        channels: c)
      let x = Matrix(step.x + first * c, stride: c)
      let dx = step.dx + first * c
      for (s, gradient) in [(0, queryGradient), (1, keyGradient)] {
        multiply(  // (n x C) · (C x C)
          Matrix(gradient, stride: c), Matrix(pass.values(weights(s)), stride: c), into: dx,
          stride: c, rows: count, columns: c, inner: c, beta: 1)
        pass.compute.outerProducts(  // (C x n) · (n x C)
          gradient, stride: c, rows: c, step.x + first * c, stride: c, columns: c, count: count,
          into: step.sums + block * secondSums + s * c * c, stride: c)
      }
      for (place, projected) in [
        (e, step.gradients.projectedE), (f, step.gradients.projectedF),
      ] {
        multiply(  // (n x P) · (P x C)
          projector(pass.values(place), first: first).transposed, Matrix(projected, stride: c),
          into: dx, stride: c, rows: count, columns: c, inner: p, beta: 1)
        addProjectorGradient(place, projected, x, first: first, count: count, pass)
      }
    }
    pass.compute.addUp(
      step.sums, blocks: blocks, size: secondSums,
      addedTo: pass.gradients(weights(0)))  // q's weights, then k's
  }

  /// The gradient of E or F for a block of tokens, whose columns (rows of EF) no other block has.
  private func addProjectorGradient(
    _ place: Range<Int>, _ projected: UnsafePointer<Float>, _ x: Matrix, first: Int, count: Int,
    _ pass: Pass
  ) {
    let (c, p, gradient) = (channels, projection, pass.gradients(place))
    let small = Matrix(projected, stride: c)
    if kind.hasOutputProjections {
      multiply(  // (P x C) · (C x n)
        small, x.transposed, into: gradient + first, stride: tokens, rows: p, columns: count,
        inner: c, beta: 1)
    } else {
      multiply(  // (n x C) · (C x P)
        x, small.transposed, into: gradient + first * p, stride: p, rows: count, columns: p,
        inner: c, beta: 1)
    }
  }
}

/// Gradients of what has no token axis.
struct SmallGradients {
  let products: UnsafeMutablePointer<Float>  // G, at most C x C
  let channelMap: UnsafeMutablePointer<Float>  // C x C
  let attention: UnsafeMutablePointer<Float>  // h x d x d
  let queryNorms, keyNorms: UnsafeMutablePointer<Float>  // C
  let scaledKeys, values: UnsafeMutablePointer<Float>  // C x P
  let projectedE, projectedF: UnsafeMutablePointer<Float>  // P x C

  static func count(channels: Int, headChannels: Int, projection: Int) -> Int {
    let (square, flat) = (channels * channels, channels * projection)
    return Scratch.size(
      square, square, channels * headChannels, channels, channels, flat, flat, flat, flat)
  }

  init(_ scratch: inout Scratch, channels: Int, headChannels: Int, projection: Int) {
    let (square, flat) = (channels * channels, channels * projection)
    products = scratch.take(square)
    channelMap = scratch.take(square)
    attention = scratch.take(channels * headChannels)
    queryNorms = scratch.take(channels)
    keyNorms = scratch.take(channels)
    scaledKeys = scratch.take(flat)
    values = scratch.take(flat)
    projectedE = scratch.take(flat)
    projectedF = scratch.take(flat)
  }
}
