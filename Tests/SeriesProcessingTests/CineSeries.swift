import DICOM
import Foundation
import GeometryGate
import SeriesReading
import TestSupport

/// A short-axis cine MR series of ours: phases of four slices, 6 × 5 voxels of 2 × 2 × 8 mm.
struct CineSeries {
  static let slices = 4
  let folder: TemporaryFolder
  let files: SeriesFiles

  var source: SourceSeries {
    get throws { try SourceSeries(files, geometry: GeometryRules()) }
  }

  /// - Parameters:
  ///   - triggerTimes: in ms, of each phase in the order of the instance numbers.
  ///   - change: is given each image with the indices of its phase and slice.
  init(
    triggerTimes: [Double],
    change: (inout Dataset, _ phase: Int, _ slice: Int) -> Void = { _, _, _ in }
  ) throws {
    folder = try TemporaryFolder()
    var urls: [URL] = []
    for (phase, time) in triggerTimes.enumerated() {
      for slice in 0..<Self.slices {
        var image = Self.image(number: phase * Self.slices + slice + 1)
        image.set(.triggerTime, .DS, "\(time)")
        image.set(.imagePosition, .DS, ["0", "0", "\(8 * slice)"])
        change(&image, phase, slice)
        let url = folder.url.appendingPathComponent("\(phase)-\(slice).dcm")
        try image.write(to: url.path)
        urls.append(url)
      }
    }
    files = SeriesFiles(seriesInstanceUID: "1.2.3", files: urls)
  }

  private static func image(number: Int) -> Dataset {
    var image = Dataset()
    image.set(.sopClassUID, .UI, "1.2.840.10008.5.1.4.1.1.4")
    image.set(.sopInstanceUID, .UI, "1.2.3.\(number)")
    image.set(.studyInstanceUID, .UI, "1.2")
    image.set(.seriesInstanceUID, .UI, "1.2.3")
    image.set(.frameOfReferenceUID, .UI, "1.2.9")
    image.set(.modality, .CS, "MR")
    image.set(.patientName, .PN, "Phantom")
    image.set(.patientID, .LO, "PHANTOM")
    image.set(.instanceNumber, .IS, "\(number)")
    image.set(.imageOrientation, .DS, "1\\0\\0\\0\\1\\0")
    image.set(.pixelSpacing, .DS, "2\\2")
    for (tag, value) in [
      (DICOM.Tag.rows, 6), (.columns, 5), (.samplesPerPixel, 1), (.bitsAllocated, 16),
      (.bitsStored, 12), (.highBit, 11), (.pixelRepresentation, 0),
    ] { image.set(tag, .US, value) }
    image.set(.photometricInterpretation, .CS, "MONOCHROME2")
    image.set(
      .pixelData, .OW, bytes: (0..<30).flatMap { [UInt8(($0 * 7 + number) % 200), 0] })
    return image
  }
}
