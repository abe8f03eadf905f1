import DICOM
import Foundation
import GeometryGate
import Results
import Segmentation
import SeriesReading
import Tensors
import Volumes

/// The outcome for an input, and the assessments that this is based on.
public struct ProcessedSeries: Sendable, Equatable, Codable {
  public var outcome: SeriesOutcome
  /// On the series whose images the result refers to, then on those of the channels; the pixels are
  /// part of the assessment as far as they were read.
  public var assessments: [AssessmentSummary]

  /// What the verdicts say of images that there is a result of: what was repaired, or is missing, as a frame of
  /// reference. Nothing of a held series, whose reasons are of the outcome.
  public var verdictNotes: [String] {
    if case .held = outcome { return [] }
    return assessments.enumerated().flatMap { index, assessment in
      assessment.reasons.map {
        (index == 0 ? "" : "series \(assessment.seriesInstanceUID): ") + $0
      }
    }
  }
}

/// Takes one series from its files to proved segmentations.
///
/// ```swift
/// let processor = SeriesProcessor(
///   geometry: GeometryRules(), installation: "SEGMENTD", memory: MemoryBudget(gigabytes: 0))
/// let input = ModelInput(series)
/// let processed = try await processor.process(
///   input, segmenter: segmenter,
///   identity: ResultIdentity(
///     fingerprint: processor.dependencies(of: input, model: segmenter.bundle).fingerprint),
///   output: folder
/// ) { print($0.line) }
/// if case .segmented(let result) = processed.outcome { print(result.summary) }
/// ```
public struct SeriesProcessor: Sendable {
  public let geometry: GeometryRules
  /// What tells this installation from others, written as Device Serial Number (0018,1000).
  public let installation: String
  private let memory: MemoryBudget
  public private(set) var options: ResultOptions
  /// That results are promised for, on whatever machine; nil for the fastest of each.
  public let instructionSet: InstructionSet?
  /// Whether `labels.nii.gz` is written next to the segmentation.
  private let writesNIfTI: Bool

  public init(
    geometry: GeometryRules, installation: String, memory: MemoryBudget,
    options: ResultOptions = ResultOptions(), instructionSet: InstructionSet? = nil,
    writesNIfTI: Bool = false
  ) {
    self.instructionSet = instructionSet
    self.geometry = geometry
    self.installation = installation
    self.memory = memory
    self.options = options
    self.writesNIfTI = writesNIfTI
  }

  /// The same for a job whose result a person has released although it is suspect: it holds none for that.
  public var releasingResults: SeriesProcessor {
    var processor = self
    processor.options.holdsSuspect = false
    return processor
  }

  /// Assesses, segments, writes and proves.
  ///
  /// - Parameters:
  ///   - input: the series of each channel, and the phases of a cine series.
  ///   - segmenter: the model.
  ///   - identity: what the UIDs of the result follow from.
  ///   - output: an existing folder, which receives `segmentation.dcm` and `contours.png`, or one
  ///     of both for each phase.
  ///   - times: receives the time of each stage.
  ///   - control: what stops it before its end, and where its state is kept.
  ///   - progress: called from the segmenter's thread.
  /// - Throws: errors of reading and writing, ``MemoryShortage`` where the job does not fit in
  ///   memory now, and `SegmentationInterrupted` where `control` asks for it. What is wrong with the series itself, and a series too large for the memory that
  ///   there is at all, is not thrown but returned as ``SeriesOutcome/held(reasons:)``.
  public func process(
    _ input: ModelInput, segmenter: Segmenter, identity: ResultIdentity,
    output: URL, times: StageTimes = StageTimes(),
    control: SegmentationControl = SegmentationControl(),
    progress: @escaping @Sendable (SegmentationProgress) -> Void
  ) async throws -> ProcessedSeries {
    let (source, channels) = try times.measure(.reading) { try sources(input) }
    var assessed =
      [source] + channels.map(\.source).filter { $0.seriesInstanceUID != source.seriesInstanceUID }
    let export = ResultExport(
      bundle: segmenter.bundle, identity: identity, moment: source.resultMoment,
      installation: installation, options: options,
      output: output, writesNIfTI: writesNIfTI, times: times)
    let run = SeriesRun(
      source: source, channels: channels, segmenter: segmenter, export: export,
      geometry: geometry, memory: memory, times: times, control: control, progress: progress)
    var outcome: SeriesOutcome
    do {
      outcome = try await run.process(phases: input.phases, volume: input.volume)
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
    if options.holdsSuspect, let reasons = outcome.suspicions {
      // Pictures and segmentations stay for whoever decides: what the ledger does not have is sent nowhere.
      for file in outcome.dicomFiles where !outcome.segmentationFiles.contains(file) {
        try FileManager.default.removeItem(at: file)
      }
      outcome = .held(reasons: reasons)
    }
    return ProcessedSeries(outcome: outcome, assessments: assessed.map(\.summary))
  }

  /// What the result of an input depends on; all files are hashed whose hash is not known.
  ///
  /// - Throws: `DICOMError`, or an error of Foundation, where a file cannot be read.
  public func dependencies(of input: ModelInput, model: ModelBundle) throws -> ResultDependencies {
    try ResultDependencies(
      input, bundle: model, geometry: geometry, installation: installation, options: options,
      instructionSet: instructionSet)
  }

  /// The series of an input, each read once.
  func sources(_ input: ModelInput) throws
    -> (SourceSeries, channels: [(name: String, source: SourceSeries)])
  {
    var known = input.sources
    func source(_ series: SeriesFiles) throws -> SourceSeries {
      if let source = known[series.seriesInstanceUID] { return source }
      let source = try SourceSeries(series, geometry: geometry)
      known[series.seriesInstanceUID] = source
      return source
    }
    let reference = try source(input.series)
    // The reference may be a channel itself.
    return (reference, try input.channels.map { ($0.name, try source($0.series)) })
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

extension SourceSeries {
  /// The date and time that a result of these images states: the latest that they state themselves, so
  /// that it is the same whoever makes the result, and when. Images without any date, as after
  /// de-identification, give a day that nobody takes for one of a scan; the attribute has to have a value.
  fileprivate var resultMoment: StatedMoment { latestMoment ?? .unknown }
}
