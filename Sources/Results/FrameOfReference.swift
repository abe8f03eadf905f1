import DICOM
import Volumes

extension Dataset {
  /// Adds the frame of reference of a result (PS3.3 C.7.4.1).
  ///
  /// - Parameters:
  ///   - stack: the source images.
  ///   - source: header of one of them.
  mutating func addFrameOfReference(of stack: SliceStack, source: Dataset) {
    set(.frameOfReferenceUID, .UI, stack.frameOfReferenceUIDOfResult)
    self[.positionReferenceIndicator] =
      source[.positionReferenceIndicator] ?? DataElement(.LO, .text([]))
  }
}

extension SliceStack {
  /// Frame of Reference UID (0020,0052) of a result: the one that the images share, or one that follows
  /// from their series, where the geometry gate took their positions as those of one volume.
  var frameOfReferenceUIDOfResult: String {
    guard let first = frames.first else { return "" }
    return hasFrameOfReference
      ? first.frameOfReferenceUID
      : GivenFrameOfReference.uid(ofSeries: first.seriesInstanceUID)
  }
}

/// The frame of reference of results on images that share none.
public enum GivenFrameOfReference {
  /// The UID that follows from the images' series.
  public static func uid(ofSeries uid: String) -> String {
    DICOMUID.named("frame of reference/\(uid)")
  }
}
