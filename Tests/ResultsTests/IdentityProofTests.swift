import DICOM
import Foundation
import TestSupport
import Testing
import Volumes

@testable import Results

/// An object under another identity than its source's is no result.
@Suite struct IdentityProofTests {
  /// One change of a written object, in an attribute that the proof must name.
  struct Fault: CustomTestStringConvertible, Sendable {
    var what: String
    var tag: DICOM.Tag
    var change: @Sendable (inout Dataset) -> Void
    var testDescription: String { "\(tag) \(what)" }
  }

  private static let texts: [(DICOM.Tag, VR)] = [
    (.patientName, .PN), (.patientID, .LO), (.issuerOfPatientID, .LO), (.patientBirthDate, .DA),
    (.patientSex, .CS), (.accessionNumber, .SH), (.studyID, .SH), (.studyDate, .DA),
    (.studyTime, .TM), (.studyDescription, .LO), (.referringPhysicianName, .PN),
    (.patientAge, .AS), (.bodyPartExamined, .CS), (.specificCharacterSet, .CS),
    (.studyInstanceUID, .UI), (.frameOfReferenceUID, .UI), (.timezoneOffsetFromUTC, .SH),
    (.patientIdentityRemoved, .CS),
  ]

  static let faults: [Fault] =
    texts.flatMap(faults) + [
      Fault(what: "swapped with the accession number", tag: .patientID) { dataset in
        (dataset[.patientID], dataset[.accessionNumber]) =
          (dataset[.accessionNumber], dataset[.patientID])
      },
      Fault(what: "in another case", tag: .patientName) { $0.set(.patientName, .PN, "DOE^JANE") },
      Fault(what: "added", tag: .laterality) { $0.set(.laterality, .CS, "L") },
      Fault(what: "added", tag: .patientWeight) { $0.set(.patientWeight, .DS, "80") },
    ]

  private static func faults(_ tag: DICOM.Tag, _ vr: VR) -> [Fault] {
    let isUID = tag == .studyInstanceUID || tag == .frameOfReferenceUID
    return [
      Fault(what: "blank", tag: tag) { $0.set(tag, vr, "") },
      Fault(what: "absent", tag: tag) { $0[tag] = nil },
      Fault(what: "of another", tag: tag) { $0.set(tag, vr, isUID ? "2.25.9" : "+0100") },
      Fault(what: "cut by a character", tag: tag) { dataset in
        guard case .text(var bytes) = dataset[tag]?.value else { return }
        while bytes.last == 0x20 || bytes.last == 0 { bytes.removeLast() }
        dataset[tag] = DataElement(vr, .text(bytes.dropLast()))
      },
    ]
  }

  private func series() throws -> PhantomSeries {
    try PhantomSeries { dataset in
      dataset.set(.patientName, .PN, "Doe^Jane")
      dataset.set(.issuerOfPatientID, .LO, "Hospital A")
      dataset.set(.patientBirthDate, .DA, "19700101")
      dataset.set(.accessionNumber, .SH, "ACC-77")
      dataset.set(.patientAge, .AS, "056Y")
      dataset.set(.referringPhysicianName, .PN, "Roe^Richard")
      dataset.set(.studyDescription, .LO, "CT abdomen")
      dataset.set(.bodyPartExamined, .CS, "ABDOMEN")
      dataset.set(.timezoneOffsetFromUTC, .SH, "-0330")
      dataset.set(.patientIdentityRemoved, .CS, "NO")
    }
  }

  @Test(arguments: faults)
  func anotherIdentityFails(_ fault: Fault) throws {
    let series = try series()
    let path = series.folder.url.appendingPathComponent("seg.dcm").path
    let object = series.segmentation(PhantomLabels.volume(on: series.stack.grid))
    _ = try object.write(to: path)
    try object.prove(path)
    var (dataset, pixels) = try DICOMFile.withNativePixels(path: path)
    fault.change(&dataset)
    dataset.set(.pixelData, .OB, bytes: pixels)
    pixels = []
    try dataset.write(to: path)
    let error = #expect(throws: ProofError.self) { try object.prove(path) }
    let text = "\(try #require(error))"
    // Swapped values are found at the first of the two.
    #expect(text.contains("\(fault.tag)"), "\(text)")
    for value in ["Doe", "PHANTOM", "19700101", "ACC-77", "Roe"] { #expect(!text.contains(value)) }
  }

  /// A source that was replaced between assessment and proof.
  @Test func anotherSourceFails() throws {
    let series = try series()
    let path = series.folder.url.appendingPathComponent("seg.dcm").path
    let object = series.segmentation(PhantomLabels.volume(on: series.stack.grid))
    _ = try object.write(to: path)
    for frame in series.stack.frames {
      var dataset = try DICOMFile(path: frame.file).dataset
      dataset.set(.patientID, .LO, "OTHER")
      try dataset.write(to: frame.file)
    }
    let error = #expect(throws: ProofError.self) { try object.prove(path) }
    #expect("\(try #require(error))".contains("(0010,0020) PatientID"))
  }

  /// A value that some images state must be in the object, though others are blank.
  @Test func theIdentityOfABlankImageFails() throws {
    var number = 0
    let series = try PhantomSeries { dataset in
      if number == 3 { dataset.set(.accessionNumber, .SH, "") }
      number += 1
    }
    let path = series.folder.url.appendingPathComponent("seg.dcm").path
    let object = series.segmentation(PhantomLabels.volume(on: series.stack.grid))
    _ = try object.write(to: path)
    try object.prove(path)
    var (dataset, pixels) = try DICOMFile.withNativePixels(path: path)
    dataset.set(.accessionNumber, .SH, "")
    dataset.set(.pixelData, .OB, bytes: pixels)
    pixels = []
    try dataset.write(to: path)
    let error = #expect(throws: ProofError.self) { try object.prove(path) }
    #expect("\(try #require(error))".contains("(0008,0050) AccessionNumber: is blank"))
  }
}
