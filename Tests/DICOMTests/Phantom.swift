import DICOM
import Foundation
import TestSupport

/// Small CT images of ours, written by ``Dataset``.
enum Phantom {
  /// An axial slice of signed 16-bit pixels at a height in mm.
  static func slice(
    rows: Int = 4, columns: Int = 6, height: Double = 0, pixels: [Int16],
    series: String = "1.2.3.4", instance: String = DICOMUID.named(UUID().uuidString)
  ) -> Dataset {
    var dataset = Dataset()
    dataset.set(.sopClassUID, .UI, "1.2.840.10008.5.1.4.1.1.2")
    dataset.set(.sopInstanceUID, .UI, instance)
    dataset.set(.studyInstanceUID, .UI, "1.2.3")
    dataset.set(.seriesInstanceUID, .UI, series)
    dataset.set(.frameOfReferenceUID, .UI, "1.2.3.5")
    dataset.set(.patientID, .LO, "PHANTOM")
    dataset.set(.modality, .CS, "CT")
    dataset.set(.imageType, .CS, ["ORIGINAL", "PRIMARY", "AXIAL"])
    dataset.set(.samplesPerPixel, .US, 1)
    dataset.set(.photometricInterpretation, .CS, "MONOCHROME2")
    dataset.set(.rows, .US, rows)
    dataset.set(.columns, .US, columns)
    dataset.set(.bitsAllocated, .US, 16)
    dataset.set(.bitsStored, .US, 12)
    dataset.set(.highBit, .US, 11)
    dataset.set(.pixelRepresentation, .US, 1)
    dataset.set(.imagePosition, .DS, ["-10", "-20.5", "\(height)"])
    dataset.set(.imageOrientation, .DS, "1\\0\\0\\0\\1\\0")
    dataset.set(.pixelSpacing, .DS, "0.5\\0.75")
    dataset.set(.rescaleSlope, .DS, "2")
    dataset.set(.rescaleIntercept, .DS, "-1000")
    dataset.set(.rescaleType, .LO, "HU")
    dataset.set(
      .pixelData, .OW,
      bytes: pixels.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] })
    return dataset
  }

  /// Writes a dataset and returns its path.
  static func write(_ dataset: Dataset, _ name: String, in folder: TemporaryFolder) throws -> String
  {
    let path = folder.url.appendingPathComponent(name).path
    try dataset.write(to: path)
    return path
  }
}

/// Raw bytes of DICOM files that no toolkit would write.
struct RawFile {
  var bytes: [UInt8]

  /// Preamble and file meta information.
  init(transferSyntax: String) {
    var uid = Array(transferSyntax.utf8)
    if uid.count % 2 == 1 { uid.append(0) }
    bytes = [UInt8](repeating: 0, count: 128) + Array("DICM".utf8)
    append(explicit: .transferSyntaxUID, "UI", uid)
  }

  mutating func append(_ number: Int, size: Int) {
    for index in 0..<size { bytes.append(UInt8(truncatingIfNeeded: number >> (8 * index))) }
  }

  mutating func append(_ tag: Tag) {
    append(Int(tag.group), size: 2)
    append(Int(tag.element), size: 2)
  }

  mutating func append(explicit tag: Tag, _ vr: String, _ value: [UInt8], length: Int? = nil) {
    append(tag)
    bytes += Array(vr.utf8)
    if ["OB", "OW", "SQ", "UN"].contains(vr) {
      append(0, size: 2)
      append(length ?? value.count, size: 4)
    } else {
      append(length ?? value.count, size: 2)
    }
    bytes += value
  }

  /// Sequences of undefined length within each other, never closed.
  mutating func nest(_ depth: Int) {
    for _ in 0..<depth {
      append(explicit: .segmentSequence, "SQ", [], length: 0xFFFF_FFFF)
      append(Tag(0xFFFE, 0xE000))
      append(0xFFFF_FFFF, size: 4)
    }
  }

  /// Closes sequences opened by ``nest(_:)``.
  mutating func close(_ depth: Int) {
    for _ in 0..<depth {
      append(Tag(0xFFFE, 0xE00D))
      append(0, size: 4)
      append(Tag(0xFFFE, 0xE0DD))
      append(0, size: 4)
    }
  }

  func write(in folder: TemporaryFolder) throws -> String {
    let path = folder.url.appendingPathComponent(UUID().uuidString).path
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return path
  }
}
