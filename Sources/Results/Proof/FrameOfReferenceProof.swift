import DICOM
import Volumes

extension WrittenObject {
  /// The frame of reference must be the one that the images share, or one that follows from their series.
  func proveFrameOfReference(of stack: SliceStack, _ source: SourceRecord) throws(ProofError) {
    let stated = Set(
      stack.frames.map {
        $0.frameNumber == nil
          ? source.text(.frameOfReferenceUID, of: $0.file) ?? "" : $0.frameOfReferenceUID
      })
    let shared = stated.count == 1 ? stated.first ?? "" : ""
    let series = stack.frames.first?.seriesInstanceUID ?? ""
    let wanted = DICOMUID.isValid(shared) ? shared : DICOMUID.named("frame of reference/\(series)")
    try expect(
      dataset.text(.frameOfReferenceUID) == wanted, .frameOfReferenceUID, "is not the source's")
  }
}
