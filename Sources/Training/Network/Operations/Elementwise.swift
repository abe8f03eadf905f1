import Tensors

/// Operations on whole arrays.
extension Compute {
  func copy(
    _ x: UnsafePointer<Float>, to result: UnsafeMutablePointer<Float>, count: Int
  ) {
    pieces(count) { first, count in (result + first).update(from: x + first, count: count) }
  }

  func zero(_ x: UnsafeMutablePointer<Float>, count: Int) {
    pieces(count) { first, count in (x + first).update(repeating: 0, count: count) }
  }
}
