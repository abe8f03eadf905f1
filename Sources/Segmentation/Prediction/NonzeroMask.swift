import Synchronization
import Volumes

/// The part of an image that is not background: voxels other than 0 in any channel.
public struct NonzeroMask {
  /// z, y, x.
  let shape: [Int]
  /// 1 inside, else 0.
  private var values: [Int16]

  /// The least range along each axis that holds every voxel other than 0 of any channel; nil where
  /// there is none.
  public static func boundingBox(_ channels: [VoxelView]) -> [Range<Int>]? {
    let shape = channels[0].shape
    let boxes = Mutex<[[Range<Int>]]>([])
    inParallel(shape[0], worthwhile: shape.reduce(1, *) > 100_000) { slices in
      guard let box = boundingBox(channels, slices) else { return }
      boxes.withLock { $0.append(box) }
    }
    let found = boxes.withLock { $0 }
    guard !found.isEmpty else { return nil }
    return (0..<3).map { axis in
      let least = found.map { $0[axis].lowerBound }.min() ?? 0
      return least..<(found.map { $0[axis].upperBound }.max() ?? least)
    }
  }

  /// Of the slices in a range along z.
  private static func boundingBox(_ channels: [VoxelView], _ slices: Range<Int>) -> [Range<Int>]? {
    let shape = channels[0].shape
    var least = shape
    var most = [-1, -1, -1]
    var row = [Float](repeating: 0, count: shape[2])
    for channel in channels {
      for z in slices {
        for y in 0..<shape[1] {
          channel.readRow(z: z, y: y, into: &row)
          guard let first = row.firstIndex(where: { $0 != 0 }),
            let last = row.lastIndex(where: { $0 != 0 })
          else { continue }
          least = [min(least[0], z), min(least[1], y), min(least[2], first)]
          most = [max(most[0], z), max(most[1], y), max(most[2], last)]
        }
      }
    }
    guard most[0] >= 0 else { return nil }
    return (0..<3).map { least[$0]..<most[$0] + 1 }
  }

  /// The mask with its holes filled: background from which no path over faces leads to the border.
  ///
  /// - Parameter channels: of one shape. A bounding box of the mask is as good as the whole image.
  init(filling channels: [VoxelView]) {
    shape = channels[0].shape
    var values = [Int16](repeating: 0, count: shape.reduce(1, *))
    var row = [Float](repeating: 0, count: shape[2])
    for channel in channels {
      for index in 0..<shape[0] * shape[1] {
        channel.readRow(z: index / shape[1], y: index % shape[1], into: &row)
        for x in row.indices where row[x] != 0 { values[index * shape[2] + x] = 1 }
      }
    }
    self.values = values
    fillHoles()
  }

  /// 1 inside, else 0.
  var view: VoxelView { VoxelView(.int16(values), shape: shape) }

  var isInside: [Bool] { values.map { $0 == 1 } }

  /// A stretch of background within one row (z * height + y).
  private struct Span {
    var row: Int32
    var first: Int32
    var last: Int32
  }

  private mutating func fillHoles() {
    let (depth, height, width) = (shape[0], shape[1], shape[2])
    values.withUnsafeMutableBufferPointer { values in
      /// Background that leads to the border.
      let outside: Int16 = 2
      var open: [Span] = []
      /// Marks the background in a row that touches `first...last`.
      func enter(row: Int, _ first: Int, _ last: Int) {
        let base = row * width
        var x = first
        while x <= last {
          guard values[base + x] == 0 else {
            x += 1
            continue
          }
          var (from, to) = (x, x)
          while from > 0, values[base + from - 1] == 0 { from -= 1 }
          while to < width - 1, values[base + to + 1] == 0 { to += 1 }
          for place in from...to { values[base + place] = outside }
          open.append(Span(row: Int32(row), first: Int32(from), last: Int32(to)))
          x = to + 1
        }
      }
      for row in 0..<depth * height {
        let (z, y) = (row / height, row % height)
        if z == 0 || z == depth - 1 || y == 0 || y == height - 1 {
          enter(row: row, 0, width - 1)
        } else {
          enter(row: row, 0, 0)
          enter(row: row, width - 1, width - 1)
        }
      }
      while let span = open.popLast() {
        let (row, first, last) = (Int(span.row), Int(span.first), Int(span.last))
        if row >= height { enter(row: row - height, first, last) }
        if row / height < depth - 1 { enter(row: row + height, first, last) }
        if row % height > 0 { enter(row: row - 1, first, last) }
        if row % height < height - 1 { enter(row: row + 1, first, last) }
      }
      for index in values.indices { values[index] = values[index] == outside ? 0 : 1 }
    }
  }
}

extension VoxelView {
  /// Copies a row along x.
  func readRow(z: Int, y: Int, into row: inout [Float]) {
    row.withUnsafeMutableBufferPointer { row in
      if let base = row.baseAddress { read(z: z, y: y, into: base) }
    }
  }
}
