import DICOM
import Foundation
import TestSupport
import Testing
import Volumes

@testable import Results

/// Whatever is wrong in a written object, the proof finds it and names it.
@Suite struct InjectedFaultTests {
  /// Pixels of a frame of the phantom.
  private static let plane = 45

  private static func bit(_ index: Int, in pixels: [UInt8]) -> Bool {
    pixels[index / 8] >> UInt8(index % 8) & 1 == 1
  }

  private static func set(_ index: Int, _ isSet: Bool, in pixels: inout [UInt8]) {
    if isSet { pixels[index / 8] |= 1 << UInt8(index % 8) }
    if !isSet { pixels[index / 8] &= ~(1 << UInt8(index % 8)) }
  }

  private static func swapFrames(_ a: Int, _ b: Int, in pixels: inout [UInt8]) {
    for pixel in 0..<plane {
      let (first, second) = (
        bit(a * plane + pixel, in: pixels), bit(b * plane + pixel, in: pixels)
      )
      set(a * plane + pixel, second, in: &pixels)
      set(b * plane + pixel, first, in: &pixels)
    }
  }

  /// Found by the audit of the first proof: it caught those of pixels, frames, positions and segment
  /// numbers, and missed the others.
  static let ofTheAudit: [WrittenFault] = [
    // Missed by the first proof.
    .text(.patientID, .LO, "OTHER"), .text(.patientName, .PN, "Roe^Richard"),
    .text(.patientBirthDate, .DA, "19700102"), .text(.accessionNumber, .SH, "ACC-78"),
    .at(.segmentLabel, "two segment labels swapped") { dataset in
      let labels = dataset.items(.segmentSequence).map { $0[.segmentLabel] }
      for (index, label) in labels.reversed().enumerated() {
        dataset.change(index, of: .segmentSequence) { $0[.segmentLabel] = label }
      }
    },
    .at(.codingSchemeDesignator, "another coding scheme") { dataset in
      dataset.change(0, of: .segmentSequence) { segment in
        segment.change(0, of: .segmentedPropertyTypeCodeSequence) {
          $0.set(.codingSchemeDesignator, .SH, "SRT")
        }
      }
    },
    .at(.codeValue, "another category") { dataset in
      dataset.change(1, of: .segmentSequence) { segment in
        segment.change(0, of: .segmentedPropertyCategoryCodeSequence) {
          $0.set(.codeValue, .SH, "49755003")
        }
      }
    },
    .at(.recommendedDisplayCIELabValue, "another colour") { dataset in
      dataset.change(0, of: .segmentSequence) {
        $0.set(.recommendedDisplayCIELabValue, .US, 34340, 40315, 27406)
      }
    },
    .at(.pixelSpacing, "another spacing") { dataset in
      dataset.changeShared(.pixelMeasuresSequence) { $0.set(.pixelSpacing, .DS, "0.750\\0.50") }
    },
    .at(.sliceThickness, "another thickness") { dataset in
      dataset.changeShared(.pixelMeasuresSequence) { $0.set(.sliceThickness, .DS, "2.5") }
    },
    .at(.dimensionIndexValues, "other dimension indices") { dataset in
      dataset.changeFrame(2) { frame in
        frame.change(0, of: .frameContentSequence) { $0.set(.dimensionIndexValues, .UL, 1, 9) }
      }
    },
    .bits("an added empty frame", says: "\(DICOM.Tag.numberOfFrames)") { dataset, pixels in
      let frames = dataset.items(.perFrameFunctionalGroups)
      dataset.set(.perFrameFunctionalGroups, frames + [frames[frames.count - 1]])
      dataset.set(.numberOfFrames, .IS, "\(frames.count + 1)")
      pixels += [UInt8](repeating: 0, count: ((frames.count + 1) * plane + 7) / 8 - pixels.count)
      if pixels.count % 2 == 1 { pixels.append(0) }
    },
    .file("a SOP UID unlike that of the file meta information", .mediaStorageSOPInstanceUID) {
      // The first one in the file.
      if let uid = $0.range(of: Data("2.25.2\u{3}".utf8)) ?? $0.range(of: Data("2.25.2".utf8)) {
        $0[uid.lowerBound + 5] = UInt8(ascii: "3")
      }
    },
    .at(.segmentAlgorithmType, "another algorithm type") { dataset in
      dataset.change(0, of: .segmentSequence) {
        $0.set(.segmentAlgorithmType, .CS, "SEMIAUTOMATIC")
      }
    },
    .text(.lossyImageCompression, .CS, "01"),
    .bits("pixels in the padding", says: "\(DICOM.Tag.pixelData)") { _, pixels in
      pixels[pixels.count - 1] |= 0x80
    },
    .text(.seriesDescription, .LO, "Abdomen venous - phantom"),
    // Caught by the first proof.
    .bits("a pixel more or less", says: "1 voxel differs") { _, pixels in pixels[10] ^= 4 },
    .bits("pixels of two frames swapped", says: "\(DICOM.Tag.pixelData)") { _, pixels in
      swapFrames(0, 1, in: &pixels)
    },
    .bits("a frame mirrored", says: "\(DICOM.Tag.pixelData)") { _, pixels in
      for row in 0..<9 {
        let bits = (0..<5).map { bit(row * 5 + $0, in: pixels) }
        for (column, isSet) in bits.reversed().enumerated() {
          set(row * 5 + column, isSet, in: &pixels)
        }
      }
    },
    .bits("bits in the other order", says: "\(DICOM.Tag.pixelData)") { _, pixels in
      pixels[0] = (0..<8).reduce(0) { $0 << 1 | pixels[0] >> UInt8($1) & 1 }
    },
    .bits("pixel data that is cut off", says: "\(DICOM.Tag.pixelData)") { _, pixels in
      pixels.removeLast(2)
    },
    .bits("a frame less", says: "\(DICOM.Tag.numberOfFrames)") { dataset, _ in
      let frames = dataset.items(.perFrameFunctionalGroups)
      dataset.set(.perFrameFunctionalGroups, Array(frames.dropLast()))
      dataset.set(.numberOfFrames, .IS, "\(frames.count - 1)")
    },
    .bits("a frame twice", says: "\(DICOM.Tag.dimensionIndexValues) of frame 2") { dataset, _ in
      let first = dataset.items(.perFrameFunctionalGroups)[0]
      dataset.changeFrame(1) { $0 = first }
    },
    .at(.numberOfFrames, "another number of frames") { $0.set(.numberOfFrames, .IS, "8") },
    .at(.imagePosition, "another position") { dataset in
      dataset.changeFrame(3) { frame in
        frame.change(0, of: .planePositionSequence) {
          $0.set(.imagePosition, .DS, "-17.25\\30\\101.6")
        }
      }
    },
    .at(.imagePosition, "positions of two frames swapped") { dataset in
      let frames = dataset.items(.perFrameFunctionalGroups)
      for (index, other) in [(0, 1), (1, 0)] {
        dataset.changeFrame(index) {
          $0[.planePositionSequence] = frames[other][.planePositionSequence]
        }
      }
    },
    .at(.imageOrientation, "another orientation") { dataset in
      dataset.changeShared(.planeOrientationSequence) {
        $0.set(.imageOrientation, .DS, "-1\\0\\0\\0\\1\\0")
      }
    },
    .at(.spacingBetweenSlices, "another step between slices") { dataset in
      dataset.changeShared(.pixelMeasuresSequence) { $0.set(.spacingBetweenSlices, .DS, "3") }
    },
    .at(.referencedSegmentNumber, "the number of another segment") { dataset in
      dataset.changeFrame(0) { frame in
        frame.change(0, of: .segmentIdentificationSequence) {
          $0.set(.referencedSegmentNumber, .US, 2)
        }
      }
    },
    .at(.segmentNumber, "segment numbers swapped") { dataset in
      dataset.change(0, of: .segmentSequence) { $0.set(.segmentNumber, .US, 2) }
      dataset.change(1, of: .segmentSequence) { $0.set(.segmentNumber, .US, 1) }
    },
    .at(.segmentSequence, "a segment less") {
      $0.set(.segmentSequence, Array($0.items(.segmentSequence).dropLast()))
    },
    .at(.segmentSequence, "a segment more") {
      $0.set(.segmentSequence, $0.items(.segmentSequence) + [$0.items(.segmentSequence)[0]])
    },
    .at(.referencedSOPInstanceUID, "a reference to another image") { dataset in
      dataset.changeFrame(4) { frame in
        frame.change(0, of: .derivationImageSequence) { derivation in
          derivation.change(0, of: .sourceImageSequence) {
            $0.set(.referencedSOPInstanceUID, .UI, "2.25.71003")
          }
        }
      }
    },
    .text(.segmentationType, .CS, "FRACTIONAL"),
  ]

  static let further: [WrittenFault] = [
    .text(.studyInstanceUID, .UI, "2.25.9"), .text(.seriesInstanceUID, .UI, "2.25.9"),
    .text(.sopInstanceUID, .UI, "2.25.9"),
    .at(.referencedSeriesSequence, "another referenced series") { dataset in
      dataset.change(0, of: .referencedSeriesSequence) {
        $0.set(.seriesInstanceUID, .UI, "2.25.9")
      }
    },
    .at(.referencedInstanceSequence, "another referenced image") { dataset in
      dataset.change(0, of: .referencedSeriesSequence) { series in
        series.change(1, of: .referencedInstanceSequence) {
          $0.set(.referencedSOPInstanceUID, .UI, "2.25.9")
        }
      }
    },
    .at(.referencedSOPClassUID, "another class of a referenced image") { dataset in
      dataset.change(0, of: .referencedSeriesSequence) { series in
        series.change(1, of: .referencedInstanceSequence) {
          $0.set(.referencedSOPClassUID, .UI, "1.2.840.10008.5.1.4.1.1.4")
        }
      }
    },
    .text(.imageType, .CS, "ORIGINAL\\PRIMARY"),
    .at(.recommendedDisplayCIELabValue, "no colour") { dataset in
      dataset.change(1, of: .segmentSequence) { $0[.recommendedDisplayCIELabValue] = nil }
    },
    .at(.rows, "rows and columns swapped") {
      $0.set(.rows, .US, 5)
      $0.set(.columns, .US, 9)
    },
    .at(.bitsAllocated, "other bits") { $0.set(.bitsAllocated, .US, 8) },
    .at(.highBit, "another high bit") { $0.set(.highBit, .US, 7) },
    .text(.photometricInterpretation, .CS, "MONOCHROME1"), .text(.instanceNumber, .IS, "7"),
    .text(.modality, .CS, "CT"), .text(.contentDate, .DA, "29991231"),
    .text(.instanceCreationTime, .TM, "235959"),
    .text(.specificCharacterSet, .CS, "ISO_IR 101"), .text(.manufacturer, .LO, "ACME"),
    .at(.softwareVersions, "another hash of the model") { dataset in
      let last = dataset.items(.contributingEquipmentSequence).count - 1
      dataset.change(last, of: .contributingEquipmentSequence) {
        $0.set(.softwareVersions, .LO, "1.0.0\\" + String(repeating: "d", count: 64))
      }
    },
    .at(.algorithmVersion, "another version of the model") { dataset in
      dataset.change(0, of: .segmentSequence) { segment in
        segment.change(0, of: .segmentationAlgorithmIdentificationSequence) {
          $0.set(.algorithmVersion, .LO, "1.0.1")
        }
      }
    },
    .text(.frameOfReferenceUID, .UI, "2.25.9"), .text(.positionReferenceIndicator, .LO, "XY"),
    .text(.seriesNumber, .IS, "3"), .text(.laterality, .CS, "L"), .text(.patientSex, .CS, "M"),
    .text(.studyDate, .DA, "20260103"), .text(.studyTime, .TM, "101113"),
    .text(.referringPhysicianName, .PN, "Doe^John"), .text(.institutionName, .LO, "Elsewhere"),
    .text(.deviceSerialNumber, .LO, "OTHER"), .text(.contentLabel, .CS, "OTHER"),
    .text(.segmentsOverlap, .CS, "YES"), .text(.otherPatientIDs, .LO, "4712"),
    .text(.clinicalTrialSubjectID, .LO, "S-8"), .text(.admissionID, .LO, "ADM-2"),
    .at(.requestAttributesSequence, "another requested procedure") { dataset in
      dataset.change(0, of: .requestAttributesSequence) {
        $0.set(DICOM.Tag(0x0040, 0x1001), .SH, "RP-2")
      }
    },
    .at(.trackingUID, "another tracking UID") { dataset in
      dataset.change(0, of: .segmentSequence) { $0.set(.trackingUID, .UI, "2.25.9") }
    },
    .at(.segmentedPropertyTypeModifierCodeSequence, "no side") { dataset in
      dataset.change(0, of: .segmentSequence) { segment in
        segment.change(0, of: .segmentedPropertyTypeCodeSequence) {
          $0[.segmentedPropertyTypeModifierCodeSequence] = nil
        }
      }
    },
    .at(.codeMeaning, "another meaning of the side") { dataset in
      dataset.change(0, of: .segmentSequence) { segment in
        segment.change(0, of: .segmentedPropertyTypeCodeSequence) { type in
          type.change(0, of: .segmentedPropertyTypeModifierCodeSequence) {
            $0.set(.codeMeaning, .LO, "Left")
          }
        }
      }
    },
    .at(.spatialLocationsPreserved, "locations that are not preserved") { dataset in
      dataset.changeFrame(0) { frame in
        frame.change(0, of: .derivationImageSequence) { derivation in
          derivation.change(0, of: .sourceImageSequence) {
            $0.set(.spatialLocationsPreserved, .CS, "NO")
          }
        }
      }
    },
    .at(.dimensionIndexPointer, "another dimension") { dataset in
      dataset.change(1, of: .dimensionIndexSequence) {
        $0.set(.dimensionIndexPointer, .AT, 0x0020_9057)
      }
    },
    .at(DICOM.Tag(0x0009, 0x1001), "a private element") {
      $0.set(DICOM.Tag(0x0009, 0x1001), .LO, "secret")
    },
    .at(DICOM.Tag(0x0010, 0x4000), "comments on the patient") {
      $0.set(DICOM.Tag(0x0010, 0x4000), .LT, "added")
    },
    .at(.patientSex, "no sex") { $0[.patientSex] = nil },
    .file("another SOP class in the file meta information", .mediaStorageSOPClassUID) {
      if let uid = $0.range(of: Data("1.2.840.10008.5.1.4.1.1.66.4".utf8)) {
        $0[uid.upperBound - 1] = UInt8(ascii: "5")
      }
    },
  ]

  @Test(arguments: ofTheAudit + further)
  func aFaultIsFoundAndNamed(_ fault: WrittenFault) throws {
    let series = try Self.series()
    let path = series.folder.url.appendingPathComponent("seg.dcm").path
    let object = series.segmentation(PhantomLabels.volume(on: series.stack.grid))
    #expect(try object.write(to: path) == .written)
    try object.prove(path)
    try fault.inject(into: path)
    let error = #expect(throws: ProofError.self) { try object.prove(path) }
    let text = "\(try #require(error))"
    #expect(text.contains(fault.says), "\(text)")
    for value in ["Doe", "Roe", "PHANTOM", "19700101", "ACC-7"] { #expect(!text.contains(value)) }
  }

  /// Writing the object again without a change is none.
  @Test func whatIsWrittenAgainUnchangedIsProved() throws {
    let series = try Self.series()
    let path = series.folder.url.appendingPathComponent("seg.dcm").path
    let object = series.segmentation(PhantomLabels.volume(on: series.stack.grid))
    _ = try object.write(to: path)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    try WrittenFault.bits("nothing", says: "") { _, _ in }.inject(into: path)
    try object.prove(path)
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == bytes)
  }

  private static func series() throws -> PhantomSeries {
    try PhantomSeries { dataset in
      dataset.set(.patientName, .PN, "Doe^Jane")
      dataset.set(.patientBirthDate, .DA, "19700101")
      dataset.set(.accessionNumber, .SH, "ACC-77")
      dataset.set(.referringPhysicianName, .PN, "Roe^Richard")
      dataset.set(.seriesDescription, .LO, "Abdomen venous")
      dataset.set(.seriesNumber, .IS, "3")
      dataset.set(.institutionName, .LO, "Hospital A")
      dataset.set(.manufacturer, .LO, "ACME")
      dataset.set(.otherPatientIDs, .LO, "4711")
      dataset.set(.clinicalTrialSubjectID, .LO, "S-7")
      dataset.set(.admissionID, .LO, "ADM-1")
      var request = Dataset()
      request.set(DICOM.Tag(0x0040, 0x1001), .SH, "RP-1")
      dataset.set(.requestAttributesSequence, [request])
    }
  }
}
