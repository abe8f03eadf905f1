import DICOM
import Volumes

/// Some slices of a volume with their labels.
struct ShownSlices: Sendable {
  /// On one grid, whose slices are those that are shown.
  let volume: Volume
  let labels: LabelVolume
  /// Places of the slices in the whole volume.
  let indices: [Int]

  /// - Parameters:
  ///   - indices: places of the slices, at least one.
  ///   - volume: the whole one, order z, y, x.
  ///   - labels: on its grid.
  init(_ indices: [Int], _ volume: Volume, _ labels: LabelVolume) {
    let storage: VoxelStorage =
      switch volume.storage {
      case .int16(let values): .int16(Self.part(indices, of: values, volume.grid))
      case .float(let values): .float(Self.part(indices, of: values, volume.grid))
      }
    var grid = volume.grid
    grid.slices = indices.count
    self.volume = Volume(grid: grid, storage: storage)
    self.labels = LabelVolume(
      grid: grid, labels: Self.part(indices, of: labels.labels, volume.grid))
    self.indices = indices
  }

  /// Reads the slices of a stack that are shown, and no others.
  ///
  /// - Parameters:
  ///   - indices: places of the slices, at least one.
  ///   - labels: on the images of the stack.
  ///   - stack: the source images.
  /// - Throws: `DICOMError` where a source file cannot be read.
  init(
    _ indices: [Int], _ labels: LabelVolume, of stack: SliceStack
  ) throws(DICOMError) {
    var part = SliceStack(grid: stack.sourceGrid, frames: indices.map { stack.frames[$0] })
    part.grid.slices = indices.count
    let files = Dictionary(
      stack.frames.map { ($0.sopInstanceUID, $0.file) }, uniquingKeysWith: { first, _ in first })
    volume = try PixelReader.read(part) { files[$0] }
    self.labels = LabelVolume(
      grid: part.grid, labels: Self.part(indices, of: labels.labels, labels.grid))
    self.indices = indices
  }

  private static func part<Value>(
    _ indices: [Int], of values: [Value], _ grid: VolumeGrid
  ) -> [Value] {
    let plane = grid.rows * grid.columns
    return indices.flatMap { values[$0 * plane..<($0 + 1) * plane] }
  }
}
