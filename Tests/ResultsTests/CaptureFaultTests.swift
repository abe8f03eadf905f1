import DICOM
import Foundation
import TestSupport
import Testing
import Volumes

@testable import Results

/// Whatever is wrong in a written capture, the proof finds it and names it.
@Suite struct CaptureFaultTests {
  /// Changes the pixels of pictures of a size in bytes.
  private static func pictures(
    _ what: String, says: String = "(7FE0,0010)",
    _ change: @escaping @Sendable (inout [UInt8], _ columns: Int, _ rows: Int) -> Void
  ) -> WrittenFault {
    .bits(what, says: says) { dataset, pixels in
      change(&pixels, dataset.integer(.columns) ?? 0, dataset.integer(.rows) ?? 0)
    }
  }

  /// Paints pixels that have one of two colours with gray.
  private static func paint(
    _ pixels: inout [UInt8], _ columns: Int, _ rows: Int, frame: Int, color: [UInt8]
  ) {
    let size = columns * rows * 3
    for pixel in stride(from: frame * size, to: (frame + 1) * size - 80 * columns * 3, by: 3)
    where Array(pixels[pixel..<pixel + 3]) == color {
      for part in 0..<3 { pixels[pixel + part] = 128 }
    }
  }

  private static let mirrored = pictures("a mirrored frame") { pixels, columns, rows in
    let before = pixels
    for row in 0..<rows {
      for column in 0..<columns {
        for part in 0..<3 {
          pixels[(row * columns + column) * 3 + part] =
            before[(row * columns + columns - 1 - column) * 3 + part]
        }
      }
    }
  }

  private static let silent = pictures("without its text", says: "research use only") {
    pixels, columns, rows in
    let size = columns * rows * 3
    for index in size - 40 * columns * 3..<size { pixels[index] = 0 }
  }

  static let faults: [WrittenFault] = [
    .text(.patientID, .LO, "OTHER"), .text(.patientName, .PN, "Roe^Richard"),
    .text(.accessionNumber, .SH, "A2"), .text(.studyInstanceUID, .UI, "2.25.7"),
    .text(.seriesInstanceUID, .UI, "2.25.7"), .text(.modality, .CS, "MR"),
    .text(.sopClassUID, .UI, "1.2.840.10008.5.1.4.1.1.7"),
    .text(.seriesDescription, .LO, "phantom contours"),
    .text(.seriesDescription, .LO, "other contours (research use only)"),
    .text(.burnedInAnnotation, .CS, "YES"), .text(.conversionType, .CS, "DV"),
    .text(.imageType, .CS, "ORIGINAL\\PRIMARY"), .text(.frameOfReferenceUID, .UI, "2.25.7"),
    .text(.patientOrientation, .CS, "R\\P"), .text(.photometricInterpretation, .CS, "YBR_FULL"),
    .text(.contentDate, .DA, "20260101"), .text(.windowCenter, .DS, "40"),
    .at(.rows, "another size") { $0.set(.rows, .US, ($0.integer(.rows) ?? 0) + 1) },
    .at(.referencedSeriesSequence, "no references") {
      $0.set(.referencedSeriesSequence, [Dataset]())
    },
    .at(.referencedSOPInstanceUID, "a frame of another image") { dataset in
      dataset.changeFrame(2) {
        $0.change(0, of: .derivationImageSequence) {
          $0.change(0, of: .sourceImageSequence) {
            $0.set(.referencedSOPInstanceUID, .UI, "2.25.71003")
          }
        }
      }
    },
    .at(.imagePosition, "a frame outside its image") { dataset in
      dataset.changeFrame(2) {
        $0.change(0, of: .planePositionSequence) { item in
          let place = item.reals(.imagePosition)
          item.set(.imagePosition, .DS, ["\(place[0])", "\(place[1])", "\(place[2] + 2.5)"])
        }
      }
    },
    .bits("frames a millimetre to the left", says: "(7FE0,0010)") { dataset, _ in
      for frame in dataset.items(.perFrameFunctionalGroups).indices {
        dataset.changeFrame(frame) {
          $0.change(0, of: .planePositionSequence) { item in
            let place = item.reals(.imagePosition)
            item.set(.imagePosition, .DS, ["\(place[0] + 1)", "\(place[1])", "\(place[2])"])
          }
        }
      }
    },
    .at(.pixelSpacing, "pixels that are not square") {
      $0.changeShared(.pixelMeasuresSequence) { $0.set(.pixelSpacing, .DS, ["1", "2"]) }
    },
    .bits("another size of pixels", says: "(7FE0,0010)") { dataset, _ in
      dataset.changeShared(.pixelMeasuresSequence) { measures in
        let size = measures.reals(.pixelSpacing)[0] * 1.05
        measures.set(.pixelSpacing, .DS, ["\(Float(size))", "\(Float(size))"])
      }
    },
    .at(.sliceThickness, "another thickness") {
      $0.changeShared(.pixelMeasuresSequence) { $0.set(.sliceThickness, .DS, "3") }
    },
    .at(.patientOrientation, "turned by what is said") {
      $0.changeShared(.planeOrientationSequence) {
        $0.set(.imageOrientation, .DS, ["-1", "0", "0", "0", "1", "0"])
      }
    },
    .at(.perFrameFunctionalGroups, "a frame too few") { dataset in
      dataset.set(
        .perFrameFunctionalGroups, Array(dataset.items(.perFrameFunctionalGroups).dropLast()))
    },
    pictures("a frame too few") { pixels, columns, rows in
      pixels.removeLast(columns * rows * 3)
    },
    pictures("two frames exchanged") { pixels, columns, rows in
      let size = columns * rows * 3
      let first = Array(pixels[size..<2 * size])
      pixels.replaceSubrange(size..<2 * size, with: pixels[2 * size..<3 * size])
      pixels.replaceSubrange(2 * size..<3 * size, with: first)
    },
    pictures("a frame twice") { pixels, columns, rows in
      let size = columns * rows * 3
      pixels.replaceSubrange(5 * size..<6 * size, with: pixels[4 * size..<5 * size])
    },
    mirrored,
    pictures("a frame upside down", says: "of frame 7") { pixels, columns, rows in
      let before = pixels
      let first = 6 * columns * rows * 3
      for row in 0..<rows {
        let from = first + (rows - 1 - row) * columns * 3
        pixels.replaceSubrange(
          first + row * columns * 3..<first + (row + 1) * columns * 3,
          with: before[from..<from + columns * 3])
      }
    },
    pictures("a label without a contour", says: "of frame 4") { pixels, columns, rows in
      paint(&pixels, columns, rows, frame: 3, color: PhantomLabels.segments[1].color)
    },
    pictures("a contour with a gap", says: "of frame 2") { pixels, columns, rows in
      let color = PhantomLabels.segments[0].color
      var painted = 0
      let size = columns * rows * 3
      for pixel in stride(from: size, to: 2 * size, by: 3)
      where Array(pixels[pixel..<pixel + 3]) == color && painted < 12 {
        painted += 1
        for part in 0..<3 { pixels[pixel + part] = 0 }
      }
    },
    pictures("a contour in another label's colour", says: "of frame 2") { pixels, columns, rows in
      let (own, other) = (PhantomLabels.segments[0].color, PhantomLabels.segments[2].color)
      let size = columns * rows * 3
      for pixel in stride(from: size, to: 2 * size, by: 3)
      where Array(pixels[pixel..<pixel + 3]) == own {
        pixels.replaceSubrange(pixel..<pixel + 3, with: other)
      }
    },
    pictures("a contour where there is none", says: "of frame 1") { pixels, columns, rows in
      let place = (rows / 3 * columns + columns / 2) * 3
      pixels.replaceSubrange(place..<place + 3, with: PhantomLabels.segments[0].color)
    },
    pictures("another pixel", says: "of frame 1") { pixels, columns, rows in
      let place = (rows / 3 * columns + columns / 2) * 3
      for part in 0..<3 { pixels[place + part] ^= 0x40 }
    },
    silent,
  ]

  @Test(arguments: faults) func isFound(_ fault: WrittenFault) throws {
    let phantom = try CapturePhantom()
    let object = phantom.captures.frames()
    let path = try phantom.write(object)
    try fault.inject(into: path)
    do {
      try object.prove(path)
      Issue.record("was not found")
    } catch {
      #expect("\(error)".contains(fault.says), "\(error)")
    }
  }

  /// Of objects of one picture.
  static let ofSingleFrames: [WrittenFault] = [
    mirrored, silent, .text(.patientID, .LO, "OTHER"),
    .text(.patientOrientation, .CS, "L\\A"), .text(.pixelSpacing, .DS, "1\\1"),
    .text(.seriesDescription, .LO, "phantom contours"),
    .at(.referencedSOPInstanceUID, "another image") {
      $0.change(0, of: .sourceImageSequence) {
        $0.set(.referencedSOPInstanceUID, .UI, "2.25.71000")
      }
    },
  ]

  static let ofThePage: [WrittenFault] = [
    mirrored, .text(.patientID, .LO, "OTHER"), .text(.patientOrientation, .CS, "L\\P"),
    .text(.seriesDescription, .LO, "phantom contours"),
    pictures("without its text", says: "research use only") { pixels, columns, _ in
      for index in 0..<32 * columns * 3 { pixels[index] = 0 }
    },
    pictures("a label without a contour") { pixels, columns, rows in
      paint(&pixels, columns, rows, frame: 0, color: PhantomLabels.segments[1].color)
    },
  ]

  /// The same goes for objects of one picture, and for the page.
  @Test func isFoundInOtherForms() throws {
    let phantom = try CapturePhantom()
    let single = phantom.captures.singleFrames()[3]
    let page = phantom.captures.page(millilitres: phantom.millilitres)
    for (object, faults) in [(single, Self.ofSingleFrames), (page, Self.ofThePage)] {
      for fault in faults {
        let path = try phantom.write(object)
        try fault.inject(into: path)
        do {
          try object.prove(path)
          Issue.record("\(fault.what) was not found")
        } catch {
          #expect("\(error)".contains(fault.says), "\(fault.what): \(error)")
        }
      }
    }
  }
}
