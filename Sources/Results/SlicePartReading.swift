import DICOM
import Volumes

extension SliceStack {
  /// Reads slices in parts of not too many voxels.
  ///
  /// - Parameters:
  ///   - slices: their indices.
  ///   - body: receives the slices of a part and their voxels in modality units, order z, y, x.
  /// - Throws: `DICOMError` where a source file cannot be read.
  func forEachPart(
    of slices: Range<Int>, _ body: (Range<Int>, VoxelStorage) -> Void
  ) throws(DICOMError) {
    let plane = max(sourceGrid.rows * sourceGrid.columns, 1)
    let count = max(1, (1 << 24) / plane)
    let files = Dictionary(
      frames.map { ($0.sopInstanceUID, $0.file) }, uniquingKeysWith: { first, _ in first })
    for start in stride(from: slices.lowerBound, to: slices.upperBound, by: count) {
      let range = start..<min(start + count, slices.upperBound)
      var part = SliceStack(grid: sourceGrid, frames: Array(frames[range]))
      part.grid.slices = range.count
      body(range, try PixelReader.read(part) { files[$0] }.storage)
    }
  }
}
