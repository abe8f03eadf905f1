import DICOM
import Foundation
import TestSupport
import Testing
import Volumes

@testable import Results

/// What was compressed with loss says so in its result, also where the source forgets to.
@Suite struct LossySourceTests {
  @Test func aLossyTransferSyntaxMakesALossyResult() async throws {
    var series = try PhantomSeries(.init(rows: 16, columns: 16))
    for index in series.stack.frames.indices {
      let file = series.stack.frames[index].file
      let compressed = file + ".jpg"
      // JPEG Extended, 12 bits, with the UID of the image.
      for (tool, arguments) in [
        ("dcmcjpeg", ["+ee", "+un", file, compressed]),
        (
          "dcmodify",
          [
            "-nb", "-imt", "-e", "(0028,2110)", "-e", "(0028,2112)", "-e", "(0028,2114)",
            compressed,
          ]
        ),
      ] {
        let result = try await runProcess("/usr/bin/\(tool)", arguments)
        try #require(result.status == 0, "\(result.output)")
      }
      series.stack.frames[index].file = compressed
    }
    let source = try DICOMFile(path: series.stack.frames[0].file)
    #expect(source.transferSyntax == .jpegExtended)
    #expect(source.dataset.text(.lossyImageCompression) == nil)
    let object = series.segmentation(PhantomLabels.volume(on: series.stack.grid))
    let path = series.folder.url.appendingPathComponent("seg.dcm").path
    #expect(try object.write(to: path) == .written)
    try object.prove(path)
    var (dataset, pixels) = try DICOMFile.withNativePixels(path: path)
    #expect(dataset.text(.lossyImageCompression) == "01")
    // The proof asks for it.
    dataset.set(.lossyImageCompression, .CS, "00")
    dataset.set(.pixelData, .OB, bytes: pixels)
    try dataset.write(to: path)
    #expect(throws: ProofError.self) { try object.prove(path) }
  }

  /// The file at the place of a source image must hold the image that was segmented.
  @Test(arguments: [DICOM.Tag.sopInstanceUID, .sopClassUID, .studyInstanceUID])
  func anotherImageInTheFileOfASourceFails(_ tag: DICOM.Tag) throws {
    let series = try PhantomSeries()
    let object = series.segmentation(PhantomLabels.volume(on: series.stack.grid))
    let path = series.folder.url.appendingPathComponent("seg.dcm").path
    #expect(try object.write(to: path) == .written)
    let file = series.stack.frames[4].file
    var image = try DICOMFile(path: file).dataset
    image.set(tag, .UI, tag == .sopClassUID ? "1.2.840.10008.5.1.4.1.1.4" : "2.25.4711")
    try image.write(to: file)
    let error = #expect(throws: ProofError.self) { try object.prove(path) }
    #expect(error?.reason.contains("\(tag)") == true, "\(error?.reason ?? "")")
  }

  /// An object of more frames could be written and not read back.
  @Test func noObjectHasMoreFramesThanCanBeRead() throws {
    var grid = try PhantomSeries().stack.grid
    (grid.rows, grid.columns, grid.slices) = (1, 2, 30_000)
    let labels = LabelVolume(grid: grid, labels: (0..<60_000).map { $0 % 2 == 0 ? 1 : 5 })
    let parts = SegmentationObject.parts(
      of: labels, segments: PhantomLabels.segments, options: ResultOptions())
    #expect(parts.map { $0.map(\.value) } == [[5], [1]])
  }
}
