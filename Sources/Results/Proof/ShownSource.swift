import DICOM
import Synchronization
import Terminology
import Volumes

/// The pixels of one picture as they are on disk.
struct PictureBytes {
  let bytes: ArraySlice<UInt8>
  let columns: Int
  let rows: Int

  func color(_ column: Int, _ row: Int) -> (UInt8, UInt8, UInt8) {
    let start = bytes.startIndex + (row * columns + column) * 3
    return (bytes[start], bytes[start + 1], bytes[start + 2])
  }

  /// Says so where rows that have to have text in them are empty, as without a font.
  func lacksText(_ lines: Range<Int>) -> String? {
    var bright = 0
    for row in lines {
      for column in 0..<columns where color(column, row).0 > 120 { bright += 1 }
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
/// colour of a label whose border is not further away than ``reach``; and along each border there has to be one.
struct ShownSource: Sendable {
  private let stack: SliceStack
  private let labels: LabelVolume
  private let colors: [Int: (UInt8, UInt8, UInt8)]
  /// Gray levels of the slices that are shown, order z, y, x.
  private let gray: [UInt8]
  private let slices: Range<Int>
  private let rows: Range<Int>
  private let columns: Range<Int>

  /// Pixels from a border to its contour.
  private static let reach = 2

  init(_ object: CaptureObject) throws(ProofError) {
    stack = object.source
    labels = object.labels
    var colors: [Int: (UInt8, UInt8, UInt8)] = [:]
    for segment in object.segments where segment.color.count == 3 {
      colors[Int(segment.value)] = (segment.color[0], segment.color[1], segment.color[2])
    }
    self.colors = colors
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
    if let fault = hidden(tile) { return fault }
    let (width, height) = (tile.geometry.columns, tile.geometry.rows)
    guard tile.left >= 0, tile.top >= 0, tile.left + width <= picture.columns,
      tile.top + height <= picture.rows
    else { return "is not as large as what it shows" }
    // The label under each pixel; -1 beside the image.
    var under = [Int16](repeating: -1, count: width * height)
    for y in 0..<height {
      for x in 0..<width {
        if let place = inside(walk.voxel(x, y), tile.normal) {
          under[y * width + x] = Int16(label(place))
        }
      }
    }
    var shown = Set<Int>()
    for y in 0..<height {
      for x in 0..<width where under[y * width + x] >= 0 {
        let color = picture.color(tile.left + x, tile.top + y)
        if isBright(color, walk.voxel(x, y)) { continue }
        let near = labelsNear(x, y, width, height, under)
        guard near.count > 1,
          let label = near.first(where: { $0 > 0 && isColor(color, of: $0) })
        else {
          return near.count > 1 || near.contains(-1)
            ? "differs from the source image at column \(tile.left + x), row \(tile.top + y)"
            : "has a contour where none is due, or differs from the source image, at column "
              + "\(tile.left + x), row \(tile.top + y)"
        }
        shown.insert(label)
      }
    }
    return missingContour(picture, tile, under, shown)
  }

  /// Voxels with a label must not be beyond what a tile shows.
  private func hidden(_ tile: PlacedTile) -> String? {
    let grid = labels.grid
    let counts = [grid.slices, grid.rows, grid.columns]
    let strides = [grid.rows * grid.columns, grid.columns, 1]
    // Of a page's planes across the images the slices that are shown are those of the box.
    let ranges = [tile.normal == 0 ? 0..<counts[0] : slices, rows, columns]
    let others = (0..<3).filter { $0 != tile.normal }
    for a in 0..<counts[others[0]] {
      for b in 0..<counts[others[1]] {
        let voxel =
          tile.index * strides[tile.normal] + a * strides[others[0]] + b * strides[others[1]]
        if labels.labels[voxel] != 0,
          !ranges[others[0]].contains(a) || !ranges[others[1]].contains(b)
        {
          return "leaves out voxels with a label"
        }
      }
    }
    return nil
  }

  /// Along every border there must be a contour, and of each label there must be one.
  private func missingContour(
    _ picture: PictureBytes, _ tile: PlacedTile, _ under: [Int16], _ shown: Set<Int>
  ) -> String? {
    let (width, height) = (tile.geometry.columns, tile.geometry.rows)
    // Where voxels are smaller than pixels there is no place for each contour.
    let least =
      [
        labels.grid.affine.slice, labels.grid.affine.row, labels.grid.affine.column,
      ].enumerated().filter { $0.offset != tile.normal }
      .map { ($0.element * $0.element).sum().squareRoot() * tile.geometry.scale }.min() ?? 0
    if least >= 1.999,
      let label = Set(under).subtracting([-1, 0]).map(Int.init)
        .filter({ !shown.contains($0) }).min()
    {
      return "lacks the contour of label \(label)"
    }
    guard least >= 0.999 else { return nil }
    for y in 0..<height {
      for x in 0..<width {
        let own = under[y * width + x]
        guard own >= 0 else { continue }
        for (dx, dy) in [(1, 0), (0, 1)] where x + dx < width && y + dy < height {
          let other = under[(y + dy) * width + x + dx]
          guard other >= 0, other != own else { continue }
          if !hasContour(picture, tile, x, y) {
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
    for dy in -Self.reach...Self.reach {
      for dx in -Self.reach...Self.reach {
        let (column, row) = (x + dx, y + dy)
        guard column >= 0, row >= 0, column < tile.geometry.columns, row < tile.geometry.rows
        else { continue }
        let color = picture.color(tile.left + column, tile.top + row)
        if colors.values.contains(where: { $0 == color }) { return true }
      }
    }
    return false
  }

  /// The labels around a pixel, 0 among them where something has none, and -1 for the edge.
  private func labelsNear(
    _ x: Int, _ y: Int, _ width: Int, _ height: Int, _ under: [Int16]
  ) -> Set<Int> {
    var near = Set<Int>()
    for dy in -Self.reach...Self.reach {
      for dx in -Self.reach...Self.reach {
        let (column, row) = (x + dx, y + dy)
        let isInside = column >= 0 && row >= 0 && column < width && row < height
        near.insert(isInside ? Int(under[row * width + column]) : -1)
      }
    }
    return near
  }

  private func isColor(_ color: (UInt8, UInt8, UInt8), of label: Int) -> Bool {
    color == colors[label] ?? (255, 255, 255)
  }

  // MARK: Voxels

  /// The voxel at a place; nil beyond what is shown.
  private func inside(_ place: SIMD3<Double>, _ normal: Int) -> SIMD3<Int>? {
    let voxel = SIMD3(
      Int(place.x.rounded()), Int(place.y.rounded()), Int(place.z.rounded()))
    // At the outermost edge it is a matter of rounding.
    let isFirm = { (value: Double, range: Range<Int>) in
      value > Double(range.lowerBound) - 0.499 && value < Double(range.upperBound) - 0.501
    }
    return isFirm(place.x, columns) && isFirm(place.y, rows) && isFirm(place.z, slices)
      ? voxel : nil
  }

  private func label(_ voxel: SIMD3<Int>) -> UInt8 {
    labels.labels[(voxel.z * labels.grid.rows + voxel.y) * labels.grid.columns + voxel.x]
  }

  private func level(_ x: Int, _ y: Int, _ z: Int) -> Double {
    let index =
      ((z - slices.lowerBound) * labels.grid.rows + y) * labels.grid.columns + x
    return Double(gray[index])
  }

  /// Whether a pixel is as bright as the images at its place, linear between voxel centres.
  private func isBright(_ color: (UInt8, UInt8, UInt8), _ place: SIMD3<Double>) -> Bool {
    guard color.0 == color.1, color.1 == color.2 else { return false }
    func split(_ value: Double, _ range: Range<Int>) -> (Int, Int, Double) {
      let clamped = min(max(value, Double(range.lowerBound)), Double(range.upperBound - 1))
      let low = Int(clamped.rounded(.down))
      return (low, min(low + 1, range.upperBound - 1), clamped - Double(low))
    }
    let (x0, x1, fx) = split(place.x, columns)
    let (y0, y1, fy) = split(place.y, rows)
    let (z0, z1, fz) = split(place.z, slices)
    var (sum, low, high) = (0.0, 255.0, 0.0)
    for (x, wx) in [(x0, 1 - fx), (x1, fx)] {
      for (y, wy) in [(y0, 1 - fy), (y1, fy)] {
        for (z, wz) in [(z0, 1 - fz), (z1, fz)] where wz > 1e-3 {
          let value = level(x, y, z)
          sum += wx * wy * wz * value
          (low, high) = (min(low, value), max(high, value))
        }
      }
    }
    // Cairo interpolates in steps of 1/128 of a voxel.
    return abs(sum - Double(color.0)) <= 3 + 0.03 * (high - low)
  }
}

/// From the pixels of a tile to places in the stack, in voxels: column, row, slice.
private struct VoxelWalk {
  private let first: SIMD3<Double>
  private let right: SIMD3<Double>
  private let below: SIMD3<Double>

  init(_ tile: PlacedTile, of stack: SliceStack, _ grid: VolumeGrid) {
    let image = stack.frames[tile.normal == 0 ? tile.index : 0]
    let (o, p, spacing) = (image.imageOrientation, image.imagePosition, image.pixelSpacing)
    let column = SIMD3(o[0], o[1], o[2]) * spacing[1]
    let row = SIMD3(o[3], o[4], o[5]) * spacing[0]
    var corner = SIMD3(p[0], p[1], p[2])
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
    corner = first
    (self.first, self.right, self.below) = (corner, right, below)
  }

  func voxel(_ column: Int, _ row: Int) -> SIMD3<Double> {
    first + Double(column) * right + Double(row) * below
  }
}
