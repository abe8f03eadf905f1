/// The voxels of one structure, cut to a box that holds it.
struct Mask {
  /// z, y, x.
  let shape: [Int]
  let isInside: [Bool]

  init(shape: [Int], isInside: [Bool]) {
    self.shape = shape
    self.isInside = isInside
  }

  /// The part of a label volume inside the box that has one of the values.
  init(_ labels: [UInt8], shape: [Int], box: [Range<Int>], values: Set<UInt8>) {
    let isWanted = (0...255).map { values.contains(UInt8($0)) }
    self.shape = box.map(\.count)
    isInside = [Bool](unsafeUninitializedCapacity: box.map(\.count).reduce(1, *)) {
      result, initialized in
      var index = 0
      for z in box[0] {
        for y in box[1] {
          let row = (z * shape[1] + y) * shape[2]
          for x in box[2] {
            result.initializeElement(at: index, to: isWanted[Int(labels[row + x])])
            index += 1
          }
        }
      }
      initialized = index
    }
  }

  /// The voxels with a face neighbour outside; beyond the box is outside.
  func surface() -> [Bool] {
    let (depth, height, width) = (shape[0], shape[1], shape[2])
    let plane = height * width
    var surface = [Bool](repeating: false, count: isInside.count)
    isInside.withUnsafeBufferPointer { mask in
      surface.withUnsafeMutableBufferPointer { surface in
        for z in 0..<depth {
          for y in 0..<height {
            let row = z * plane + y * width
            let isEdgeRow = z == 0 || z == depth - 1 || y == 0 || y == height - 1
            for index in row..<row + width where mask[index] {
              surface[index] =
                isEdgeRow || index == row || index == row + width - 1
                || !(mask[index - 1] && mask[index + 1] && mask[index - width]
                  && mask[index + width] && mask[index - plane] && mask[index + plane])
            }
          }
        }
      }
    }
    return surface
  }
}

/// The least box that holds all voxels of either volume with one of the values; nil without any.
func commonBox(_ a: [UInt8], _ b: [UInt8], shape: [Int], values: Set<UInt8>) -> [Range<Int>]? {
  let isWanted = (0...255).map { values.contains(UInt8($0)) }
  var least = shape
  var most = [-1, -1, -1]
  a.withUnsafeBufferPointer { a in
    b.withUnsafeBufferPointer { b in
      isWanted.withUnsafeBufferPointer { isWanted in
        var index = 0
        for z in 0..<shape[0] {
          for y in 0..<shape[1] {
            for x in 0..<shape[2] {
              if isWanted[Int(a[index])] || isWanted[Int(b[index])] {
                least = [min(least[0], z), min(least[1], y), min(least[2], x)]
                most = [max(most[0], z), max(most[1], y), max(most[2], x)]
              }
              index += 1
            }
          }
        }
      }
    }
  }
  guard most[0] >= 0 else { return nil }
  return (0..<3).map { least[$0]..<most[$0] + 1 }
}
