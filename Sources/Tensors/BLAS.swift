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

extension Compute {
  /// c[rows x columns] = a[rows x inner] · b[inner x columns], on the calling thread. Where the instruction set
  /// was asked for, its own kernels compute it: the sums of OpenBLAS differ in their last digits between the
  /// processors that it finds.
  public func smallProduct(
    _ a: Matrix, _ b: Matrix, into c: UnsafeMutablePointer<Float>, stride: Int, rows: Int,
    columns: Int, inner: Int
  ) {
    guard isPinned else {
      return multiply(
        a, b, into: c, stride: stride, rows: rows, columns: columns, inner: inner)
    }
    func sum(_ b: UnsafePointer<Float>, stride bStride: Int) {
      outerProducts(
        a.pointer, stride: a.isTransposed ? a.stride : 1, rowStride: a.isTransposed ? 1 : a.stride,
        rows: rows, b, stride: bStride, columns: columns, count: inner, into: c, stride: stride)
    }
    guard b.isTransposed else { return sum(b.pointer, stride: b.stride) }
    // The kernel reads rows that are contiguous.
    withUnsafeTemporaryAllocation(of: Float.self, capacity: max(1, inner * columns)) { copy in
      for row in 0..<inner {
        for column in 0..<columns {
          copy.initializeElement(
            at: row * columns + column, to: b.pointer[column * b.stride + row])
        }
      }
      guard let first = copy.baseAddress else { return }
      sum(first, stride: columns)
    }
  }
}

enum BLAS {
  /// OpenBLAS's own threads would compete with ours.
  static func useOneThread() { openblas_set_num_threads(1) }
}
