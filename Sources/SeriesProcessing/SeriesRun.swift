import DICOM
import GeometryGate
import Results
import Segmentation
import SeriesReading
import Volumes

/// One input on its way through a model: assessed, segmented, written and proved.
struct SeriesRun {
  let source: SourceSeries
  let channels: [(name: String, source: SourceSeries)]
  let segmenter: Segmenter
  let export: ResultExport
  let geometry: GeometryRules
  let memory: MemoryBudget
  let times: StageTimes
  let control: SegmentationControl
  let progress: @Sendable (SegmentationProgress) -> Void

  private var bundle: ModelBundle { segmenter.bundle }

  /// - Parameters:
  ///   - phases: which of a cine series are segmented; nil for a series of one volume.
  ///   - volume: the name of the one that was chosen among those of the series.
  func process(phases: PhaseChoice?, volume: String?) async throws -> SeriesOutcome {
    try bundle.checkDemands(on: source, volume: volume)
    guard phases == nil || volume == nil else {
      throw HeldSeries(reasons: ["phases and a volume of the series were chosen: one alone can be"])
    }
    let cine = bundle.cine.flatMap { rule in
      volume == nil && source.assessment.usableStacks.count > 1 || phases != nil ? rule : nil
    }
    if let cine {
      return try await PhaseProcessor(
        source: source, rule: cine, choice: phases ?? cine.phases, export: export
      ).process { phase, stack, purpose in
        // A checkpoint of one purpose is not one of the other.
        let name = purpose == .search ? "search" : "phase"
        return try await segment(
          [stack], control.volume(named: "\(name)-\(phase + 1)"), purpose: purpose)
      }
    }
    guard phases == nil else {
      throw HeldSeries(reasons: ["model \(bundle.name) is not for cine series: no phases"])
    }
    let stacks = try stacks(volume)
    let segmented = try await segment(
      stacks, control, keepsProbabilities: export.options.writesFractional)
    switch try export.write(segmented, stack: stacks[0]) {
    case .nothingFound(let picture, let objects, let captures):
      return .nothingFound(
        picture: picture, warnings: segmented.warnings, objects: objects,
        report: try export.writeReportOfNothing(in: [stacks[0]], warnings: segmented.warnings),
        captures: captures)
    case .proved(let objects, let measured, let captures):
      return .segmented(
        SegmentedSeries(
          objects: objects,
          report: try export.writeReport(
            measured, of: [stacks[0]], warnings: segmented.warnings),
          captures: captures,
          memory: MemoryUse(predicted: segmented.predictedMemory)))
    }
  }

  /// The volume of the series that the result refers to, then those of the model's channels.
  private func stacks(_ volume: String?) throws -> [SliceStack] {
    let reference = try source.volume(named: volume)
    guard bundle.network.inputChannels > 1 else { return [reference] }
    guard channels.count == bundle.network.inputChannels else {
      throw HeldSeries(
        reasons: [
          "\(ChannelRefusal.noChannels(model: bundle.name, inputChannels: bundle.network.inputChannels))"
        ])
    }
    var stacks = [reference]
    for (name, source) in channels {
      let stack: SliceStack
      do { stack = try source.onlyVolume() } catch {
        throw HeldSeries(
          reasons: error.reasons.map {
            "channel \(name), series \(source.seriesInstanceUID): \($0)"
          })
      }
      // As where the correction of a patient has not reached every series.
      guard stack.frames.first?.patientID == reference.frames.first?.patientID else {
        throw HeldSeries(reasons: [
          "channel \(name), series \(source.seriesInstanceUID): Patient ID (0010,0020) is not that of "
            + "series \(reference.frames.first?.seriesInstanceUID ?? "")"
        ])
      }
      stacks.append(stack)
    }
    return stacks
  }

  /// Labels on the images of the first stack; the others, where there are any, are the model's
  /// channels.
  private func segment(
    _ stacks: [SliceStack], _ control: SegmentationControl,
    purpose: SegmentationPurpose = .result, keepsProbabilities: Bool = false
  ) async throws -> SegmentedStack {
    let reference = UprightVolume(stacks[0], geometry: geometry)
    let channels =
      stacks.count > 1
      ? stacks[1...].map { UprightVolume($0, geometry: geometry) } : [reference]
    for channel in channels {
      try bundle.input.check(
        modality: channel.stack.frames.first?.modality ?? "", bodyPart: source.bodyPart)
    }
    let grid = reference.grid
    // A channel that is brought to another grid becomes floats.
    let bytes = channels.count > 1 ? 4 : reference.bytesPerVoxel
    let forecast = try bundle.memoryForecast(
      of: grid, bytesPerVoxel: bytes, threads: segmenter.threads,
      keepsProbabilities: keepsProbabilities, isResampled: reference.isResampled)
    let reservation = try memory.reserve(job: forecast.peak)
    // Read by the segmenter, which lets the voxels go as soon as it can.
    let warnings = ModelWarnings()
    let probabilities = keepsProbabilities ? ModelProbabilities() : nil
    let labels = try await segmenter.segment(
      reading: { try channels.map { try $0.read(on: grid) } }, purpose: purpose,
      warnings: warnings, probabilities: probabilities, times: times, control: control,
      progress: progress)
    return SegmentedStack(
      labels: reference.sourceLabels(labels),
      probabilities: probabilities?.take().map(reference.sourceProbabilities),
      predictedMemory: reservation.peak,
      reservation: reservation,
      warnings: warnings.all.map(\.description), notes: warnings.notes.map(\.description))
  }
}

extension UprightVolume {
  /// The voxels on a grid in the same frame of reference.
  ///
  /// - Throws: ``UnusablePixels``, `HeldSeries` where less than half of the grid is covered, or a
  ///   `DICOMError` where our own disk is at fault.
  fileprivate func read(on grid: VolumeGrid) throws -> Volume {
    let series = stack.frames.first?.seriesInstanceUID ?? ""
    let volume: Volume
    do {
      volume = try read()
    } catch let finding as GeometryFinding {
      throw UnusablePixels(series: series, finding: finding)
    } catch let error as DICOMError where error.isFileFault {
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
        reasons: ["series \(series) covers \(percent) % of the images that the result refers to"])
    }
    return placed.volume
  }
}

/// A series whose pixels cannot be used, which only reading them shows.
struct UnusablePixels: Error {
  var series: String
  var finding: GeometryFinding
}
