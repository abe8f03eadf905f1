/// Where the voxels of a patch are in an image.
struct PatchMapping {
  /// What a plane of the patch shows of a stack.
  struct Slice: Equatable {
    /// Number in the stack's order.
    let number: Int
    /// Along y and x, in voxels.
    var shift = SIMD2<Double>()
  }

  /// The place (z, y, x) of the patch's first voxel.
  var origin: SIMD3<Double>
  var steps: AxisVectors
  /// Of a stack, for each plane of the patch the slice; nil where it is empty.
  var slices: [Slice?]?
  var field: DisplacementField?

  /// Around a centre.
  init(patch: [Int], centre: SIMD3<Double>, steps: AxisVectors) {
    self.steps = steps
    let half = patch.map { Double($0 - 1) / 2 }
    origin = centre - steps(SIMD3(half[0], half[1], half[2]))
  }

  /// Runs through the patch the other way along an axis.
  mutating func mirror(_ axis: Int, patch: [Int]) {
    origin += Double(patch[axis] - 1) * steps[axis]
    steps[axis] = -steps[axis]
    if axis == 0 { slices?.reverse() }
  }

  /// The places of a row of voxels along x.
  func writeRow(
    z: Int, y: Int, to positions: UnsafeMutablePointer<SIMD3<Float>>, count: Int
  ) {
    var start = origin + Double(y) * steps.y
    if let slices {
      let shift = slices[z]?.shift ?? SIMD2()
      start += SIMD3(0, shift.x, shift.y)
    } else {
      start += Double(z) * steps.z
    }
    for x in 0..<count { positions[x] = SIMD3<Float>(start + Double(x) * steps.x) }
    // A slice is bent in one way, however often it is repeated.
    field?.addRow(z: slices == nil ? z : 0, y: y, to: positions, count: count)
  }
}
