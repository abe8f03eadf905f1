import DICOM
import Terminology
import Volumes

/// Gray levels and labels of the part of a volume that is drawn.
protocol ShownVoxels {
  /// Of the part.
  var grid: VolumeGrid { get }
  /// Of the grid, order z, y, x.
  var gray: [UInt8] { get }
  var labels: [UInt8] { get }

  /// Centre in mm of a voxel of the part.
  func point(slice: Int, row: Int, column: Int) -> SIMD3<Double>
}

/// What the pictures of a result are drawn from: gray levels and labels of the part of the images in which
/// something was found.
struct CaptureVolume: ShownVoxels, Sendable {
  let stack: SliceStack
  let box: VoxelBox
  let window: GrayWindow
  /// Of the box, order z, y, x.
  let gray: [UInt8]
  let labels: [UInt8]
  /// Of the box. Only the frames say where slices at uneven steps are.
  let grid: VolumeGrid

  /// - Parameters:
  ///   - labels: on the images of the stack.
  ///   - stack: the source images, which are read.
  /// - Throws: `DICOMError` where a source file cannot be read.
  init(_ labels: LabelVolume, of stack: SliceStack) throws(DICOMError) {
    let (window, box) = (
      try GrayWindow(for: stack, labels), VoxelBox(around: labels, margin: 15, least: 60)
    )
    (self.stack, self.window, self.box) = (stack, window, box)
    grid = box.grid(in: stack.sourceGrid)
    let (width, plane) = (labels.grid.columns, labels.grid.columns * labels.grid.rows)
    var gray: [UInt8] = []
    gray.reserveCapacity(grid.voxelCount)
    try stack.forEachPart(of: box.slices) { slices, storage in
      for slice in slices {
        let first = (slice - slices.lowerBound) * plane
        switch storage {
        case .int16(let values):
          gray += box.cut(values, from: first, columns: width).map { window.level(Float($0)) }
        case .float(let values):
          gray += box.cut(values, from: first, columns: width).map(window.level)
        }
      }
    }
    self.gray = gray
    self.labels = box.slices.flatMap {
      box.cut(labels.labels, from: $0 * plane, columns: width)
    }
  }

  /// Centre in mm of a voxel of the box.
  func point(slice: Int, row: Int, column: Int) -> SIMD3<Double> {
    guard stack.sliceIndices != nil else {
      return grid.affine.point([Double(column), Double(row), Double(slice)])
    }
    let image = position(stack.frames[box.slices.lowerBound + slice])
    return image
      + Double(box.columns.lowerBound + column) * grid.affine.column
      + Double(box.rows.lowerBound + row) * grid.affine.row
  }

  /// Slices of the stack with a label, from the first to the last one and two more on both sides.
  var shownSlices: Range<Int> {
    let plane = grid.rows * grid.columns
    let found = (0..<grid.slices).filter { slice in
      labels[slice * plane..<(slice + 1) * plane].contains { $0 != 0 }
    }
    guard let first = found.first, let last = found.last else { return box.slices }
    let shift = box.slices.lowerBound
    return max(
      box.slices.lowerBound, shift + first - 2)..<min(box.slices.upperBound, shift + last + 3)
  }
}

/// The segments of a result with their colours.
struct CapturePalette: Sendable {
  /// Those that were found, in the model's order.
  let found: [SegmentDescription]
  private let colors: [Picture.Color?]

  /// - Parameters:
  ///   - segments: one for each label.
  ///   - volumes: any.
  init(_ segments: [SegmentDescription], of volumes: LabelVolume...) {
    self.init(segments, of: volumes)
  }

  init(_ segments: [SegmentDescription], of volumes: [LabelVolume]) {
    var isPresent = [Bool](repeating: false, count: 256)
    for volume in volumes {
      volume.labels.withUnsafeBufferPointer { for label in $0 { isPresent[Int(label)] = true } }
    }
    found = segments.filter { isPresent[Int($0.value)] && $0.value != 0 }
    var colors = [Picture.Color?](repeating: nil, count: 256)
    for segment in segments where segment.color.count == 3 {
      colors[Int(segment.value)] = Picture.Color(
        segment.color[0], segment.color[1], segment.color[2])
    }
    self.colors = colors
  }

  /// The colour of a label; white where the model gives none.
  func color(_ label: UInt8) -> Picture.Color {
    colors[Int(label)] ?? Picture.Color(gray: 255)
  }
}
