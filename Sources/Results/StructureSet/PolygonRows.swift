/// A closed polygon on pixels whose centres are whole numbers, row by row.
enum PolygonRows {
  /// Where the lines through the centres of pixels cross the polygon: a pixel is within an odd number of edges where its
  /// column is not before the first of two crossings and before the second, and so on.
  ///
  /// - Parameter points: in columns and rows, one at least; the last is joined to the first.
  /// - Returns: by row, ascending columns, an even number of them.
  static func crossings(_ points: [SIMD2<Double>]) -> [Int: [Double]] {
    var crossings: [Int: [Double]] = [:]
    guard var from = points.last else { return [:] }
    for to in points {
      let (low, high) = from.y < to.y ? (from, to) : (to, from)
      // Rows whose centres are between its ends.
      var row = low.y.rounded(.up)
      while row < high.y {
        let share = (row - low.y) / (high.y - low.y)
        crossings[Int(row), default: []].append(low.x + share * (high.x - low.x))
        row += 1
      }
      from = to
    }
    return crossings.mapValues { $0.sorted() }
  }
}
