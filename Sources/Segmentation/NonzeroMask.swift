/// The part of an image that is not background: voxels other than 0 in any channel, holes filled.
struct NonzeroMask {
  /// z, y, x.
  let shape: [Int]
  private(set) var isInside: [Bool]

  /// - Parameter channels: arrays of `shape`.
  init(_ channels: [[Float]], shape: [Int]) {
    self.shape = shape
    var mask = [Bool](repeating: false, count: shape.reduce(1, *))
    for channel in channels {
      channel.withUnsafeBufferPointer { values in
        mask.withUnsafeMutableBufferPointer { mask in
          for index in mask.indices where values[index] != 0 { mask[index] = true }
        }
      }
    }
    isInside = mask
    fillHoles()
  }

  /// The least range along each axis that holds all of the mask; nil where the mask is empty.
  var boundingBox: [Range<Int>]? {
    var least = shape
    var most = [-1, -1, -1]
    isInside.withUnsafeBufferPointer { mask in
      var index = 0
      for z in 0..<shape[0] {
        for y in 0..<shape[1] {
          for x in 0..<shape[2] {
            if mask[index] {
              least = [min(least[0], z), min(least[1], y), min(least[2], x)]
              most = [max(most[0], z), max(most[1], y), max(most[2], x)]
            }
            index += 1
          }
        }
      }
    }
    guard most[0] >= 0 else { return nil }
    return (0..<3).map { least[$0]..<most[$0] + 1 }
  }

  /// Takes in background that no path over faces connects with the image's border.
  private mutating func fillHoles() {
    var outside = isInside.map { _ in false }
    var open: [Int] = []
    let (depth, height, width) = (shape[0], shape[1], shape[2])
    let plane = height * width
    isInside.withUnsafeBufferPointer { mask in
      outside.withUnsafeMutableBufferPointer { outside in
        func visit(_ index: Int) {
          guard !mask[index], !outside[index] else { return }
          outside[index] = true
          open.append(index)
        }
        for z in 0..<depth {
          for y in 0..<height {
            let row = (z * height + y) * width
            let isEdge = z == 0 || z == depth - 1 || y == 0 || y == height - 1
            for x in isEdge ? Array(0..<width) : [0, width - 1] { visit(row + x) }
          }
        }
        while let index = open.popLast() {
          if index >= plane { visit(index - plane) }
          if index / plane < depth - 1 { visit(index + plane) }
          if index / width % height > 0 { visit(index - width) }
          if index / width % height < height - 1 { visit(index + width) }
          if index % width > 0 { visit(index - 1) }
          if index % width < width - 1 { visit(index + 1) }
        }
      }
    }
    isInside = outside.map { !$0 }
  }
}
