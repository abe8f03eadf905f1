import Volumes

/// Squared Euclidean distance in mm² (or voxels²) from every voxel of a box to the nearest site.
///
/// Exact and linear in the number of voxels: distances along rows first, then the lower envelope
/// of parabolas along columns and slices (Felzenszwalb and Huttenlocher, "Distance Transforms of
/// Sampled Functions", Theory of Computing 8, 2012).
///
/// - Parameters:
///   - sites: whether each voxel is a site, z, y, x; at least one is.
///   - shape: z, y, x.
///   - spacing: distance between voxels along z, y, x.
func squaredDistances(to sites: [Bool], shape: [Int], spacing: [Double]) -> [Double] {
  let (depth, height, width) = (shape[0], shape[1], shape[2])
  return [Double](unsafeUninitializedCapacity: sites.count) { result, initialized in
    initialized = sites.count
    sites.withUnsafeBufferPointer { sites in
      // Lines of one pass are disjoint.
      nonisolated(unsafe) let sites = sites
      nonisolated(unsafe) let result = result
      let isWorthwhile = sites.count > 50_000
      inParallel(depth * height, worthwhile: isWorthwhile) { rows in
        for row in rows {
          rowDistances(sites, result, start: row * width, count: width, spacing: spacing[2])
        }
      }
      inParallel(depth * width, worthwhile: isWorthwhile) { columns in
        var line = Envelope(count: height, spacing: spacing[1])
        for column in columns {
          let start = column / width * height * width + column % width
          line.replace(result, start: start, stride: width)
        }
      }
      inParallel(height * width, worthwhile: isWorthwhile) { columns in
        var line = Envelope(count: depth, spacing: spacing[0])
        for column in columns { line.replace(result, start: column, stride: height * width) }
      }
    }
  }
}

/// Squared distance along one row to its nearest site; infinite in a row without one.
private func rowDistances(
  _ sites: UnsafeBufferPointer<Bool>, _ result: UnsafeMutableBufferPointer<Double>, start: Int,
  count: Int, spacing: Double
) {
  var steps = Double.infinity
  for x in 0..<count {
    steps = sites[start + x] ? 0 : steps + 1
    result[start + x] = steps
  }
  steps = .infinity
  for x in stride(from: count - 1, through: 0, by: -1) {
    steps = sites[start + x] ? 0 : steps + 1
    let distance = min(steps, result[start + x]) * spacing
    result[start + x] = distance * distance
  }
}

/// The lower envelope of the parabolas `(x - i)² · spacing² + height[i]` of one line.
private struct Envelope {
  private let count: Int
  private let squaredSpacing: Double
  private var heights: [Double]
  /// Indices of the parabolas that form the envelope, and where each one begins.
  private var parabolas: [Int]
  private var begins: [Double]

  init(count: Int, spacing: Double) {
    self.count = count
    squaredSpacing = spacing * spacing
    heights = [Double](repeating: 0, count: count)
    parabolas = [Int](repeating: 0, count: count)
    begins = [Double](repeating: 0, count: count)
  }

  mutating func replace(
    _ values: UnsafeMutableBufferPointer<Double>, start: Int, stride: Int
  ) {
    var last = -1
    for index in 0..<count {
      let height = values[start + index * stride]
      heights[index] = height
      guard height.isFinite else { continue }
      var begin = -Double.infinity
      while last >= 0 {
        begin = crossing(of: parabolas[last], and: index)
        if begin > begins[last] { break }
        last -= 1
        begin = -.infinity
      }
      last += 1
      parabolas[last] = index
      begins[last] = begin
    }
    guard last >= 0 else { return }
    var current = 0
    for index in 0..<count {
      while current < last, begins[current + 1] < Double(index) { current += 1 }
      let steps = Double(index - parabolas[current])
      values[start + index * stride] = steps * steps * squaredSpacing + heights[parabolas[current]]
    }
  }

  /// Where the parabola of the later index `b` falls below that of `a`.
  private func crossing(of a: Int, and b: Int) -> Double {
    let (x, y) = (Double(a), Double(b))
    return ((heights[b] - heights[a]) / squaredSpacing + y * y - x * x) / (2 * (y - x))
  }
}
