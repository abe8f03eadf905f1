import Foundation
import GeometryGate
import NIfTI
import Results
import Segmentation
import Terminology
import Volumes

/// The outcome for a volume in NIfTI files.
public struct LabelledVolume: Sendable, Equatable {
  /// 8-bit labels with the geometry of the input, .nii.gz.
  public var labels: URL
  public var picture: URL
  /// Volume of each structure that was found, in millilitres, by name.
  public var millilitres: [String: Double]
  /// What is unusual compared with the model's training volumes.
  public var warnings: [String] = []
  /// How the labels were made, where a reader should know.
  public var notes: [String] = []
}

/// Takes one volume from NIfTI files to labels and a picture: the road without DICOM.
public enum VolumeFileProcessor {
  /// - Parameters:
  ///   - files: one NIfTI file for each channel, or one with the channels along its fourth axis.
  ///   - segmenter: the model.
  ///   - geometry: the rules by which a DICOM series is assessed.
  ///   - memory: what the job may take.
  ///   - output: an existing folder, which receives `labels.nii.gz` and `contours.png`.
  ///   - times: receives the time of each stage.
  ///   - progress: called from the segmenter's thread.
  /// - Throws: `NIfTIError`, `InputRefusal`, ``MemoryShortage``, or errors of segmenting and writing.
  public static func process(
    _ files: [URL], segmenter: Segmenter, geometry: GeometryRules, memory: MemoryBudget,
    output: URL,
    times: StageTimes = StageTimes(),
    progress: @escaping @Sendable (SegmentationProgress) -> Void
  ) async throws -> LabelledVolume {
    let channels = try times.measure(.decoding) {
      try VolumeInputs.read(files, for: segmenter.bundle, geometry: geometry)
    }
    if let first = channels.first {
      let forecast = try segmenter.bundle.memoryForecast(
        of: first.grid, bytesPerVoxel: 4, threads: segmenter.threads)
      _ = try memory.check(job: forecast.peak)
    }
    let warnings = ModelWarnings()
    let labels = try await segmenter.segment(
      channels, warnings: warnings, times: times, progress: progress)
    let segments = segmenter.bundle.labels
    let picture = output.appendingPathComponent("contours.png")
    try times.measure(.picture) {
      try writePicture(
        channels[0], labels, segments: segments,
        remarks: warnings.all.map(\.description), to: picture)
    }
    let file = output.appendingPathComponent("labels.nii.gz")
    try times.measure(.writing) {
      try NIfTIFile.write(
        labels, to: file.path, geometryOf: try files.first.map { try NIfTIFile(path: $0.path) })
    }
    return LabelledVolume(
      labels: file, picture: picture,
      millilitres: ResultExport.millilitres(labels, segments),
      warnings: warnings.all.map(\.description), notes: warnings.notes.map(\.description))
  }

  /// NIfTI files often store rows from the back of the patient: a picture is seen as on a screen,
  /// the front above and the patient's left to the right.
  private static func writePicture(
    _ volume: Volume, _ labels: LabelVolume, segments: [SegmentDescription], remarks: [String],
    to picture: URL
  ) throws {
    let screen = Reorientation(of: volume.grid, to: [.superior, .posterior, .left])
    try ContourMontage.write(
      screen?.apply(volume) ?? volume, labels: screen?.apply(labels) ?? labels,
      segments: segments, remarks: remarks, to: picture.path)
  }
}
