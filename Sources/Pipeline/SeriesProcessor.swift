import DICOM
import Foundation
import Results
import Segmentation
import Volumes

/// The instance files of one series.
public struct SeriesFiles: Sendable {
  public var seriesInstanceUID: String
  public var files: [URL]

  public init(seriesInstanceUID: String, files: [URL]) {
    self.seriesInstanceUID = seriesInstanceUID
    self.files = files
  }
}

/// The identifiers that a result will carry. They are chosen before the work starts, so that a job
/// that is run again after a crash writes the same object.
public struct ResultIdentifiers: Sendable, Equatable {
  public var seriesInstanceUID: String
  public var sopInstanceUID: String

  public init(seriesInstanceUID: String, sopInstanceUID: String) {
    self.seriesInstanceUID = seriesInstanceUID
    self.sopInstanceUID = sopInstanceUID
  }

  /// New identifiers.
  public static func generate() -> ResultIdentifiers {
    ResultIdentifiers(
      seriesInstanceUID: DICOMUID.generate(), sopInstanceUID: DICOMUID.generate())
  }
}

/// What became of a series.
public enum SeriesOutcome: Sendable {
  /// A segmentation that was read back and found equal to the label volume.
  case segmented(segmentation: URL, picture: URL, voxelsBySegment: [String: Int])
  /// The model found none of its structures; no object is written.
  case nothingFound(picture: URL)
  /// The series cannot be segmented; each reason says why.
  case held(reasons: [String])
}

/// Takes one series from its files to a proved segmentation.
public struct SeriesProcessor: Sendable {
  private let geometry: GeometryRules
  private let threads: Int

  public init(geometry: GeometryRules, threads: Int) {
    self.geometry = geometry
    self.threads = threads
  }

  /// Judges, segments, writes and proves.
  ///
  /// - Parameter output: an existing folder, which receives `segmentation.dcm` and `contours.png`.
  /// - Throws: errors of reading and writing. What is wrong with the series itself is not thrown
  ///   but returned as ``SeriesOutcome/held(reasons:)``.
  public func process(
    _ series: SeriesFiles, segmenter: Segmenter, identifiers: ResultIdentifiers, output: URL,
    progress: @escaping @Sendable (SegmentationProgress) -> Void
  ) async throws -> SeriesOutcome {
    let stack: SliceStack
    var fileOf: [String: String] = [:]
    do {
      var frames: [ImageFrame] = []
      for file in series.files {
        let found = try DICOMFile(path: file.path).imageFrames()
        frames += found
        if let first = found.first { fileOf[first.sopInstanceUID] = file.path }
      }
      let assessment = assess(frames: frames, rules: geometry)
      guard assessment.verdict == .accepted, let only = assessment.volumes.first else {
        return .held(reasons: assessment.reasons.map(\.description))
      }
      stack = only
    } catch let error as DICOMError {
      return .held(reasons: [error.description])
    }

    let paths = fileOf
    let volume: Volume
    do {
      volume = try PixelReader.read(stack) { paths[$0] }
    } catch let error as DICOMError {
      return .held(reasons: [error.description])
    }
    let bundle = segmenter.bundle
    let labels: LabelVolume
    do {
      try bundle.input.check(volume, modality: stack.frames.first?.modality ?? "")
      labels = try await segmenter.segment([volume], progress: progress)
    } catch let refusal as InputRefusal {
      return .held(reasons: [refusal.description])
    }
    return try export(
      labels, of: volume, stack: stack, files: paths, bundle: bundle, identifiers: identifiers,
      output: output)
  }
}
