import DICOM
import Foundation
import Ingest
import JobLedger
import Results

/// Whether a segmentation object that came back is a result of ours, or one that somebody corrected.
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
    }
    // Of another installation, or of a result whose files are purged.
    return ResultIdentifiers.track(dataset)
  }

  /// Pixels, segments, and the segment and place of each frame.
  private func holdsTheSame(_ sent: String, _ received: String) -> Bool {
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
