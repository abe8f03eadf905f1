import Tensors

extension PairedAttention {
  /// What the first pass over tokens sums: G = dOᵀ X of the channel part ([C/2 or C] x C), the
  /// gradient of the spatial output projection (C/2 x C), of scaled keys and of values (C x P); Xᵀ X.
  private var firstSums: Int {
    channelColumns * channels + (spatialOutput == nil ? 0 : channels / 2 * channels)
      + 2 * channels * projection + covarianceCount
  }
  /// Whether the products of queries and keys and the norms give one linear map of X to dX, and the weights
  /// of q and k their gradients through Xᵀ X: with few tokens these matrices would be the larger work.
  var usesCovariance: Bool { tokens >= 8 * channels }
  var covarianceCount: Int { usesCovariance ? channels * channels : 0 }
  /// What the second one sums: the gradients of the weights of q and (without Xᵀ X) k (C x C).
  private var secondSums: Int { (usesCovariance ? 1 : 2) * channels * channels }
  private var workerCount: Int {
    max(
      tokensOfBlock * channels,
      Compute.attendGradientScratch(
        count: tokensOfBlock, channels: channels, heads: heads, projection: projection))
  }

  var backwardScratch: Int {
    let (c, count) = (channels, batch * tokens * channels)
    let square = PackedMatrix.count(inner: c, columns: c)
    let ofHeads =
      usesCovariance
      ? Scratch.size(square)
      : 2 * heads / headsOfGroup * Scratch.size(PackedMatrix.count(inner: group, columns: group))
    return Scratch.size(
      count, count, batch * (blocks + 1) * max(firstSums, secondSums), threads * workerCount,
      square, square, square)
      + batch
      * (Scratch.size(square) + ofHeads
        + SmallGradients.count(
          c, headChannels: headChannels, projection: projection, covariance: covarianceCount))
  }

  /// What one backward pass works on; all of it for the whole batch.
  struct Step {
    let x, gradient: UnsafePointer<Float>  // N x C
    let dx: UnsafeMutablePointer<Float>  // N x C
    let spatialGradient: UnsafeMutablePointer<Float>  // N x C, read as [d][h][N]
    let queryGradient: UnsafeMutablePointer<Float>  // N x C
    let sums, workers: UnsafeMutablePointer<Float>
    let small: [SmallMatrices]
    let gradients: [SmallGradients]
    /// Weights of q and of k, and of the spatial output projection.
    let weights: [PackedMatrix]
    let spatialOutput: PackedMatrix
    /// For each sample: the channel attention's map, and what the gradients of q and of k are of k and q.
    let outputMaps: [PackedMatrix]
    let queryProducts, keyProducts: [[PackedMatrix]]
    /// Instead of these, for each sample: what X itself is multiplied by.
    let tokenMaps: [PackedMatrix]
  }

  /// dx (batch x N x C) from the gradient of the output; adds to the parameters' gradients. What multiplies
  /// the gradient is multiplied by gamma instead of it, and what is summed from it afterwards.
  func backward(
    _ x: UnsafePointer<Float>, _ gradient: UnsafePointer<Float>,
    into dx: UnsafeMutablePointer<Float>, scratch: Scratch, _ pass: Pass
  ) {
    var scratch = scratch
    addOutputBiases(gradient, pass)
    let (c, compute) = (channels, pass.compute)
    func matrices(_ count: Int, _ inner: Int, _ columns: Int) -> [PackedMatrix] {
      (0..<count).map { _ in compute.matrix(inner: inner, columns: columns, &scratch) }
    }
    let groups = usesCovariance ? 0 : heads / headsOfGroup
    let step = Step(
      x: x, gradient: gradient, dx: dx,
      spatialGradient: scratch.take(batch * tokens * c),
      queryGradient: scratch.take(batch * tokens * c),
      sums: scratch.take(batch * (blocks + 1) * max(firstSums, secondSums)),
      workers: scratch.take(threads * workerCount),
      small: (0..<batch).map { smallMatrices(sample: $0, pass) },
      gradients: (0..<batch).map { _ in
        SmallGradients(
          &scratch, c, headChannels: headChannels, projection: projection,
          covariance: covarianceCount)
      },
      weights: matrices(2, c, c), spatialOutput: matrices(1, c / 2, c)[0],
      outputMaps: matrices(batch, channelColumns, c),
      queryProducts: (0..<batch).map { _ in matrices(groups, group, group) },
      keyProducts: (0..<batch).map { _ in matrices(groups, group, group) },
      tokenMaps: matrices(usesCovariance ? batch : 0, c, c))
    compute.timed("attention, gradient: spatial and sums") { firstPass(step, pass) }
    compute.timed("attention, gradient: matrices without tokens") {
      compute.run(blocks: batch) { sample, _ in
        takeFirstSums(step, sample)
        smallBackward(step, sample, pass)
      }
      addParameters(step, pass)
    }
    compute.timed("attention, gradient: q, k, E and F") {
      secondPass(step, pass)
      addProjectorGradients(step, pass)
    }
  }

  /// The gradients of the output projections' biases, and what these add to gamma's.
  private func addOutputBiases(_ gradient: UnsafePointer<Float>, _ pass: Pass) {
    guard let spatialOutput, let channelOutput else { return }
    let (c, half) = (channels, channels / 2)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: c) { sums in
      guard let sums = sums.baseAddress else { return }
      sums.initialize(repeating: 0, count: c)
      pass.compute.addColumnSums(gradient, rows: batch * tokens, channels: c, to: sums)
      let (gamma, ofGamma) = (pass.values(gamma), pass.gradients(gamma))
      for (output, first) in [(spatialOutput, 0), (channelOutput, half)] {
        let (bias, ofBias) = (pass.values(output.bias), pass.gradients(output.bias))
        for i in 0..<half {
          ofBias[i] += sums[first + i] * gamma[first + i]
          ofGamma[first + i] += sums[first + i] * bias[i]
        }
      }
    }
  }

  /// Packs what the token's passes multiply by, piece by piece.
  private func packWeights(_ step: Step, _ pass: Pass) {
    pass.compute.run(blocks: 3 + batch) { index, _ in
      switch index {
      case 0, 1: step.weights[index].pack(transposeOf: pass.values(weights(index)))
      case 2:
        guard let spatialOutput else { return }
        step.spatialOutput.pack(transposeOf: pass.values(spatialOutput.weight))
        step.spatialOutput.scaleRows(by: pass.values(gamma))
      default:
        let map = step.outputMaps[index - 3]
        map.pack(transposeOf: step.small[index - 3].outputMap)
        map.scaleRows(by: pass.values(gamma) + channels - channelColumns)
      }
    }
  }

  /// Gradients of the spatial attention's output for all tokens (their layout mixes tokens), then,
  /// block by block: dq through the spatial attention, and the sums.
  private func firstPass(_ step: Step, _ pass: Pass) {
    let (c, half, compute) = (channels, channels / 2, pass.compute)
    packWeights(step, pass)
    if spatialOutput == nil {
      compute.scaleGradient(
        step.gradient, of: pass.arena[spatial], by: pass.values(gamma), into: step.spatialGradient,
        addingTo: pass.gradients(gamma), rows: batch * tokens, channels: c)
    } else {
      run(compute) { sample, _, first, count, _ in
        let place = (sample * tokens + first) * c
        compute.product(  // (n x C/2) · (C/2 x C)
          step.spatialOutput, step.gradient + place, inputStride: c,
          into: step.spatialGradient + place, stride: c, count: count, residual: nil)
      }
    }
    run(compute) { sample, block, first, count, worker in
      let place = (sample * tokens + first) * c
      let sums = step.sums + (sample * (blocks + 1) + block) * firstSums
      let columns = channelColumns
      let (x, gradient) = (step.x + place, step.gradient + place)
      compute.outerProducts(  // (C/2 x n) · (n x C)
        gradient + (c - columns), stride: c, rows: columns, x, stride: c, columns: c, count: count,
        into: sums, stride: c)
      var rest = sums + columns * c
      if spatialOutput != nil {
        compute.outerProducts(  // (C/2 x n) · (n x C)
          gradient, stride: c, rows: half, part(spatial, sample, pass) + first * c, stride: c,
          columns: c, count: count, into: rest, stride: c)
        rest += half * c
      }
      if usesCovariance {
        compute.outerProducts(  // (C x n) · (n x C)
          x, stride: c, rows: c, x, stride: c, columns: c, count: count, into: rest, stride: c)
        rest += covarianceCount
      }
      let all = sample * tokens * c
      compute.attendGradient(
        part(queries, sample, pass), keys: step.small[sample].scaledKeys,
        values: step.small[sample].values, gradient: step.spatialGradient + all,
        queryGradient: step.queryGradient + all, keySums: rest,
        valueSums: rest + c * projection, scratch: step.workers + worker * workerCount,
        first: first, count: count, tokens: tokens, channels: c, heads: heads,
        projection: projection)
    }
  }

  private func takeFirstSums(_ step: Step, _ sample: Int) {
    let (c, gradients) = (channels, step.gradients[sample])
    let sums = step.sums + sample * (blocks + 1) * firstSums
    let total = sums + blocks * firstSums
    Compute.addUpHere(sums, blocks: blocks, size: firstSums, into: total)
    gradients.products.update(from: total, count: channelColumns * c)
    var rest = total + channelColumns * c
    if spatialOutput != nil {
      gradients.spatialOutput.update(from: rest, count: c / 2 * c)
      rest += c / 2 * c
    }
    gradients.covariance.update(from: rest, count: covarianceCount)
    rest += covarianceCount
    gradients.scaledKeys.update(from: rest, count: c * projection)
    gradients.values.update(from: rest + c * projection, count: c * projection)
  }

  /// Block by block: dq and dk through q kᵀ and the norms; dx through the channel attention's map, q, k, E
  /// and F; the sums of the gradients of q's and k's weights.
  private func secondPass(_ step: Step, _ pass: Pass) {
    let (c, p, compute) = (channels, projection, pass.compute)
    let size = secondSums
    run(compute) { sample, block, first, count, worker in
      let place = (sample * tokens + first) * c
      let gradients = step.gradients[sample]
      let queryGradient = step.queryGradient + place
      let keyGradient = step.workers + worker * workerCount
      if !usesCovariance {
        completeGradients(
          step, sample, first: first, count: count, queryGradient, keyGradient, pass)
      }
      let (x, dx) = (step.x + place, step.dx + place)
      compute.product(  // (n x C/2) · (C/2 x C)
        step.outputMaps[sample], step.gradient + place + (c - channelColumns), inputStride: c,
        into: dx, stride: c, count: count, residual: nil)
      let sums = step.sums + (sample * blocks + block) * size
      if usesCovariance {
        compute.product(  // (n x C) · (C x C)
          step.tokenMaps[sample], x, into: dx, stride: c, count: count, accumulates: true)
      }
      for (s, gradient) in [queryGradient, keyGradient].prefix(size / (c * c)).enumerated() {
        compute.product(  // (n x C) · (C x C)
          step.weights[s], gradient, into: dx, stride: c, count: count, accumulates: true)
        compute.outerProducts(  // (C x n) · (n x C)
          gradient, stride: c, rows: c, x, stride: c, columns: c, count: count,
          into: sums + s * c * c, stride: c)
      }
      for (place, projected) in projectedGradients(gradients) {
        compute.outerProducts(  // (n x P) · (P x C)
          pass.values(place) + first * projectorStride, stride: projectionStride,
          rowStride: projectorStride, rows: count, projected, stride: c, columns: c, count: p,
          into: dx, stride: c, accumulates: true)
      }
    }
    compute.addUp(
      step.sums, blocks: batch * blocks, size: size,
      addedTo: pass.gradients(weights(0)))  // q's weights, then k's
  }

  /// dq (of which the part through the spatial attention is there) and dk of a block, through q kᵀ and the
  /// norms.
  private func completeGradients(
    _ step: Step, _ sample: Int, first: Int, count: Int,
    _ queryGradient: UnsafeMutablePointer<Float>, _ keyGradient: UnsafeMutablePointer<Float>,
    _ pass: Pass
  ) {
    let (c, compute, gradients) = (channels, pass.compute, step.gradients[sample])
    let (queries, keys) = (
      UnsafePointer(part(queries, sample, pass) + first * c),
      UnsafePointer(part(keys, sample, pass) + first * c)
    )
    for index in 0..<heads / headsOfGroup {  // (n x d) · (d x d)
      let head = index * group
      compute.product(
        step.queryProducts[sample][index], keys + head, inputStride: c,
        into: queryGradient + head, stride: c, count: count,
        residual: UnsafePointer(queryGradient + head))
      compute.product(
        step.keyProducts[sample][index], queries + head, inputStride: c, into: keyGradient + head,
        stride: c, count: count, residual: nil)
    }
    compute.scaleRows(
      queries, by: gradients.queryNorms, plus: queryGradient, into: queryGradient, rows: count,
      channels: c)
    compute.scaleRows(
      keys, by: gradients.keyNorms, plus: keyGradient, into: keyGradient, rows: count, channels: c)
  }

  /// E and F with the gradients of E X and F X; both in one where they share their weights.
  private func projectedGradients(
    _ gradients: SmallGradients
  ) -> [(place: Range<Int>, projected: UnsafeMutablePointer<Float>)] {
    e == f
      ? [(e, gradients.projectedE)] : [(e, gradients.projectedE), (f, gradients.projectedF)]
  }

  /// The gradients of E and F, whose columns (rows of EF) each belong to one block of tokens.
  private func addProjectorGradients(_ step: Step, _ pass: Pass) {
    let (c, p) = (channels, projection)
    pass.compute.run(blocks: blocks) { block, _ in
      let first = block * tokensOfBlock
      let count = min(tokensOfBlock, tokens - first)
      for sample in 0..<batch {
        let x = Matrix(step.x + (sample * tokens + first) * c, stride: c)
        for (place, projected) in projectedGradients(step.gradients[sample]) {
          let (gradient, small) = (pass.gradients(place), Matrix(projected, stride: c))
          if kind.hasOutputProjections {
            multiply(  // (P x C) · (C x n)
              small, x.transposed, into: gradient + first, stride: tokens, rows: p,
              columns: count, inner: c, beta: 1)
          } else {
            multiply(  // (n x C) · (C x P)
              x, small.transposed, into: gradient + first * p, stride: p, rows: count, columns: p,
              inner: c, beta: 1)
          }
        }
      }
    }
  }
}
