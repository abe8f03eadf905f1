import DICOM
import Synchronization
import Terminology
import Volumes

/// The pixels of one picture as they are on disk.
struct PictureBytes {
  let bytes: ArraySlice<UInt8>
  let columns: Int
  let rows: Int

  /// Red, green and blue as one number.
  func color(_ column: Int, _ row: Int) -> UInt32 {
    let start = bytes.startIndex + (row * columns + column) * 3
    return UInt32(bytes[start]) << 16 | UInt32(bytes[start + 1]) << 8 | UInt32(bytes[start + 2])
  }

  /// Says so where rows that have to have text in them are empty, as without a font.
  func lacksText(_ lines: Range<Int>) -> String? {
    var bright = 0
    for row in lines {
      for column in 0..<columns where color(column, row) >> 16 > 120 { bright += 1 }
    }
    return bright >= 200 ? nil : "lacks the text that it is for research use only"
  }
}

/// What is wrong with pictures, gathered by several threads.
final class CollectedFaults: Sendable {
  private let faults = Mutex<[Int: String]>([:])

  func add(_ reason: String, at frame: Int) { faults.withLock { $0[frame] = reason } }

  /// That of the first frame.
  var first: (frame: Int, reason: String)? {
    faults.withLock { $0.min { $0.key < $1.key } }.map { ($0.key, $0.value) }
  }
}

/// The source images and the labels, by which each pixel of a picture is checked.
///
/// A pixel is in the patient where the object says. There the image has to be as bright, or a contour in the
/// colour of a label whose border is not further away than it is wide; and along each border there has to be
/// one.
struct ShownSource: Sendable {
  private let stack: SliceStack
  private let labels: LabelVolume
  /// Red, green and blue of each label as one number.
  private let colors: [UInt32]
  private let contours: Set<UInt32>
  /// Gray levels of the slices that are shown, order z, y, x.
  private let gray: [UInt8]
  private let slices: Range<Int>
  private let rows: Range<Int>
  private let columns: Range<Int>

  init(_ object: CaptureObject) throws(ProofError) {
    stack = object.source
    labels = object.labels
    var colors = [UInt32](repeating: 0xFF_FF_FF, count: 256)
    for segment in object.segments where segment.color.count == 3 {
      colors[Int(segment.value)] = segment.color.reduce(0) { $0 << 8 | UInt32($1) }
    }
    self.colors = colors
    contours = Set(colors)
    let volume: CaptureVolume
    switch object.content {
    case .frames(let images, let shown): (volume, slices) = (images.volume, shown)
    case .frame(let images, let slice): (volume, slices) = (images.volume, slice..<slice + 1)
    case .page(let page, _): (volume, slices) = (page.volume, page.volume.box.slices)
    }
    (rows, columns) = (volume.box.rows, volume.box.columns)
    let (low, high) = (Double(volume.window.low), Double(volume.window.high))
    let isInverted = stack.frames.contains { $0.photometricInterpretation == "MONOCHROME1" }
    var gray: [UInt8] = []
    gray.reserveCapacity(slices.count * labels.grid.rows * labels.grid.columns)
    do {
      try stack.forEachPart(of: slices) { _, storage in
        for index in 0..<storage.count {
          let share = (Double(storage[index]) - low) / (high - low)
          let level = share.isNaN ? 0 : (Swift.max(0, Swift.min(1, share)) * 255).rounded(.down)
          gray.append(UInt8(isInverted ? 255 - level : level))
        }
      }
    } catch { throw .unreadable(error) }
    self.gray = gray
  }

  /// What is wrong in a tile; nil for nothing.
  func fault(of picture: PictureBytes, at tile: PlacedTile) -> String? {
    let walk = VoxelWalk(tile, of: stack, labels.grid)
    if hidesLabels(tile) { return "leaves out voxels with a label" }
    let (width, height) = (tile.geometry.columns, tile.geometry.rows)
    guard tile.left >= 0, tile.top >= 0, tile.left + width <= picture.columns,
      tile.top + height <= picture.rows
    else { return "is not as large as what it shows" }
    // The label under each pixel; -1 outside the image.
    var under = [Int16](repeating: -1, count: width * height)
    for y in 0..<height {
      for x in 0..<width {
        if let place = inside(walk.voxel(x, y), edge: walk.edge) {
          under[y * width + x] = Int16(label(place))
        }
      }
    }
    var isShown = [Bool](repeating: false, count: 256)
    for y in 0..<height {
      for x in 0..<width where under[y * width + x] >= 0 {
        let color = picture.color(tile.left + x, tile.top + y)
        if isBright(color, walk.voxel(x, y), normal: tile.normal) { continue }
        let near = labelsNear(x, y, tile, under)
        guard near.count > 1, let label = near.first(where: { $0 > 0 && colors[$0] == color })
        else {
          return "differs from the source image, or has a contour that is not due, at column "
            + "\(tile.left + x), row \(tile.top + y)"
        }
        isShown[label] = true
      }
    }
    return missingContour(picture, tile, under, isShown)
  }

  /// Whether voxels with a label are beyond what a tile shows.
  private func hidesLabels(_ tile: PlacedTile) -> Bool {
    let grid = labels.grid
    let counts = [grid.slices, grid.rows, grid.columns]
    let strides = [grid.rows * grid.columns, grid.columns, 1]
    // Of a page's planes across the images the slices that are shown are those of the box.
    let ranges = [tile.normal == 0 ? 0..<counts[0] : slices, rows, columns]
    let (a, b) = tile.normal == 0 ? (1, 2) : tile.normal == 1 ? (0, 2) : (0, 1)
    for outer in 0..<counts[a] {
      for inner in 0..<counts[b] {
        let voxel = tile.index * strides[tile.normal] + outer * strides[a] + inner * strides[b]
        if labels.labels[voxel] != 0, !ranges[a].contains(outer) || !ranges[b].contains(inner) {
          return true
        }
      }
    }
    return false
  }

  /// Along every border there must be a contour, and of each label there must be one.
  private func missingContour(
    _ picture: PictureBytes, _ tile: PlacedTile, _ under: [Int16], _ isShown: [Bool]
  ) -> String? {
    let (width, height) = (tile.geometry.columns, tile.geometry.rows)
    let least = voxelSize(tile)
    var isUnder = [Bool](repeating: false, count: 256)
    for label in under where label > 0 { isUnder[Int(label)] = true }
    // Where voxels are smaller than pixels there is no place for each contour.
    if least >= 1.999, let label = (1..<256).first(where: { isUnder[$0] && !isShown[$0] }) {
      return "lacks the contour of label \(label)"
    }
    guard least >= 0.999 else { return nil }
    for y in 0..<height {
      for x in 0..<width {
        let own = under[y * width + x]
        guard own >= 0 else { continue }
        for (dx, dy) in [(1, 0), (0, 1)] where x + dx < width && y + dy < height {
          let other = under[(y + dy) * width + x + dx]
          if other >= 0, other != own, !hasContour(picture, tile, x, y) {
            return
              "lacks a contour between labels \(own) and \(other) at column \(tile.left + x), row "
              + "\(tile.top + y)"
          }
        }
      }
    }
    return nil
  }

  private func hasContour(
    _ picture: PictureBytes, _ tile: PlacedTile, _ x: Int, _ y: Int
  ) -> Bool {
    let reach = reach(tile)
    for row in max(0, y - reach)...min(tile.geometry.rows - 1, y + reach) {
      for column in max(0, x - reach)...min(tile.geometry.columns - 1, x + reach) {
        if contours.contains(picture.color(tile.left + column, tile.top + row)) { return true }
      }
    }
    return false
  }

  /// The labels around a pixel, 0 among them where something has none, and -1 for the edge.
  private func labelsNear(_ x: Int, _ y: Int, _ tile: PlacedTile, _ under: [Int16]) -> Set<Int> {
    var near = Set<Int>()
    let (reach, width, height) = (reach(tile), tile.geometry.columns, tile.geometry.rows)
    for row in y - reach...y + reach {
      for column in x - reach...x + reach {
        let isInside = column >= 0 && row >= 0 && column < width && row < height
        near.insert(isInside ? Int(under[row * width + column]) : -1)
      }
    }
    return near
  }

  /// Pixels from a border to the far side of its contour, which is wider where voxels are large.
  private func reach(_ tile: PlacedTile) -> Int { voxelSize(tile) < 5.999 ? 2 : 3 }

  /// The shorter side of a voxel in pixels.
  private func voxelSize(_ tile: PlacedTile) -> Double {
    let affine = labels.grid.affine
    let sides = [affine.slice, affine.row, affine.column].map {
      ($0 * $0).sum().squareRoot() * tile.geometry.scale
    }
    return sides.indices.filter { $0 != tile.normal }.map { sides[$0] }.min() ?? 0
  }

  // MARK: Voxels

  /// The voxel at a place; nil beyond what is shown, and where it is a matter of rounding.
  private func inside(_ place: SIMD3<Double>, edge: SIMD3<Double>) -> SIMD3<Int>? {
    let first = SIMD3(
      Double(columns.lowerBound), Double(rows.lowerBound), Double(slices.lowerBound))
    let last = SIMD3(
      Double(columns.upperBound), Double(rows.upperBound), Double(slices.upperBound))
    guard all(place .> first - 0.5 + edge), all(place .< last - 0.5 - edge) else { return nil }
    return SIMD3(Int(place.x.rounded()), Int(place.y.rounded()), Int(place.z.rounded()))
  }

  private func label(_ voxel: SIMD3<Int>) -> UInt8 {
    labels.labels[(voxel.z * labels.grid.rows + voxel.y) * labels.grid.columns + voxel.x]
  }

  private func level(_ x: Int, _ y: Int, _ z: Int) -> Double {
    let row = (z - slices.lowerBound) * labels.grid.rows + y
    return Double(gray[row * labels.grid.columns + x])
  }

  /// Whether a pixel is as bright as the images at its place, linear between voxel centres.
  private func isBright(_ color: UInt32, _ place: SIMD3<Double>, normal: Int) -> Bool {
    let shade = color & 0xFF
    guard color == shade * 0x01_01_01 else { return false }
    func split(_ value: Double, _ range: Range<Int>) -> (Int, Int, Double) {
      let clamped = min(max(value, Double(range.lowerBound)), Double(range.upperBound - 1))
      let low = Int(clamped)
      return (low, min(low + 1, range.upperBound - 1), clamped - Double(low))
    }
    let (x0, x1, fx) = split(place.x, columns)
    let (y0, y1, fy) = split(place.y, rows)
    let (z0, z1, fz) = split(place.z, slices)
    func plane(_ z: Int) -> Double {
      (level(x0, y0, z) * (1 - fx) + level(x1, y0, z) * fx) * (1 - fy)
        + (level(x0, y1, z) * (1 - fx) + level(x1, y1, z) * fx) * fy
    }
    var due = plane(z0)
    if fz > 1e-3 { due = due * (1 - fz) + plane(z1) * fz }
    let difference = abs(due - Double(shade))
    return difference <= 3 || difference <= 3 + 0.03 * contrast(at: place, normal: normal)
  }

  /// How far the gray levels around a place differ: Cairo interpolates in steps of 1/128 of a voxel, and rounds
  /// to either side.
  private func contrast(at place: SIMD3<Double>, normal: Int) -> Double {
    func around(_ value: Double, _ range: Range<Int>, _ axis: Int) -> ClosedRange<Int> {
      let middle = min(max(Int(value.rounded()), range.lowerBound), range.upperBound - 1)
      guard axis != normal else { return middle...middle }
      return max(middle - 1, range.lowerBound)...min(middle + 1, range.upperBound - 1)
    }
    var (low, high) = (255.0, 0.0)
    for z in around(place.z, slices, 0) {
      for y in around(place.y, rows, 1) {
        for x in around(place.x, columns, 2) {
          let level = level(x, y, z)
          (low, high) = (min(low, level), max(high, level))
        }
      }
    }
    return high - low
  }
}

/// From the pixels of a tile to places in the stack, in voxels: column, row, slice.
private struct VoxelWalk {
  private let first: SIMD3<Double>
  private let right: SIMD3<Double>
  private let below: SIMD3<Double>
  /// How far from the edge of the image a pixel has to be, in voxels, so that it is certain to be of the image:
  /// where the edge is not along rows or columns, nearly a pixel.
  let edge: SIMD3<Double>

  init(_ tile: PlacedTile, of stack: SliceStack, _ grid: VolumeGrid) {
    let image = stack.frames[tile.normal == 0 ? tile.index : 0]
    let (o, p, spacing) = (image.imageOrientation, image.imagePosition, image.pixelSpacing)
    let column = SIMD3(o[0], o[1], o[2]) * spacing[1]
    let row = SIMD3(o[3], o[4], o[5]) * spacing[0]
    let corner = SIMD3(p[0], p[1], p[2])
    var slice = SIMD3(
      column.y * row.z - column.z * row.y, column.z * row.x - column.x * row.z,
      column.x * row.y - column.y * row.x)
    if tile.normal != 0, stack.frames.count > 1, let last = stack.frames.last {
      let end = last.imagePosition
      slice = (SIMD3(end[0], end[1], end[2]) - corner) / Double(stack.frames.count - 1)
    }
    // Cramer's rule.
    func triple(_ a: SIMD3<Double>, _ b: SIMD3<Double>, _ c: SIMD3<Double>) -> Double {
      a.x * (b.y * c.z - b.z * c.y) - a.y * (b.x * c.z - b.z * c.x)
        + a.z * (b.x * c.y - b.y * c.x)
    }
    let whole = triple(column, row, slice)
    func voxels(_ vector: SIMD3<Double>) -> SIMD3<Double> {
      SIMD3(
        triple(vector, row, slice) / whole, triple(column, vector, slice) / whole,
        triple(column, row, vector) / whole)
    }
    var first = voxels(tile.geometry.origin - corner)
    var (right, below) = (voxels(tile.geometry.across), voxels(tile.geometry.down))
    if tile.normal == 0 {
      (first.z, right.z, below.z) = (Double(tile.index), 0, 0)
    }
    (self.first, self.right, self.below) = (first, right, below)
    var (edge, isAlong) = (SIMD3<Double>(repeating: 1e-3), true)
    for axis in 0..<3 where min(abs(right[axis]), abs(below[axis])) > 1e-9 { isAlong = false }
    if !isAlong {
      for axis in 0..<3 { edge[axis] += 0.8 * (abs(right[axis]) + abs(below[axis])) }
    }
    self.edge = edge
  }

  func voxel(_ column: Int, _ row: Int) -> SIMD3<Double> {
    first + Double(column) * right + Double(row) * below
  }
}
