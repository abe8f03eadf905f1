import COpenBLAS

/// The name of the processor core that OpenBLAS chose its kernels for, such as "SkylakeX". An old
/// core here (OPENBLAS_CORETYPE in the environment) can halve the speed.
public func blasCoreName() -> String {
  openblas_get_corename().map { String(cString: $0) } ?? "unknown"
}

/// A matrix in memory, row-major: element (i, j) at [i*stride + j].
public struct Matrix {
  let pointer: UnsafePointer<Float>
  let stride: Int
  let isTransposed: Bool

  public init(_ pointer: UnsafePointer<Float>, stride: Int) {
    self.pointer = pointer
    self.stride = stride
    isTransposed = false
  }

  public init(_ pointer: UnsafeMutablePointer<Float>, stride: Int) {
    self.init(UnsafePointer(pointer), stride: stride)
  }

  private init(transposeOf other: Matrix) {
    pointer = other.pointer
    stride = other.stride
    isTransposed = !other.isTransposed
  }

  /// The same memory read as the transposed matrix.
  public var transposed: Matrix { Matrix(transposeOf: self) }
}

/// c[rows x columns] = a[rows x inner] · b[inner x columns] + beta * c, on the calling thread.
public func multiply(
  _ a: Matrix, _ b: Matrix, into c: UnsafeMutablePointer<Float>, stride: Int, rows: Int,
  columns: Int, inner: Int, beta: Float = 0
) {
  cblas_sgemm(
    CblasRowMajor, a.isTransposed ? CblasTrans : CblasNoTrans,
    b.isTransposed ? CblasTrans : CblasNoTrans, blasint(rows), blasint(columns), blasint(inner), 1,
    a.pointer, blasint(a.stride), b.pointer, blasint(b.stride), beta, c, blasint(stride))
}

enum BLAS {
  /// OpenBLAS's own threads would compete with ours.
  static func useOneThread() { openblas_set_num_threads(1) }
}
