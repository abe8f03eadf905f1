/// The borders of labels in a plane, as lines between voxels.
struct RegionBorders {
  /// From one corner of voxels to another one; horizontal or vertical.
  typealias Line = (x0: Int, y0: Int, x1: Int, y1: Int)
  /// Voxels of a row.
  typealias Run = (x: Int, y: Int, width: Int)

  /// Against what has no label, by label.
  private(set) var outer: [UInt8: [Line]] = [:]
  /// Against other labels and the edge of the plane, by label.
  private(set) var inner: [UInt8: [Line]] = [:]
  /// Rows of voxels by label, 0 for none: a box of height 1.
  private(set) var runs: [UInt8: [Run]] = [:]

  init(_ image: PlaneImage) {
    let (columns, rows, labels) = (image.columns, image.rows, image.labels)
    guard labels.contains(where: { $0 != 0 }) else { return }
    // nil beyond the plane.
    func label(_ x: Int, _ y: Int) -> UInt8? {
      x >= 0 && y >= 0 && x < columns && y < rows ? labels[y * columns + x] : nil
    }
    for y in 0..<rows {
      var start = 0
      for x in 1...columns where label(x, y) != label(start, y) {
        runs[labels[y * columns + start], default: []].append((start, y, x - start))
        start = x
      }
    }
    for y in 0...rows {
      var (start, pair) = (0, (label(0, y - 1), label(0, y)))
      for x in 1...columns {
        let next = (label(x, y - 1), label(x, y))
        if x == columns || next != pair {
          add((start, y, x, y), between: pair)
          (start, pair) = (x, next)
        }
      }
    }
    for x in 0...columns {
      var (start, pair) = (0, (label(x - 1, 0), label(x, 0)))
      for y in 1...rows {
        let next = (label(x - 1, y), label(x, y))
        if y == rows || next != pair {
          add((x, start, x, y), between: pair)
          (start, pair) = (y, next)
        }
      }
    }
  }

  /// Runs that touch a part of the plane, whole.
  func runs(of label: UInt8, x: ClosedRange<Int>, y: ClosedRange<Int>) -> [Run] {
    let runs = runs[label] ?? []
    // They are in the order of their rows.
    let start = runs.partitioningIndex { $0.y >= y.lowerBound }
    return runs[start...].prefix { $0.y <= y.upperBound }
      .filter { $0.x <= x.upperBound && $0.x + $0.width > x.lowerBound }
  }

  /// Lines with those that begin near them.
  static func blocks(_ lines: [Line]) -> [[Line]] {
    Array(Dictionary(grouping: lines) { SIMD2($0.x0 / blockSize, $0.y0 / blockSize) }.values)
  }

  private static let blockSize = 16

  private mutating func add(_ line: Line, between pair: (UInt8?, UInt8?)) {
    let (a, b) = pair
    guard a != b else { return }
    for (own, other) in [(a, b), (b, a)] {
      guard let own, own != 0 else { continue }
      if other == 0 {
        outer[own, default: []].append(line)
      } else {
        inner[own, default: []].append(line)
      }
    }
  }
}

extension Array {
  /// The first index whose element meets a condition that all behind it meet too.
  fileprivate func partitioningIndex(where isBehind: (Element) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
