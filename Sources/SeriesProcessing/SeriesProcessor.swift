import DICOM
import Foundation
import GeometryGate
import Results
import Segmentation
import SeriesReading
import Volumes

/// The outcome for an input, and the assessments that this is based on.
public struct ProcessedSeries: Sendable, Equatable {
  public var outcome: SeriesOutcome
  /// On the series whose images the result refers to, then on those of the channels; the pixels are
  /// part of the assessment as far as they were read.
  public var assessments: [AssessmentSummary]
}

/// Takes one series from its files to proved segmentations.
///
/// ```swift
/// let processor = SeriesProcessor(
///   geometry: GeometryRules(), installation: "SEGMENTD", memory: MemoryBudget(gigabytes: 0))
/// let processed = try await processor.process(
///   ModelInput(series), segmenter: segmenter, identifiers: .generate(), output: folder
/// ) { print($0.line) }
/// if case .segmented(let result) = processed.outcome { print(result.summary) }
/// ```
public struct SeriesProcessor: Sendable {
  private let geometry: GeometryRules
  /// What tells this installation from others, written as Device Serial Number (0018,1000).
  private let installation: String
  private let memory: MemoryBudget
  /// Whether `labels.nii.gz` is written next to the segmentation.
  private let writesNIfTI: Bool

  public init(
    geometry: GeometryRules, installation: String, memory: MemoryBudget,
    writesNIfTI: Bool = false
  ) {
    self.geometry = geometry
    self.installation = installation
    self.memory = memory
    self.writesNIfTI = writesNIfTI
  }

  /// Assesses, segments, writes and proves.
  ///
  /// - Parameters:
  ///   - input: the series of each channel, and the phases of a cine series.
  ///   - segmenter: the model.
  ///   - identifiers: UIDs of the result, chosen before it is written.
  ///   - output: an existing folder, which receives `segmentation.dcm` and `contours.png`, or one
  ///     of both for each phase.
  ///   - times: receives the time of each stage.
  ///   - progress: called from the segmenter's thread.
  /// - Throws: errors of reading and writing, and ``MemoryShortage`` where the job does not fit in
  ///   memory now. What is wrong with the series itself, and a series too large for the memory that
  ///   there is at all, is not thrown but returned as ``SeriesOutcome/held(reasons:)``.
  public func process(
    _ input: ModelInput, segmenter: Segmenter, identifiers: ResultIdentifiers,
    output: URL, times: StageTimes = StageTimes(),
    progress: @escaping @Sendable (SegmentationProgress) -> Void
  ) async throws -> ProcessedSeries {
    let (source, channels) = try times.measure(.reading) { try sources(input) }
    var assessed =
      [source] + channels.map(\.source).filter { $0.seriesInstanceUID != source.seriesInstanceUID }
    let export = ResultExport(
      bundle: segmenter.bundle, identifiers: identifiers, installation: installation,
      output: output, writesNIfTI: writesNIfTI, times: times)
    let run = SeriesRun(
      source: source, channels: channels, segmenter: segmenter, export: export,
      geometry: geometry, memory: memory, times: times, progress: progress)
    let outcome: SeriesOutcome
    do {
      outcome = try await run.process(phases: input.phases)
    } catch let fault as UnusablePixels {
      // The pixels are part of the series that they belong to: the verdict on it is another one.
      for index in assessed.indices where assessed[index].seriesInstanceUID == fault.series {
        assessed[index] = assessed[index].held(because: fault.finding)
      }
      outcome = .held(
        reasons: assessed.first { $0.seriesInstanceUID == fault.series }?.assessment.reasons
          ?? [fault.finding.message])
    } catch {
      guard let reasons = Self.reasonsToHold(error) else { throw error }
      outcome = .held(reasons: reasons)
    }
    return ProcessedSeries(outcome: outcome, assessments: assessed.map(\.summary))
  }

  private func sources(_ input: ModelInput) throws
    -> (SourceSeries, channels: [(name: String, source: SourceSeries)])
  {
    let source = try SourceSeries(input.series, geometry: geometry)
    // The series that the result refers to may be a channel itself.
    let channels = try input.channels.map { name, series in
      let isSource = series.seriesInstanceUID == source.seriesInstanceUID
      return (
        name: name, source: isSource ? source : try SourceSeries(series, geometry: geometry)
      )
    }
    return (source, channels)
  }

  /// Why the series cannot be segmented; nil where something else is at fault.
  static func reasonsToHold(_ error: any Error) -> [String]? {
    switch error {
    // Our own disk or installation is at fault, not the series: that may pass.
    case let error as DICOMError: error.isFileFault ? [error.description] : nil
    case let shortage as MemoryShortage: shortage.isPermanent ? [shortage.description] : nil
    case let refusal as InputRefusal: [refusal.description]
    case let finding as GeometryFinding: [finding.message]
    case let problem as HeldSeries: problem.reasons
    case let refusal as CardiacCycleError: [refusal.description]
    // The same series and model give the same object, and the same proof.
    case let failure as ProofError: failure.isPermanent ? [failure.reason] : nil
    default: nil
    }
  }
}
