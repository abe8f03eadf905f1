/// What is measured of the voxels of one segment.
public struct RegionMeasurement: Sendable, Equatable, Codable {
  public var voxels: Int
  /// In ml; each voxel is as deep as its slice reaches.
  public var millilitres: Double
  /// Of the source's values in the voxels, in the source's unit.
  public var mean: Double
  /// Of all voxels, not estimated from a sample: divided by their number.
  public var standardDeviation: Double
  /// Lengths in mm of the axes of the ellipsoid with the same second moments of its voxels' centres, the
  /// longest first: 4 √λ (IBSI reference manual, 3.1.12 to 3.1.14).
  public var axes: [Double]
}

/// Sums over voxels from which all that is measured follows. Those of disjoint regions can be added.
struct RegionSums {
  private(set) var voxels = 0
  private var mean = 0.0
  /// Sum of the squared differences from the mean.
  private var squares = 0.0
  /// Sum of the voxels' depths in mm, and of their centres and products of coordinates weighted by depth.
  private var depth = 0.0
  private var centre = SIMD3<Double>.zero
  private var products = SymmetricMatrix()

  init() {}

  /// Voxels of one slice.
  ///
  /// - Parameters:
  ///   - plane: counts and moments in the slice.
  ///   - origin: centre of the slice's first voxel.
  ///   - column: step from one column to the next, in mm.
  ///   - row: step from one row to the next, in mm.
  ///   - depth: how far the slice reaches along the normal, in mm.
  init(
    _ plane: PlaneSums, origin: SIMD3<Double>, column: SIMD3<Double>, row: SIMD3<Double>,
    depth: Double
  ) {
    let count = Double(plane.voxels)
    voxels = plane.voxels
    mean = plane.mean
    squares = plane.squares
    self.depth = depth * count
    let inPlane = plane.columns * column + plane.rows * row
    centre = depth * (count * origin + inPlane)
    var products = SymmetricMatrix()
    products.add(origin, origin, count)
    products.add(origin, inPlane, 1)
    products.add(inPlane, origin, 1)
    products.add(column, column, plane.columnsColumns)
    products.add(column, row, plane.columnsRows)
    products.add(row, column, plane.columnsRows)
    products.add(row, row, plane.rowsRows)
    self.products = products.scaled(by: depth)
  }

  /// Adds the sums of other voxels (Chan, Golub and LeVeque, 1983).
  mutating func add(_ other: RegionSums) {
    guard other.voxels > 0 else { return }
    let (own, more) = (Double(voxels), Double(other.voxels))
    let difference = other.mean - mean
    voxels += other.voxels
    mean += difference * more / (own + more)
    squares += other.squares + difference * difference * own * more / (own + more)
    depth += other.depth
    centre += other.centre
    products.add(other.products)
  }

  /// - Parameter area: of a voxel in its plane, in mm².
  func measurement(area: Double) -> RegionMeasurement {
    let middle = centre / depth
    var covariance = products.scaled(by: 1 / depth)
    covariance.add(middle, middle, -1)
    return RegionMeasurement(
      voxels: voxels, millilitres: depth * area / 1000, mean: mean,
      standardDeviation: (squares / Double(voxels)).squareRoot(),
      // What is left of rounding is no extent.
      axes: covariance.eigenvalues.map { $0 < 1e-8 ? 0 : 4 * $0.squareRoot() })
  }
}

/// Sums over the voxels of one slice that have one label.
struct PlaneSums {
  var voxels = 0
  var mean = 0.0
  var squares = 0.0
  // Sums of column and row indices and of their products.
  var columns = 0.0
  var rows = 0.0
  var columnsColumns = 0.0
  var columnsRows = 0.0
  var rowsRows = 0.0
}

/// A symmetric matrix of three rows.
struct SymmetricMatrix {
  /// By row and column.
  private var elements = [[Double]](repeating: [0, 0, 0], count: 3)

  /// Adds the product of a column and a row, times a factor.
  mutating func add(_ column: SIMD3<Double>, _ row: SIMD3<Double>, _ factor: Double) {
    for i in 0..<3 {
      for j in 0..<3 { elements[i][j] += factor * column[i] * row[j] }
    }
  }

  mutating func add(_ other: SymmetricMatrix) {
    for i in 0..<3 {
      for j in 0..<3 { elements[i][j] += other.elements[i][j] }
    }
  }

  func scaled(by factor: Double) -> SymmetricMatrix {
    var scaled = self
    for i in 0..<3 {
      for j in 0..<3 { scaled.elements[i][j] *= factor }
    }
    return scaled
  }

  /// The largest first, by Jacobi's rotations (Golub and Van Loan, Matrix Computations, 8.5).
  var eigenvalues: [Double] {
    var a = elements
    for _ in 0..<16 {
      for (p, q) in [(0, 1), (0, 2), (1, 2)] where a[p][q] != 0 {
        let tau = (a[q][q] - a[p][p]) / (2 * a[p][q])
        let t = (tau < 0 ? -1 : 1) / (abs(tau) + (1 + tau * tau).squareRoot())
        let c = 1 / (1 + t * t).squareRoot()
        let s = t * c
        for k in 0..<3 {
          let (kp, kq) = (a[k][p], a[k][q])
          (a[k][p], a[k][q]) = (c * kp - s * kq, s * kp + c * kq)
        }
        for k in 0..<3 {
          let (pk, qk) = (a[p][k], a[q][k])
          (a[p][k], a[q][k]) = (c * pk - s * qk, s * pk + c * qk)
        }
      }
    }
    return [a[0][0], a[1][1], a[2][2]].sorted(by: >)
  }
}
