import Foundation
import NIfTI
import Results
import Terminology
import Volumes

/// Labels that are known of an image, read from a file.
public enum KnownLabels {
  /// Labels of a NIfTI file unchanged, or of a segmentation object or a structure set on the grid.
  ///
  /// A segment has the label with its codes (Segmented Property Type and its modifier), of several
  /// that of its name, as a region of a structure set has where no label has its codes; where no labels are given it has
  /// its number.
  ///
  /// - Parameters:
  ///   - url: a NIfTI file, a DICOM SEG or an RTSTRUCT.
  ///   - grid: the voxels onto which a segmentation object is put.
  ///   - labels: of the model.
  /// - Throws: `NIfTIError` or `SegmentationLabelsError`.
  public static func read(
    _ url: URL, onto grid: VolumeGrid, labels: [SegmentDescription]
  ) throws -> LabelVolume {
    if NIfTIFile.isNamed(url.path) { return try NIfTIFile(path: url.path).labels() }
    return try SegmentationLabels.read(url.path, onto: grid) { segment in
      guard !labels.isEmpty else { return UInt8(exactly: segment.number) }
      let alike = labels.filter {
        segment.type == .init($0.type)
          && segment.modifier == $0.modifier.map(SegmentationLabels.Code.init)
      }
      if let label = alike.first(where: { $0.name == segment.name }) ?? alike.first {
        return label.value
      }
      let named = labels.filter { segment.isRegion && segment.isNamed($0.name) }
      return named.count == 1 ? named[0].value : nil
    }
  }
}
