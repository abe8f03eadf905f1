import DICOM
import Volumes

extension SliceStack {
  /// Frame of Reference UID (0020,0052) of a result: the one that the images share, or one that follows
  /// from their series, where the geometry gate took their positions as those of one volume.
  var frameOfReferenceUIDOfResult: String {
    guard let first = frames.first else { return "" }
    return hasFrameOfReference
      ? first.frameOfReferenceUID
      : DICOMUID.named("frame of reference/\(first.seriesInstanceUID)")
  }
}
