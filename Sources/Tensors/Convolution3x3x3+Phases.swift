import CKernels

/// The first two of the three phases of minimal filtering of a whole volume, or of all volumes of a batch.
extension Convolution3x3x3 {
  /// Transforms the inputs and multiplies them with the weights, whose transform the parameters have.
  /// - Parameters:
  ///   - samples: what the kernels need of each sample.
  ///   - tile: outputs of a tile along an axis.
  ///   - scratch: that of the plan, without the weights'.
  ///   - compute: the kernels and worker threads.
  /// - Returns: the products, `plan.stride` floats from frequency to frequency, slices in the order of
  ///   depth, then of samples.
  func productsOf(
    _ samples: [Winograd], _ tile: Int, _ scratch: UnsafeMutablePointer<Float>, _ compute: Compute
  ) -> UnsafeMutablePointer<Float> {
    let (count, tiles, depth) = (samples.count, plan.tiles(tile), plan.grid.depth)
    let stride = plan.stride(tile, channels: inputChannels, samples: count)
    let slice = tiles * inputChannels
    compute.run(blocks: depth * count) { index, _ in
      var winograd = samples[index % count]
      compute.kernels.winogradInput(
        &winograd, Int32(index / count), 0, Int32(tiles), scratch + index * slice, Int64(stride))
    }
    let products = scratch + (tile + 2) * (tile + 2) * stride
    if plan.isDeep {
      multiplyPairs(samples[0], count, tile, scratch, products, compute)
    } else {
      multiply(samples[0], count, tile, scratch, products, compute)
    }
    return products
  }

  private func multiply(
    _ winograd: Winograd, _ count: Int, _ tile: Int, _ transforms: UnsafeMutablePointer<Float>,
    _ products: UnsafeMutablePointer<Float>, _ compute: Compute
  ) {
    let (rows, depth) = (count * plan.tiles(tile), plan.grid.depth)
    let (slice, productSlice) = (rows * inputChannels, rows * outputChannels)
    let stride = plan.stride(tile, channels: inputChannels, samples: count)
    let productStride = plan.stride(tile, channels: outputChannels, samples: count)
    // The first and the last slice have one neighbour, those between are one run of rows.
    let runs = depth > 1 ? [(0, 1), (1, depth - 2), (depth - 1, 1)] : [(0, 1)]
    compute.run(blocks: (tile + 2) * (tile + 2)) { frequency, _ in
      for (z, some) in runs where some > 0 {
        var winograd = winograd
        let here = UnsafePointer(transforms + z * slice)
        withUnsafeTemporaryAllocation(of: UnsafePointer<Float>?.self, capacity: 3) { slices in
          slices[0] = z > 0 ? here - slice : nil
          slices[1] = here
          slices[2] = z + some < depth ? here + slice : nil
          compute.kernels.winogradMultiply(
            &winograd, Int32(frequency), Int32(frequency) + 1, slices.baseAddress, Int64(stride),
            Int64(some * rows), products + z * productSlice, Int64(productStride))
        }
      }
    }
  }

  /// The same with minimal filtering over depth, two slices at a time.
  private func multiplyPairs(
    _ winograd: Winograd, _ count: Int, _ tile: Int, _ transforms: UnsafeMutablePointer<Float>,
    _ products: UnsafeMutablePointer<Float>, _ compute: Compute
  ) {
    let (rows, depth) = (count * plan.tiles(tile), plan.grid.depth)
    let frequencies = (tile + 2) * (tile + 2)
    let stride = plan.stride(tile, channels: inputChannels, samples: count)
    let productStride = plan.stride(tile, channels: outputChannels, samples: count)
    let (slice, productSlice) = (rows * inputChannels, rows * outputChannels)
    let workers = products + frequencies * productStride
    compute.run(blocks: frequencies) { frequency, worker in
      var winograd = winograd
      for z in Swift.stride(from: 0, to: depth, by: 2) {
        let here = UnsafePointer(transforms + frequency * stride + z * slice)
        withUnsafeTemporaryAllocation(of: UnsafePointer<Float>?.self, capacity: 4) { slices in
          slices[0] = z > 0 ? here - slice : nil
          slices[1] = here
          slices[2] = z + 1 < depth ? here + slice : nil
          slices[3] = z + 2 < depth ? here + 2 * slice : nil
          compute.kernels.winogradMultiplyPair(
            &winograd, Int32(frequency), slices.baseAddress, Int64(rows),
            products + frequency * productStride + z * productSlice, Int64(productSlice),
            workers + worker * plan.depthScratch)
        }
      }
    }
  }
}
