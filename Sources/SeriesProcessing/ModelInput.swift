import GeometryGate
import Segmentation
import SeriesReading

/// What a model takes: a series, or one for each of its channels.
public struct ModelInput: Sendable {
  /// The series whose images the result refers to.
  public var series: SeriesFiles
  /// The series of each channel by name, in the model's order; empty for a model of one channel.
  public var channels: [(name: String, series: SeriesFiles)]
  /// Which phases of a cine series; nil for what the model says.
  public var phases: PhaseChoice?
  /// What distinguishes the volume that was chosen from the others of the series (`SliceStack.name`); nil
  /// where none was.
  public var volume: String?
  /// Series of the input that were read already, by the same geometry rules as the processor's and
  /// by Series Instance UID; the others are read by it.
  var sources: [String: SourceSeries] = [:]

  public init(
    _ series: SeriesFiles, channels: [(name: String, series: SeriesFiles)] = [],
    phases: PhaseChoice? = nil
  ) {
    self.series = series
    self.channels = channels
    self.phases = phases
  }

  /// The same input with the volume of a number, from 1 in the order in which the gate lists them.
  ///
  /// - Throws: `HeldSeries` where the gate holds the series or there is none of this number, and for a
  ///   model of several channels; `DICOMError` only where our own disk or installation is at fault.
  public func choosing(volume number: Int, geometry: GeometryRules) throws -> ModelInput {
    guard channels.isEmpty else {
      throw HeldSeries(reasons: [
        "--volume chooses no volume for a model of several channels"
      ])
    }
    var input = self
    let uid = series.seriesInstanceUID
    let source = try sources[uid] ?? SourceSeries(series, geometry: geometry)
    input.sources[uid] = source
    let name = try source.volume(numbered: number).name
    input.volume = name.isEmpty ? nil : name
    return input
  }

  public init(_ selection: ChannelSelection) {
    self.init(
      selection.reference, channels: zip(selection.names, selection.series).map { ($0, $1) })
  }
}

extension ModelInput {
  /// An input with the name of its series in a report, or why there is none.
  public typealias Input = (series: String, input: Result<ModelInput, ChannelRefusal>)

  /// What a model takes of some series: each by itself, series that are one stack together,
  /// or for a model of several channels one input for each study.
  ///
  /// - Parameters:
  ///   - series: the series that were found.
  ///   - bundle: the model.
  ///   - geometry: the rules by which series are read.
  ///   - chosen: Series Instance UIDs that somebody chose, by channel.
  ///   - phases: which phases of a cine series; nil for what the model says.
  /// - Returns: for each input its name in a report, and why there is none where channels are
  ///   missing or in doubt.
  /// - Throws: `DICOMError` only where our own disk or installation is at fault. A series of which no
  ///   image can be read is no channel.
  public static func inputs(
    of series: [SeriesFiles], for bundle: ModelBundle, geometry: GeometryRules,
    chosen: [String: String], phases: PhaseChoice?
  ) throws -> [Input] {
    guard bundle.network.inputChannels > 1 else {
      return try inputs(of: series, geometry: geometry, phases: phases)
    }
    guard !bundle.channels.isEmpty else {
      return series.map {
        (
          $0.seriesInstanceUID,
          .failure(
            .noChannels(model: bundle.name, inputChannels: bundle.network.inputChannels))
        )
      }
    }
    var sources: [String: SourceSeries] = [:]
    var unreadable: [SeriesFiles] = []
    var studies: [String] = []
    var members: [String: [ChannelCandidate]] = [:]
    for files in series {
      let source = try SourceSeries(files, geometry: geometry)
      sources[files.seriesInstanceUID] = source
      guard let candidate = ChannelCandidate(source) else {
        // Held by its job, with what is wrong with its files.
        unreadable.append(files)
        continue
      }
      let study = candidate.studyInstanceUID
      if members[study] == nil { studies.append(study) }
      members[study, default: []].append(candidate)
    }
    func read(_ input: ModelInput) -> ModelInput {
      let uids = [input.series.seriesInstanceUID] + input.channels.map(\.series.seriesInstanceUID)
      var input = input
      input.sources = sources.filter { uids.contains($0.key) }
      return input
    }
    let inputs: [Input] = studies.compactMap { study in
      guard let candidates = members[study], let first = candidates.first else { return nil }
      do throws(ChannelRefusal) {
        let selection = try ChannelSelection(
          bundle.channels, candidates: candidates, chosen: chosen)
        return (selection.reference.seriesInstanceUID, .success(read(ModelInput(selection))))
      } catch {
        return (first.facts.seriesInstanceUID, .failure(error))
      }
    }
    return inputs + unreadable.map { ($0.seriesInstanceUID, .success(read(ModelInput($0)))) }
  }

  /// Each series by itself, or with those that it is one stack with.
  private static func inputs(
    of series: [SeriesFiles], geometry: GeometryRules, phases: PhaseChoice?
  ) throws -> [Input] {
    // Fewer are no stack, and need not be read for it.
    guard series.count > 2 else {
      return series.map { ($0.seriesInstanceUID, .success(ModelInput($0, phases: phases))) }
    }
    let sources = try series.map { try SourceSeries($0, geometry: geometry) }
    return try SourceSeries.stacked(sources, geometry: geometry).map { source in
      var input = ModelInput(source.files, phases: phases)
      input.sources = [source.seriesInstanceUID: source]
      return (source.seriesInstanceUID, .success(input))
    }
  }
}
