import Testing

@testable import Tensors

/// What a convolution of 3 × 3 × 3 is tested with.
struct ConvolutionShape: Sendable, CustomTestStringConvertible {
  let inputs, outputs: Int
  let grid: Grid
  var testDescription: String {
    "\(inputs) -> \(outputs), \(grid.depth)x\(grid.height)x\(grid.width)"
  }
}
