/// The outlines of a mask on one image, along the edges of its pixels: a polygon for each part whose pixels
/// share edges. The centres of pixels are well inside or outside, so that any reader gives the mask back.
///
/// A hole is joined to what surrounds it by a channel without width along an edge between rows (keyhole),
/// as closed planar contours have no holes (PS3.3 C.8.8.6.3).
struct PlaneOutlines {
  /// A corner of pixels; (0, 0) is the outer corner of the first pixel of the image.
  struct Corner: Hashable {
    var column: Int
    var row: Int
  }

  /// Most corners of a polygon: three numbers each of 16 characters and a separator are less than the 65,534
  /// bytes that an element can hold in Explicit VR (PS3.5 7.1.2).
  static let mostCorners = 65_534 / (3 * 17)

  private(set) var polygons: [[Corner]] = []

  private let columns: Range<Int>
  private let isInside: (_ column: Int, _ row: Int) -> Bool

  /// - Parameters:
  ///   - columns: those that the mask may be in.
  ///   - rows: those that the mask may be in.
  ///   - mostCorners: of a polygon; what has more is divided between two rows.
  ///   - isInside: whether a pixel is in the mask.
  init(
    columns: Range<Int>, rows: Range<Int>, mostCorners: Int = mostCorners,
    isInside: @escaping (_ column: Int, _ row: Int) -> Bool
  ) {
    self.columns = columns
    self.isInside = isInside
    add(rows, mostCorners)
  }

  private mutating func add(_ rows: Range<Int>, _ mostCorners: Int) {
    var band = OutlineTracer(columns: columns, rows: rows, isInside: isInside)
    let found = band.polygons()
    if rows.count > 1, found.contains(where: { $0.count > mostCorners }) {
      let middle = rows.lowerBound + rows.count / 2
      add(rows.lowerBound..<middle, mostCorners)
      add(middle..<rows.upperBound, mostCorners)
    } else {
      polygons += found
    }
  }
}

/// Traces the outlines of the part of a mask in a range of rows.
private struct OutlineTracer {
  private typealias Direction = Int
  /// Columns and rows of a step right, down, left and up.
  private static let steps = [(1, 0), (0, 1), (-1, 0), (0, -1)]

  /// Pixels that hold all of the mask.
  private var box: (columns: Range<Int>, rows: Range<Int>)
  /// Corners in a row of them.
  private var width: Int { box.columns.count + 1 }
  /// Which edges begin at a corner, a bit for each direction: the mask is on the right of an edge.
  private var edges: [UInt8] = []

  // Rings of steps from corner to corner.
  private var corner: [Int] = []
  private var next: [Int] = []
  private var previous: [Int] = []
  /// The node of a corner; one of two where pixels of the mask touch at the corner alone.
  private var nodeAt: [Int32] = []
  private var outer: [Int] = []
  private var holes: [Int] = []

  init(columns: Range<Int>, rows: Range<Int>, isInside: (Int, Int) -> Bool) {
    var (low, high) = ((columns.upperBound, rows.upperBound), (columns.lowerBound, rows.lowerBound))
    for row in rows {
      for column in columns where isInside(column, row) {
        low = (min(low.0, column), min(low.1, row))
        high = (max(high.0, column + 1), max(high.1, row + 1))
      }
    }
    guard low.0 < high.0 else {
      box = (0..<0, 0..<0)
      return
    }
    box = (low.0..<high.0, low.1..<high.1)
    let (across, down) = (box.columns.count, box.rows.count)
    edges = [UInt8](repeating: 0, count: (across + 1) * (down + 1))
    nodeAt = [Int32](repeating: -1, count: edges.count)
    let (left, top, boxed) = (low.0, low.1, box)
    func isIn(_ column: Int, _ row: Int) -> Bool {
      boxed.columns.contains(left + column) && boxed.rows.contains(top + row)
        && isInside(left + column, top + row)
    }
    for row in 0..<down {
      for column in 0..<across where isIn(column, row) {
        let first = row * (across + 1) + column
        if !isIn(column, row - 1) { edges[first] |= 1 << 0 }
        if !isIn(column + 1, row) { edges[first + 1] |= 1 << 1 }
        if !isIn(column, row + 1) { edges[first + across + 2] |= 1 << 2 }
        if !isIn(column - 1, row) { edges[first + across + 1] |= 1 << 3 }
      }
    }
  }

  mutating func polygons() -> [[PlaneOutlines.Corner]] {
    // In the order of rows and columns the first corner of a ring is met first: of an outer one the corner
    // from which an edge goes right, of a hole one from which it goes down.
    for start in edges.indices {
      while edges[start] != 0 { trace(from: start) }
    }
    for hole in holes { join(hole) }
    return outer.map(polygon)
  }

  private mutating func trace(from start: Int) {
    var direction = edges[start].trailingZeroBitCount
    let (isOuter, first) = (direction == 0, corner.count)
    var place = start
    repeat {
      edges[place] &= ~(1 << UInt8(direction))
      nodeAt[place] = Int32(corner.count)
      corner.append(place)
      next.append(corner.count)
      previous.append(corner.count - 2)
      place += Self.steps[direction].0 + Self.steps[direction].1 * width
      direction = turn(from: direction, at: place)
    } while place != start
    next[corner.count - 1] = first
    previous[first] = corner.count - 1
    if isOuter { outer.append(first) } else { holes.append(first) }
  }

  /// Around the same pixel where there is a choice: to the right, then straight on, then to the left.
  private func turn(from direction: Direction, at place: Int) -> Direction {
    for turn in [1, 0, 3] where edges[place] & (1 << UInt8((direction + turn) % 4)) != 0 {
      return (direction + turn) % 4
    }
    return direction
  }

  /// Joins a hole to the ring at its left, which is the outer one or that of a hole before it.
  private mutating func join(_ hole: Int) {
    var place = corner[hole] - 1
    while nodeAt[place] < 0 { place -= 1 }
    let (shore, beyond) = (Int(nodeAt[place]), next[Int(nodeAt[place])])
    let last = previous[hole]
    // Out to the hole, around it, and back.
    let back = add(corner[hole], after: last)
    let again = add(place, after: back)
    next[shore] = hole
    previous[hole] = shore
    next[again] = beyond
    previous[beyond] = again
  }

  private mutating func add(_ place: Int, after node: Int) -> Int {
    corner.append(place)
    next.append(-1)
    previous.append(node)
    next[node] = corner.count - 1
    return corner.count - 1
  }

  /// The corners at which a ring changes its direction.
  private func polygon(from first: Int) -> [PlaneOutlines.Corner] {
    var polygon: [PlaneOutlines.Corner] = []
    var node = first
    repeat {
      let (before, here, after) = (corner[previous[node]], corner[node], corner[next[node]])
      if !isStraight(before, here, after) {
        polygon.append(
          PlaneOutlines.Corner(
            column: box.columns.lowerBound + here % width, row: box.rows.lowerBound + here / width))
      }
      node = next[node]
    } while node != first
    return polygon
  }

  private func isStraight(_ a: Int, _ b: Int, _ c: Int) -> Bool {
    let into = ((b % width - a % width).signum(), (b / width - a / width).signum())
    let out = ((c % width - b % width).signum(), (c / width - b / width).signum())
    return into == out
  }
}
