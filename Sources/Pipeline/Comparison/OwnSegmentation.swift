import DICOM
import Foundation
import Ingest
import JobLedger
import Results

/// Whether a segmentation object or structure set that came back is a result of ours, or one that somebody corrected.
///
/// Who made it says nothing: an archive may coerce Manufacturer, and a program that saves a correction in place
/// may keep it. What tells is the instance and what it holds.
struct OwnSegmentation {
  let state: StateDirectory
  let ledger: Ledger

  /// - Parameters:
  ///   - path: of the object that came.
  ///   - dataset: of the object.
  /// - Throws: `LedgerError`.
  func isSent(_ path: String, _ dataset: Dataset) throws(LedgerError) -> Bool {
    if let uid = dataset.text(.sopInstanceUID), let own = try ledger.resultObject(uid) {
      let sent = state.file(own.path).path
      if FileManager.default.fileExists(atPath: sent) { return holdsTheSame(sent, path) }
      if dataset.text(.sopClassUID) == StructureSetStorage.sopClassUID { return true }
    }
    // Of another installation, or of a result whose files are purged. A structure set has nothing else that
    // tells.
    return ResultIdentifiers.track(dataset)
  }

  private func holdsTheSame(_ sent: String, _ received: String) -> Bool {
    guard let ours = try? DICOMFile(path: sent).dataset,
      ours.text(.sopClassUID) == StructureSetStorage.sopClassUID
    else { return holdsTheSamePixels(sent, received) }
    guard let theirs = try? DICOMFile(path: received).dataset,
      let segments = try? SegmentationLabels.segments(of: sent),
      let otherSegments = try? SegmentationLabels.segments(of: received)
    else { return false }
    return segments == otherSegments && contours(ours) == contours(theirs)
  }

  private struct Contour: Equatable {
    var region: Int?
    var points: String?
  }

  private func contours(_ dataset: Dataset) -> [Contour] {
    dataset.items(.roiContourSequence).flatMap { region in
      region.items(.contourSequence).map {
        Contour(region: region.integer(.referencedROINumber), points: $0.text(.contourData))
      }
    }
  }

  /// Pixels, segments, and the segment and place of each frame.
  private func holdsTheSamePixels(_ sent: String, _ received: String) -> Bool {
    guard let (ours, pixels) = try? DICOMFile.withNativePixels(path: sent),
      let (theirs, others) = try? DICOMFile.withNativePixels(path: received),
      let segments = try? SegmentationLabels.segments(of: sent),
      let otherSegments = try? SegmentationLabels.segments(of: received)
    else { return false }
    return pixels == others && segments == otherSegments && frames(ours) == frames(theirs)
  }

  private struct Frame: Equatable {
    var segment: Int?
    var position: [Double]
  }

  private func frames(_ dataset: Dataset) -> [Frame] {
    dataset.items(.perFrameFunctionalGroups).map { frame in
      Frame(
        segment: frame.items(.segmentIdentificationSequence).first?
          .integer(.referencedSegmentNumber),
        position: frame.items(.planePositionSequence).first?.reals(.imagePosition) ?? [])
    }
  }
}
