import Tensors

/// Gradients of what has no token axis, of one sample: samples are computed side by side, and what
/// belongs to parameters is added in their order.
struct SmallGradients {
  let products: UnsafeMutablePointer<Float>  // G, at most C x C
  let channelMap: UnsafeMutablePointer<Float>  // C x C
  let attention: UnsafeMutablePointer<Float>  // h x d x d
  let queryNorms, keyNorms: UnsafeMutablePointer<Float>  // C
  let scaledKeys, values: UnsafeMutablePointer<Float>  // C x P
  let projectedE, projectedF: UnsafeMutablePointer<Float>  // P x C
  /// The sample's part of the gradients of k's weights and both v's, of both output projections (C/2 x C),
  /// of the temperatures (C is enough), of the biases of E and F (P) and of gamma.
  let weights: UnsafeMutablePointer<Float>  // [3][C][C]
  let spatialOutput, channelOutput: UnsafeMutablePointer<Float>
  let temperature, temperature2, eBias, fBias: UnsafeMutablePointer<Float>
  let gamma: UnsafeMutablePointer<Float>  // C
  /// C x C, if they are used: Xᵀ X, then the map of X to its gradient; the part of q's weights through it.
  let covariance, queryWeights: UnsafeMutablePointer<Float>

  static func count(
    _ channels: Int, headChannels: Int, projection: Int, covariance: Int
  ) -> Int {
    let (square, flat) = (channels * channels, channels * projection)
    return Scratch.size(
      square, square, channels * headChannels, channels, channels, flat, flat, flat, flat,
      3 * square, square, square, channels, channels, projection, projection, channels, covariance,
      covariance)
  }

  init(
    _ scratch: inout Scratch, _ channels: Int, headChannels: Int, projection: Int, covariance: Int
  ) {
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
    weights = scratch.take(3 * square)
    spatialOutput = scratch.take(square)
    channelOutput = scratch.take(square)
    temperature = scratch.take(channels)
    temperature2 = scratch.take(channels)
    eBias = scratch.take(projection)
    fBias = scratch.take(projection)
    gamma = scratch.take(channels)
    self.covariance = scratch.take(covariance)
    queryWeights = scratch.take(covariance)
  }
}

extension PairedAttention {
  /// Heads whose products of queries and keys are one matrix: as many as fill a vector.
  var headsOfGroup: Int {
    (1...heads).last { heads % $0 == 0 && $0 * headChannels <= 16 } ?? 1
  }
  /// Channels of such a group.
  var group: Int { headsOfGroup * headChannels }

  /// All of one sample, on the calling thread.
  func smallBackward(_ step: Step, _ sample: Int, _ pass: Pass) {
    let (small, gradients) = (step.small[sample], step.gradients[sample])
    gammaBackward(small, gradients, pass)
    channelAttentionBackward(small, gradients, pass)
    keysAndValuesBackward(small, gradients, pass)
    if usesCovariance {
      mapTokens(small, gradients, pass)
      step.tokenMaps[sample].pack(transposeOf: gradients.covariance)
    } else {
      packProducts(step, sample)
    }
  }

  /// The sums of the output's gradient: their products with what multiplies the same values forward are
  /// gamma's gradient, and gamma times them the sums of the gradient of EPA(x).
  private func gammaBackward(_ small: SmallMatrices, _ gradients: SmallGradients, _ pass: Pass) {
    let (c, gamma, ofGamma) = (channels, pass.values(gamma), gradients.gamma)
    for channel in 0..<c { ofGamma[channel] = 0 }
    func take(
      _ sums: UnsafeMutablePointer<Float>, _ map: UnsafePointer<Float>, rows: Range<Int>
    ) {
      for row in rows {
        let first = (row - rows.lowerBound) * c
        ofGamma[row] += Compute.dot(sums + first, map + first, count: c)
        let factor = gamma[row]
        for place in first..<first + c { sums[place] *= factor }
      }
    }
    take(gradients.products, small.outputMap, rows: c - channelColumns..<c)
    guard let spatialOutput else { return }
    take(gradients.spatialOutput, pass.values(spatialOutput.weight), rows: 0..<c / 2)
  }

  /// From G = dOᵀ X to the gradients of the output projection, of v, the temperature, and of q kᵀ.
  private func channelAttentionBackward(
    _ small: SmallMatrices, _ gradients: SmallGradients, _ pass: Pass
  ) {
    let (c, d) = (channels, headChannels)
    var mapGradient = gradients.products  // C x C
    if let channelOutput {
      multiply(  // (C/2 x C) · (C x C)
        Matrix(gradients.products, stride: c), Matrix(small.channelMap, stride: c).transposed,
        into: gradients.channelOutput, stride: c, rows: c / 2, columns: c, inner: c)
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
        into: gradients.weights + (c + head * d) * c, stride: c, rows: d, columns: c, inner: d)
      multiply(  // (d x C) · (C x d)
        map, Matrix(pass.values(weights(2, head: head)), stride: c).transposed,
        into: gradients.attention + head * d * d, stride: d, rows: d, columns: d, inner: c)
    }
    pass.compute.softmaxGradient(small.attention, gradients.attention, rows: c, columns: d)
    cosinesBackward(small, gradients, pass)
  }

  /// From the gradients of the scaled cosines to those of the temperature, the norms and q kᵀ.
  private func cosinesBackward(
    _ small: SmallMatrices, _ gradients: SmallGradients, _ pass: Pass
  ) {
    let (c, d, temperature) = (channels, headChannels, pass.values(temperature))
    for channel in 0..<c { gradients.keyNorms[channel] = 0 }
    for head in 0..<heads { gradients.temperature[head] = 0 }
    for row in 0..<c {
      let (head, first) = (row / d, row / d * d)
      let factor = temperature[head] / max(Self.leastNorm, small.queryNorms[row])
      let (gradient, cosines) = (gradients.attention + row * d, small.cosines + row * d)
      let sum = Compute.dot(gradient, cosines, count: d)
      gradients.temperature[head] += sum
      gradients.queryNorms[row] = -sum * factor
      let (norms, keyNorms) = (small.keyNorms + first, gradients.keyNorms + first)
      for j in 0..<d {
        keyNorms[j] -= gradient[j] * cosines[j] * temperature[head]
        gradient[j] *= factor / max(Self.leastNorm, norms[j])  // of q kᵀ
      }
    }
    for channel in 0..<c {
      gradients.keyNorms[channel] /= max(Self.leastNorm, small.keyNorms[channel])
    }
  }

  /// From the gradients of scaled keys and values to those of the temperature, the projections'
  /// biases, the weights of k and v, and of E X and F X.
  private func keysAndValuesBackward(
    _ small: SmallMatrices, _ gradients: SmallGradients, _ pass: Pass
  ) {
    let (c, d, p) = (channels, headChannels, projection)
    for head in 0..<heads { gradients.temperature2[head] = 0 }
    for channel in 0..<c {
      let norm = max(Self.leastNorm, small.queryNorms[channel])
      let scale = pass.values(temperature2)[channel / d] / norm
      var ofScale: Float = 0
      for i in channel * p..<(channel + 1) * p {
        ofScale += gradients.scaledKeys[i] * small.projectedKeys[i]
        gradients.scaledKeys[i] *= scale  // of the projected keys
      }
      gradients.temperature2[channel / d] += ofScale / norm
      gradients.queryNorms[channel] -= ofScale * scale / norm
    }
    for (s, projected, bias, gradient, result) in [
      (1, small.projectedE, gradients.eBias, gradients.scaledKeys, gradients.projectedE),
      (3, small.projectedF, gradients.fBias, gradients.values, gradients.projectedF),
    ] {
      multiply(  // (C x P) · (P x C)
        Matrix(gradient, stride: p), Matrix(projected, stride: c),
        into: gradients.weights + (s - 1) * c * c, stride: c, rows: c, columns: c, inner: p)
      multiply(  // (P x C) · (C x C)
        Matrix(gradient, stride: p).transposed, Matrix(pass.values(weights(s)), stride: c),
        into: result, stride: c, rows: p, columns: c, inner: c)
      for i in 0..<p { bias[i] = 0 }
      for channel in 0..<c {
        for i in 0..<p { bias[i] += gradient[channel * p + i] }
      }
    }
    if e == f {
      for i in 0..<p * c { gradients.projectedE[i] += gradients.projectedF[i] }
    }
    // Where a norm is below its bound, the bound divides and has no gradient.
    for channel in 0..<c {
      scaleNormGradient(gradients.queryNorms + channel, norm: small.queryNorms[channel])
      scaleNormGradient(gradients.keyNorms + channel, norm: small.keyNorms[channel])
    }
  }

  /// With A the gradient of q kᵀ and n, m those of the norms, dq = dq of the spatial attention + U x with
  /// U = A Wk + n Wq, and dk = V x with V = Aᵀ Wq + m Wk: dx gets Uᵀ Wq + Vᵀ Wk, and the weights of q and k
  /// get U Xᵀ X and V Xᵀ X.
  private func mapTokens(_ small: SmallMatrices, _ gradients: SmallGradients, _ pass: Pass) {
    let (c, d) = (channels, headChannels)
    let (u, v) = (gradients.channelMap, gradients.products)  // free by now
    let (ofQueries, ofKeys) = (pass.values(weights(0)), pass.values(weights(1)))
    for head in 0..<heads {
      let (a, first) = (Matrix(gradients.attention + head * d * d, stride: d), head * d * c)
      multiply(  // (d x d) · (d x C)
        a, Matrix(ofKeys + first, stride: c), into: u + first, stride: c, rows: d, columns: c,
        inner: d)
      multiply(
        a.transposed, Matrix(ofQueries + first, stride: c), into: v + first, stride: c, rows: d,
        columns: c, inner: d)
    }
    for row in 0..<c {
      let (n, m) = (gradients.queryNorms[row], gradients.keyNorms[row])
      for place in row * c..<(row + 1) * c {
        u[place] += n * ofQueries[place]
        v[place] += m * ofKeys[place]
      }
    }
    for (map, weights, beta) in [
      (u, gradients.queryWeights, Float(0)), (v, gradients.weights, 1),
    ] {
      multiply(  // (C x C) · (C x C)
        Matrix(map, stride: c), Matrix(gradients.covariance, stride: c), into: weights, stride: c,
        rows: c, columns: c, inner: c, beta: beta)
    }
    for (map, weights, beta) in [(u, ofQueries, Float(0)), (v, ofKeys, 1)] {
      multiply(  // (C x C) · (C x C)
        Matrix(map, stride: c).transposed, Matrix(weights, stride: c), into: gradients.covariance,
        stride: c, rows: c, columns: c, inner: c, beta: beta)
    }
  }

  /// The gradient of a norm becomes the factor of the vector in the vector's gradient.
  private func scaleNormGradient(_ gradient: UnsafeMutablePointer<Float>, norm: Float) {
    gradient.pointee = norm > Self.leastNorm ? gradient.pointee / norm : 0
  }

  /// The gradients of q kᵀ of the heads of each group as one matrix, and its transpose.
  private func packProducts(_ step: Step, _ sample: Int) {
    let (d, width) = (headChannels, group)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: width * width) { matrix in
      guard let matrix = matrix.baseAddress else { return }
      matrix.initialize(repeating: 0, count: width * width)
      for index in 0..<heads / headsOfGroup {
        for member in 0..<headsOfGroup {
          let head = step.gradients[sample].attention + (index * headsOfGroup + member) * d * d
          for i in 0..<d {
            (matrix + (member * d + i) * width + member * d).update(from: head + i * d, count: d)
          }
        }
        step.queryProducts[sample][index].pack(matrix)  // k times its transpose
        step.keyProducts[sample][index].pack(transposeOf: matrix)
      }
    }
  }

  /// Adds the samples' parts to the gradients of the parameters, in their order.
  func addParameters(_ step: Step, _ pass: Pass) {
    let (c, compute) = (channels, pass.compute)
    let stride = batch > 1 ? step.gradients[1].weights - step.gradients[0].weights : 0
    func add(
      _ part: (SmallGradients) -> UnsafeMutablePointer<Float>, _ size: Int, to place: Range<Int>
    ) {
      compute.addUp(
        part(step.gradients[0]), blocks: batch, size: size, stride: stride,
        addedTo: pass.gradients(place))
    }
    add({ $0.weights }, 3 * c * c, to: weights(1))
    if usesCovariance { add({ $0.queryWeights }, c * c, to: weights(0)) }
    if let spatialOutput, let channelOutput {
      add({ $0.spatialOutput }, c / 2 * c, to: spatialOutput.weight)
      add({ $0.channelOutput }, c / 2 * c, to: channelOutput.weight)
    }
    add({ $0.gamma }, c, to: gamma)
    for gradients in step.gradients {
      for head in 0..<heads {
        pass.gradients(temperature)[head] += gradients.temperature[head]
        pass.gradients(temperature2)[head] += gradients.temperature2[head]
      }
      for (bias, gradient) in [(eBias, gradients.eBias), (fBias, gradients.fBias)] {
        guard let bias else { continue }
        for i in 0..<projection { pass.gradients(bias)[i] += gradient[i] }
      }
    }
  }
}
