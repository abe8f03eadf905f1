import DICOM
import Foundation
import Results
import Segmentation
import Terminology
import Volumes

/// Writes and proves the pictures of one volume as DICOM objects, where the options ask for them.
struct CaptureExport {
  let export: ResultExport

  /// - Parameters:
  ///   - labels: on the images of the stack.
  ///   - stack: the source images.
  ///   - origin: who made the labels, and when.
  ///   - index: of the volume in the result, from 0.
  ///   - suffix: of the names of its files.
  /// - Returns: none where none are asked for; of images in which nothing was found there is a page alone.
  /// - Throws: as ``ResultExport`` for its objects.
  func write(
    _ labels: LabelVolume, stack: SliceStack, origin: ResultOrigin, index: Int, suffix: String
  ) throws -> [ProvedCapture] {
    let options = export.options
    let isFound = labels.labels.contains { $0 != 0 }
    guard options.captures.hasPage || (options.captures.hasFrames && isFound) else { return [] }
    let series: CaptureSeries
    do {
      series = try export.times.measure(.picture) {
        try CaptureSeries(
          labels, stack: stack, segments: export.bundle.labels, origin: origin,
          identity: export.identity, index: index)
      }
    } catch SegmentationError.dicom(let error) {
      throw error
    }
    var captures: [ProvedCapture] = []
    if options.captures.hasFrames, isFound {
      captures += [try write(series.frames(), .frames, "captures\(suffix).dcm")]
      if options.writesSingleFrames {
        for (number, object) in series.singleFrames().enumerated() {
          let name = String(format: "capture\(suffix)-%04d.dcm", number + 1)
          captures.append(try write(object, .frame, name))
        }
      }
    }
    if options.captures.hasPage {
      let page = series.page(
        millilitres: ResultExport.millilitres(
          labels, export.bundle.labels, depths: stack.sliceDepths))
      var written = try write(page, .page, "page\(suffix).dcm")
      let picture = export.output.appendingPathComponent("page\(suffix).png")
      try export.times.measure(.picture) { try page.writePNG(to: picture.path) }
      written.picture = picture
      captures.append(written)
    }
    return captures
  }

  private func write(
    _ object: CaptureObject, _ form: ProvedCapture.Form, _ name: String
  ) throws -> ProvedCapture {
    let file = export.output.appendingPathComponent(name)
    // A capture is written always.
    let sha256 = try export.write(object, to: file) ?? ""
    return ProvedCapture(
      form: form, file: file, sopInstanceUID: object.identifiers.sopInstanceUID, sha256: sha256)
  }
}
