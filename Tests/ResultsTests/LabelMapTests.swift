import DICOM
import Foundation
import TestSupport
import Testing
import Volumes

@testable import Results

/// Label maps (Supplement 243). Other programs read them in ``SegmentationReadersTests``.
@Suite struct LabelMapTests {
  private let series: PhantomSeries
  private let labels: LabelVolume
  private var path: String { series.folder.url.appendingPathComponent("labelmap.dcm").path }

  init() throws {
    series = try PhantomSeries()
    labels = PhantomLabels.volume(on: series.stack.grid)
  }

  private func object() -> SegmentationObject { series.segmentation(labels, form: .labelMap) }

  /// Also the third slice has one, in which there is nothing.
  @Test func aFrameIsOfASlice() throws {
    let object = object()
    #expect(try object.write(to: path) == .written)
    try object.prove(path)
    let (dataset, pixels) = try DICOMFile.withNativePixels(path: path)
    #expect(dataset.text(.sopClassUID) == "1.2.840.10008.5.1.4.1.1.66.7")
    #expect(dataset.text(.numberOfFrames) == "6")
    #expect(dataset.items(.segmentSequence).map { $0.integer(.segmentNumber) } == [0, 1, 2])
    #expect(dataset.text(.seriesDescription) == "phantom label map (research use only)")
    #expect(pixels == labels.labels.map { $0 == 5 ? 1 : $0 == 1 ? 2 : 0 })
  }

  @Test func nothingIsWrittenWhereNothingIsFound() throws {
    let empty = LabelVolume(
      grid: labels.grid, labels: [UInt8](repeating: 0, count: labels.labels.count))
    #expect(
      try series.segmentation(empty, form: .labelMap).write(to: path) == .nothingFound)
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test func segmentsThatOverlapAreRefused() throws {
    var segments = PhantomLabels.segments
    segments[0].labels = [1, 5]
    let object = series.segmentation(labels, segments: segments, form: .labelMap)
    let error = #expect(throws: SegmentationError.self) { try object.write(to: path) }
    #expect(error?.description.contains("overlap") == true)
  }

  /// What is particular to it; the rest is proved as of every segmentation.
  static let faults: [WrittenFault] = [
    .bits("another value", says: "1 voxel differs") { _, pixels in pixels[20] = 3 },
    .bits("background where a segment is", says: "1 voxel differs") { _, pixels in
      if let place = pixels.firstIndex(where: { $0 > 0 }) { pixels[place] = 0 }
    },
    .text(.segmentationType, .CS, "BINARY"),
    .text(.sopClassUID, .UI, "1.2.840.10008.5.1.4.1.1.66.4"),
    .text(.segmentsOverlap, .CS, "YES"),
    .at(.pixelPaddingValue, "another background") { $0.set(.pixelPaddingValue, .US, 1) },
    .at(.pixelPaddingValue, "no background") { $0[.pixelPaddingValue] = nil },
    .at(.segmentNumber, "a background of another number") { dataset in
      dataset.change(0, of: .segmentSequence) { $0.set(.segmentNumber, .US, 3) }
    },
    .at(.codeValue, "a background that is something") { dataset in
      dataset.change(0, of: .segmentSequence) { segment in
        segment.change(0, of: .segmentedPropertyTypeCodeSequence) {
          $0.set(.codeValue, .SH, "78961009")
        }
      }
    },
    .at(.segmentLabel, "labels of two segments swapped") { dataset in
      let labels = dataset.items(.segmentSequence).map { $0[.segmentLabel] }
      for (index, other) in [(1, 2), (2, 1)] {
        dataset.change(index, of: .segmentSequence) { $0[.segmentLabel] = labels[other] }
      }
    },
    .at(.dimensionIndexValues, "other dimension indices") { dataset in
      dataset.changeFrame(2) { frame in
        frame.change(0, of: .frameContentSequence) { $0.set(.dimensionIndexValues, .UL, 9) }
      }
    },
    .at(.segmentIdentificationSequence, "a frame of one segment") { dataset in
      dataset.changeFrame(2) { frame in
        var item = Dataset()
        item.set(.referencedSegmentNumber, .US, 1)
        frame.set(.segmentIdentificationSequence, [item])
      }
    },
    .text(.patientID, .LO, "OTHER"),
  ]

  @Test(arguments: WrittenFault.ofBytes + faults)
  func aFaultIsFound(fault: WrittenFault) throws {
    try fault.expectFound(in: object(), at: path)
  }
}
