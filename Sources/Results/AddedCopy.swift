import DICOM
import Foundation

/// Makes of a result that names the series whose place it takes one that does not, for archives where results are
/// added to earlier ones.
///
/// It stays the same instance: its UIDs, and all that it says of patient, images and structures, are those of the
/// original, so that reports refer to it as ever.
public enum AddedCopy {
  /// Writes the copy, mode 0600, and proves it.
  ///
  /// - Parameters:
  ///   - path: of an object of ours that was proved.
  ///   - written: path of the new file; an older one there is replaced.
  /// - Returns: false where the object names no such series, and no file is written.
  /// - Throws: `DICOMError`, or ``ProofError`` where the copy is not the original in all else; there is no new file
  ///   then.
  public static func write(_ path: String, to written: String) throws -> Bool {
    let file = try DICOMFile.mapped(path: path, storedValuesOf: []).file
    var dataset = file.dataset
    guard dataset.contains(.relatedSeriesSequence) else { return false }
    dataset[.relatedSeriesSequence] = nil
    let pixels = dataset.contains(.bitsAllocated) ? try file.pixelsOnDisk() : nil
    do {
      try dataset.write(to: written, pixelData: try pixels.map(StreamedPixelData.init(copying:)))
      let copy = try WrittenObject(written, hasPixels: pixels != nil)
      try copy.proveFileMetaInformation()
      try copy.expect(
        copy.dataset == dataset, .relatedSeriesSequence, "is not all that the copy lacks")
      let isSame = try pixels.map { try copy.pixels?.hasSameBytes(as: $0) == true } ?? true
      try copy.expect(isSame, .pixelData, "is not that of the original")
    } catch {
      unlink(written)
      throw error
    }
    return true
  }
}
