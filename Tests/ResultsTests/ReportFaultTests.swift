import DICOM
import Foundation
import TestSupport
import Testing
import Volumes

@testable import Results

/// Whatever is wrong in a written report, the proof finds it and names it.
@Suite struct ReportFaultTests {
  struct Fault: CustomTestStringConvertible, Sendable {
    var what: String
    var says: String
    var change: @Sendable (inout Dataset) -> Void
    var testDescription: String { what }

    init(_ tag: DICOM.Tag, _ what: String, _ change: @escaping @Sendable (inout Dataset) -> Void) {
      (self.what, says, self.change) = (what, "\(tag)", change)
    }

    static func text(_ tag: DICOM.Tag, _ vr: VR, _ text: String) -> Fault {
      Fault(tag, "another \(tag)") { $0.set(tag, vr, text) }
    }

    /// Within the item of a concept, the first one in the order of the tree.
    static func item(
      _ meaning: String, _ tag: DICOM.Tag, _ what: String,
      _ change: @escaping @Sendable (inout Dataset) -> Void
    ) -> Fault {
      Fault(tag, what) { dataset in
        let isChanged = dataset.changeItem(meaning, change)
        #expect(isChanged, "no item \(meaning)")
      }
    }
  }

  static let faults: [Fault] = [
    .text(.patientID, .LO, "OTHER"), .text(.patientName, .PN, "Roe^Richard"),
    .text(.accessionNumber, .SH, "A2"), .text(.studyInstanceUID, .UI, "2.25.7"),
    .text(.seriesInstanceUID, .UI, "2.25.7"),
    .text(.sopClassUID, .UI, "1.2.840.10008.5.1.4.1.1.88.33"),
    .text(.seriesDescription, .LO, "phantom report"), .text(.modality, .CS, "KO"),
    .text(.verificationFlag, .CS, "VERIFIED"), .text(.completionFlag, .CS, "PARTIAL"),
    .text(.contentDate, .DA, "20260101"), .text(.seriesNumber, .IS, "7"),
    .text(.deviceSerialNumber, .LO, "OTHER"), .text(.bodyPartExamined, .CS, "HEAD"),
    .item("Volume", .numericValue, "another volume") { $0.setNumber { $0 * 1.001 } },
    .item("Attenuation Coefficient", .numericValue, "another mean") { $0.setNumber { $0 + 0.1 } },
    .item("Major Axis in 3D Length", .numericValue, "a longer axis") { $0.setNumber { $0 * 1.01 } },
    .item("Least Axis in 3D Length", .numericValue, "a shorter axis") {
      $0.setNumber { $0 * 0.99 }
    },
    .item("Volume", .codeValue, "another unit") { item in
      item.change(0, of: .measuredValueSequence) {
        $0.change(0, of: .measurementUnitsCodeSequence) { $0.set(.codeValue, .SH, "mm3") }
      }
    },
    .item("Derivation", .codeValue, "a mean that is called a median") { item in
      item.change(0, of: .conceptCodeSequence) { $0.set(.codeValue, .SH, "373099000") }
    },
    .item("Referenced Segment", .referencedSegmentNumber, "another segment") { item in
      item.change(0, of: .referencedSOPSequence) { $0.set(.referencedSegmentNumber, .US, 2) }
    },
    .item("Referenced Segment", .referencedSOPInstanceUID, "another segmentation") { item in
      item.change(0, of: .referencedSOPSequence) {
        $0.set(.referencedSOPInstanceUID, .UI, "2.25.3")
      }
    },
    .item("Source series for segmentation", .uidValue, "another source series") {
      $0.set(.uidValue, .UI, "2.25.3")
    },
    .item("Tracking Unique Identifier", .uidValue, "another tracking UID") {
      $0.set(.uidValue, .UI, "2.25.3")
    },
    .item("Tracking Identifier", .textValue, "another tracking ID") {
      $0.set(.textValue, .UT, "Left kidney")
    },
    .item("Finding", .codeValue, "another finding") { item in
      item.change(0, of: .conceptCodeSequence) { $0.set(.codeValue, .SH, "78961009") }
    },
    .item("Laterality", .codeValue, "the other side") { item in
      item.change(0, of: .conceptCodeSequence) { $0.set(.codeValue, .SH, "7771000") }
    },
    .item("Algorithm Version", .textValue, "another version") { $0.set(.textValue, .UT, "2") },
    .item("Device Observer UID", .uidValue, "another device") { $0.set(.uidValue, .UI, "2.25.3") },
    .item("CAD Processing and Findings Summary", .codeValue, "without findings") { item in
      item.change(0, of: .conceptCodeSequence) { $0.set(.codeValue, .SH, "111241") }
    },
    .item("Comment", .textValue, "without the label") { $0.set(.textValue, .UT, "Clinical use") },
    .item("Imaging Measurements", .contentSequence, "a group less") { item in
      item.set(.contentSequence, Array(item.items(.contentSequence).dropLast()))
    },
    .item("Image Library Group", .contentSequence, "an image less") { item in
      item.set(.contentSequence, Array(item.items(.contentSequence).dropLast()))
    },
    Fault(.currentRequestedProcedureEvidenceSequence, "evidence of less") { dataset in
      dataset.change(0, of: .currentRequestedProcedureEvidenceSequence) {
        $0.change(0, of: .referencedSeriesSequence) { series in
          series.set(
            .referencedSOPSequence, Array(series.items(.referencedSOPSequence).dropLast()))
        }
      }
    },
    Fault(.contributionDescription, "another contribution") { dataset in
      let last = dataset.items(.contributingEquipmentSequence).count - 1
      dataset.change(last, of: .contributingEquipmentSequence) {
        $0.set(.contributionDescription, .ST, "Drawn by hand")
      }
    },
  ]

  @Test(arguments: faults)
  func everyFaultIsFound(_ fault: Fault) throws {
    let written = try ReportSeries()
    try written.write()
    try written.report.prove(written.path)
    var dataset = try DICOMFile(path: written.path).dataset
    fault.change(&dataset)
    try dataset.write(to: written.path)
    let error = #expect(throws: ProofError.self) { try written.report.prove(written.path) }
    #expect(error?.reason.contains(fault.says) == true, "\(error?.reason ?? "")")
  }

  /// The numbers of a report hold for the segmentation that is on disk, and the images as they are there.
  @Test func whatIsMeasuredIsReadAnew() throws {
    let written = try ReportSeries()
    try written.write()
    var (dataset, pixels) = try DICOMFile.withNativePixels(path: written.segmentation.path)
    pixels[10] ^= 4
    dataset.set(.pixelData, .OB, bytes: pixels)
    try dataset.write(to: written.segmentation.path)
    #expect(throws: ProofError.self) { try written.report.prove(written.path) }

    let other = try ReportSeries()
    try other.write()
    let image = other.series.stack.frames[1].file
    var source = try DICOMFile(path: image).dataset
    var values = source.bytes(.pixelData) ?? []
    for index in stride(from: 0, to: values.count, by: 2) { values[index] ^= 0x40 }
    source.set(.pixelData, .OW, bytes: values)
    try source.write(to: image)
    #expect(throws: ProofError.self) { try other.report.prove(other.path) }
  }
}

extension Dataset {
  /// Changes the first item of a content tree with a concept.
  ///
  /// - Returns: whether there is one.
  fileprivate mutating func changeItem(
    _ meaning: String, _ change: (inout Dataset) -> Void
  ) -> Bool {
    var items = items(.contentSequence)
    for index in items.indices {
      if items[index].items(.conceptNameCodeSequence).first?.text(.codeMeaning) == meaning {
        change(&items[index])
      } else if !items[index].changeItem(meaning, change) {
        continue
      }
      set(.contentSequence, items)
      return true
    }
    return false
  }

  fileprivate mutating func setNumber(_ body: (Double) -> Double) {
    change(0, of: .measuredValueSequence) { measured in
      let number = measured.real(.numericValue) ?? 0
      measured.set(.numericValue, .DS, ReportNumber.text(body(number)))
    }
  }
}
