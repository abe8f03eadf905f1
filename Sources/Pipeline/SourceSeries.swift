import DICOM
import Foundation
import Volumes

/// A series whose geometry was not accepted.
struct HeldSeries: Error {
  var reasons: [String]
}

/// The images of a series, judged and put in order.
struct SourceSeries: Sendable {
  let stack: SliceStack
  let bodyPart: String?
  private let paths: [String: String]

  var modality: String { stack.frames.first?.modality ?? "" }

  /// Bytes for each voxel as `PixelReader` will keep them, or more.
  var bytesPerVoxel: Int {
    let isWhole = stack.frames.allSatisfy { frame in
      let (slope, intercept) = (frame.rescaleSlope ?? 1, frame.rescaleIntercept ?? 0)
      let most = abs(slope) * Double(1 << min(frame.bitsStored, 30)) + abs(intercept)
      return slope == slope.rounded() && intercept == intercept.rounded() && most < 32_768
    }
    return isWhole ? 2 : 4
  }

  /// The file of an instance.
  func path(of sopInstanceUID: String) -> String? { paths[sopInstanceUID] }

  /// - Throws: ``HeldSeries`` with every finding of the geometry gate, or `DICOMError`.
  init(_ series: SeriesFiles, geometry: GeometryRules) throws {
    var frames: [ImageFrame] = []
    var paths: [String: String] = [:]
    var bodyPart: String?
    for url in series.files {
      let file = try DICOMFile(path: url.path)
      let found = try file.imageFrames()
      bodyPart = bodyPart ?? file.dataset.text(.bodyPartExamined)
      frames += found
      if let first = found.first { paths[first.sopInstanceUID] = url.path }
    }
    let assessment = assess(frames: frames, rules: geometry)
    guard assessment.verdict == .accepted, let stack = assessment.volumes.first else {
      throw HeldSeries(reasons: assessment.problems.map(\.description))
    }
    self.stack = stack
    self.paths = paths
    self.bodyPart = bodyPart
  }
}
