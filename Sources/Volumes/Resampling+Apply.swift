extension Resampling {
  /// Values on the new shape. `values.count` is the product of `shape`.
  public func apply(_ values: [Float], _ interpolation: Interpolation) -> [Float] {
    [Float](unsafeUninitializedCapacity: newShape.reduce(1, *)) { result, count in
      apply(VoxelView(.float(values), shape: shape), interpolation, into: result)
      count = result.count
    }
  }

  /// Values on the new shape, written to `target` (z, y, x).
  ///
  /// - Parameters:
  ///   - view: has `shape`.
  ///   - interpolation: between the source's voxels.
  ///   - target: room for the values of the new shape, order z, y, x.
  public func apply(
    _ view: VoxelView, _ interpolation: Interpolation,
    into target: UnsafeMutableBufferPointer<Float>
  ) {
    guard let base = target.baseAddress else { return }
    let plane = newShape[1] * newShape[2]
    guard shape != newShape else {
      for row in 0..<shape[0] * shape[1] {
        view.read(z: row / shape[1], y: row % shape[1], into: base + row * shape[2])
      }
      return
    }
    // Each plane is written by one thread.
    nonisolated(unsafe) let result = base
    VolumeResampler(self, view, interpolation).forEachPlane { z, values in
      let target = result + z * plane
      for index in 0..<plane { target[index] = Float(values[index]) }
    }
  }

  /// Whether each voxel of the new shape is inside a mask: where the share of its surrounding
  /// voxels that are 1, and not 0, reaches one half.
  ///
  /// - Parameter mask: has `shape`.
  public func apply(mask: VoxelView) -> [Bool] {
    [Bool](unsafeUninitializedCapacity: newShape.reduce(1, *)) { result, count in
      count = result.count
      guard let base = result.baseAddress else { return }
      let plane = newShape[1] * newShape[2]
      // Each plane is written by one thread.
      nonisolated(unsafe) let inside = base
      VolumeResampler(self, mask, .linear).forEachPlane { z, share in
        for index in 0..<plane { inside[z * plane + index] = share[index] >= 0.5 }
      }
    }
  }

  /// The bytes that `apply` uses in addition to source and result.
  public func scratchBytes(threads: Int) -> Int {
    guard shape != newShape else { return 0 }
    return VolumeResampler.scratchBytes(self, threads: threads)
  }
}
