import DICOM
import Foundation
import GeometryGate
import JobLedger
import Results
import Segmentation
import Volumes

/// The instance files of one series.
public struct SeriesFiles: Sendable, Equatable {
  public var seriesInstanceUID: String
  public var files: [URL]
  /// Earlier versions of instances among `files`, which were received again with other content: their
  /// pixels are compared, and nothing else is read of them.
  public var replaced: [URL]

  public init(seriesInstanceUID: String, files: [URL], replaced: [URL] = []) {
    self.seriesInstanceUID = seriesInstanceUID
    self.files = files
    self.replaced = replaced
  }
}

/// What a model is shown: a series, or one for each of its channels.
public struct ModelInput: Sendable {
  /// The series whose images the result lies on.
  public var series: SeriesFiles
  /// The series of each channel by name, in the model's order; empty for a model of one channel.
  public var channels: [(name: String, series: SeriesFiles)]
  /// Which phases of a cine series; nil for what the model says.
  public var phases: PhaseChoice?

  public init(
    _ series: SeriesFiles, channels: [(name: String, series: SeriesFiles)] = [],
    phases: PhaseChoice? = nil
  ) {
    self.series = series
    self.channels = channels
    self.phases = phases
  }

  public init(_ selection: ChannelSelection) {
    self.init(
      selection.reference, channels: zip(selection.names, selection.series).map { ($0, $1) })
  }
}

/// What the model found in one volume.
struct SegmentedStack {
  /// On the source images.
  var labels: LabelVolume
  var predictedMemory: Int
  var warnings: [String]
  /// How the labels were made, where a reader should know.
  var notes: [String]
}

/// What became of an input, and the verdicts of the geometry gate that it rests on.
public struct ProcessedSeries: Sendable, Equatable {
  public var outcome: SeriesOutcome
  /// On the series whose images the result lies on, then on those of the channels; the pixels are
  /// part of the judgement as far as they were read.
  public var verdicts: [SeriesVerdict]
}

/// Takes one series from its files to proved segmentations.
public struct SeriesProcessor: Sendable {
  private let geometry: GeometryRules
  /// What tells this installation from others, written as Device Serial Number (0018,1000).
  private let installation: String
  private let memory: MemoryBudget
  /// Whether `labels.nii.gz` is written beside the segmentation.
  private let writesNIfTI: Bool

  public init(
    geometry: GeometryRules, installation: String, memory: MemoryBudget = MemoryBudget(),
    writesNIfTI: Bool = false
  ) {
    self.geometry = geometry
    self.installation = installation
    self.memory = memory
    self.writesNIfTI = writesNIfTI
  }

  /// Judges, segments, writes and proves.
  ///
  /// - Parameters:
  ///   - output: an existing folder, which receives `segmentation.dcm` and `contours.png`,
  ///     or one of both for each phase.
  ///   - times: receives the time of each stage.
  /// - Throws: errors of reading and writing, and ``MemoryShortage`` where the job does not fit in
  ///   memory now. What is wrong with the series itself, and a series too large for the memory that
  ///   there is at all, is not thrown but returned as ``SeriesOutcome/held(reasons:)``.
  public func process(
    _ input: ModelInput, segmenter: Segmenter, identifiers: SegmentationObject.Identifiers,
    output: URL, times: StageTimes = StageTimes(),
    progress: @escaping @Sendable (SegmentationProgress) -> Void
  ) async throws -> ProcessedSeries {
    let (source, channels) = try times.measure(.reading) { try sources(input) }
    var judged =
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
      for index in judged.indices where judged[index].seriesInstanceUID == fault.series {
        judged[index] = judged[index].held(because: fault.finding)
      }
      outcome = .held(
        reasons: judged.first { $0.seriesInstanceUID == fault.series }?.assessment.reasons
          ?? [fault.finding.message])
    } catch {
      guard let reasons = reasonsToHold(error) else { throw error }
      outcome = .held(reasons: reasons)
    }
    return ProcessedSeries(outcome: outcome, verdicts: judged.map(\.verdict))
  }

  private func sources(_ input: ModelInput) throws
    -> (SourceSeries, channels: [(name: String, source: SourceSeries)])
  {
    let source = try SourceSeries(input.series, geometry: geometry)
    // The series that the result lies on may be a channel itself.
    let channels = try input.channels.map { name, series in
      let isSource = series.seriesInstanceUID == source.seriesInstanceUID
      return (
        name: name, source: isSource ? source : try SourceSeries(series, geometry: geometry)
      )
    }
    return (source, channels)
  }

  /// Why the series cannot be segmented; nil where something else is at fault.
  private func reasonsToHold(_ error: any Error) -> [String]? {
    switch error {
    // Our own disk or installation is at fault, not the series: that may pass.
    case let error as DICOMError: error.isOfTheFile ? [error.description] : nil
    case let shortage as MemoryShortage: shortage.isPermanent ? [shortage.description] : nil
    case let refusal as InputRefusal: [refusal.description]
    case let finding as GeometryFinding: [finding.message]
    case let problem as HeldSeries: problem.reasons
    case let refusal as CardiacCycleError: [refusal.description]
    default: nil
    }
  }
}

/// The way of one input through a model.
private struct SeriesRun {
  let source: SourceSeries
  let channels: [(name: String, source: SourceSeries)]
  let segmenter: Segmenter
  let export: ResultExport
  let geometry: GeometryRules
  let memory: MemoryBudget
  let times: StageTimes
  let progress: @Sendable (SegmentationProgress) -> Void

  private var bundle: ModelBundle { segmenter.bundle }

  func process(phases: PhaseChoice?) async throws -> SeriesOutcome {
    let cine = bundle.cine.flatMap { rule in
      source.assessment.usableStacks.count > 1 || phases != nil ? rule : nil
    }
    if let cine {
      return try await PhaseProcessor(
        source: source, rule: cine, choice: phases ?? cine.phases, export: export
      ).process { try await segment([$0]) }
    }
    guard phases == nil else {
      throw HeldSeries(reasons: ["model \(bundle.name) is not for cine series: no phases"])
    }
    let stacks = try stacks()
    let segmented = try await segment(stacks)
    switch try export.write(segmented, stack: stacks[0]) {
    case .nothingFound(let picture):
      return .nothingFound(picture: picture, warnings: segmented.warnings)
    case .proved(let object):
      return .segmented(
        SegmentedSeries(
          objects: [object], memory: MemoryUse(predicted: segmented.predictedMemory)))
    }
  }

  /// The volume of the series that the result lies on, then those of the model's channels.
  private func stacks() throws -> [SliceStack] {
    let reference = try source.onlyVolume()
    guard bundle.network.inputChannels > 1 else { return [reference] }
    guard channels.count == bundle.network.inputChannels else {
      throw HeldSeries(
        reasons: [
          "\(ChannelRefusal.noChannels(model: bundle.name, inputChannels: bundle.network.inputChannels))"
        ])
    }
    var stacks = [reference]
    for (name, source) in channels {
      do {
        stacks.append(try source.onlyVolume())
      } catch {
        throw HeldSeries(
          reasons: error.reasons.map {
            "channel \(name), series \(source.seriesInstanceUID): \($0)"
          })
      }
    }
    return stacks
  }

  /// Labels on the images of the first stack; the others, where there are any, are the model's
  /// channels.
  private func segment(_ stacks: [SliceStack]) async throws -> SegmentedStack {
    let reference = NetworkInput(stacks[0], geometry: geometry)
    let channels =
      stacks.count > 1
      ? stacks[1...].map { NetworkInput($0, geometry: geometry) } : [reference]
    for channel in channels {
      try bundle.input.check(
        modality: channel.stack.frames.first?.modality ?? "", bodyPart: source.bodyPart)
    }
    let grid = reference.grid
    // A channel that is brought to another grid becomes floats.
    let bytes = channels.count > 1 ? 4 : reference.bytesPerVoxel
    let forecast = try bundle.memoryForecast(
      of: grid, bytesPerVoxel: bytes, threads: segmenter.threads)
    let predicted = try memory.check(job: forecast.peak)
    // Read by the segmenter, which lets the voxels go as soon as it can.
    let warnings = ModelWarnings()
    let labels = try await segmenter.segment(
      reading: { try channels.map { try $0.read(on: grid) } }, warnings: warnings, times: times,
      progress: progress)
    return SegmentedStack(
      labels: reference.sourceLabels(labels), predictedMemory: predicted,
      warnings: warnings.all.map(\.description), notes: warnings.notes.map(\.description))
  }
}

extension MemoryUse {
  /// The peak as it is now.
  init(predicted: Int) {
    self.init(predicted: predicted, peak: MemoryBudget.peakResident)
  }
}

/// A series whose pixels cannot be used, which only reading them shows.
private struct UnusablePixels: Error {
  var series: String
  var finding: GeometryFinding
}

/// A series whose geometry was not accepted.
struct HeldSeries: Error {
  var reasons: [String]
}

extension SourceSeries {
  /// The one volume of the series.
  func onlyVolume() throws(HeldSeries) -> SliceStack {
    let volumes = assessment.usableStacks
    guard volumes.count == 1 else { throw HeldSeries(reasons: assessment.reasons) }
    return volumes[0]
  }
}

extension NetworkInput {
  /// The voxels on a grid in the same frame of reference.
  ///
  /// - Throws: ``UnusablePixels``, ``HeldSeries`` where less than half of the grid is covered, or a
  ///   `DICOMError` where our own disk is at fault.
  fileprivate func read(on grid: VolumeGrid) throws -> Volume {
    let series = stack.frames.first?.seriesInstanceUID ?? ""
    let volume: Volume
    do {
      volume = try read()
    } catch let finding as GeometryFinding {
      throw UnusablePixels(series: series, finding: finding)
    } catch let error as DICOMError where error.isOfTheFile {
      throw UnusablePixels(
        series: series, finding: GeometryFinding(.unreadable, error.description))
    }
    guard self.grid != grid else { return volume }
    guard let placed = volume.resampled(onto: grid) else {
      throw HeldSeries(reasons: ["series \(series): its axes do not span space"])
    }
    guard placed.coverage >= 0.5 else {
      let percent = Int((placed.coverage * 100).rounded())
      throw HeldSeries(
        reasons: ["series \(series) covers \(percent) % of the images that the result lies on"])
    }
    return placed.volume
  }
}
