import DICOM
import Segmentation
import SeriesReading

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

extension ModelInput {
  /// What a model is shown of some series: each by itself, or for a model of several channels one
  /// input for each study.
  ///
  /// - Parameter chosen: Series Instance UIDs that somebody chose, by channel.
  /// - Returns: for each input its name in a report, and why there is none where channels are
  ///   missing or in doubt.
  /// - Throws: `DICOMError` where a file cannot be read.
  public static func inputs(
    of series: [SeriesFiles], for bundle: ModelBundle, chosen: [String: String],
    phases: PhaseChoice?
  ) throws -> [(series: String, input: Result<ModelInput, ChannelRefusal>)] {
    guard bundle.network.inputChannels > 1 else {
      return series.map { ($0.seriesInstanceUID, .success(ModelInput($0, phases: phases))) }
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
    var studies: [String] = []
    var members: [String: [ChannelCandidate]] = [:]
    for files in series {
      let candidate = try ChannelCandidate(files, channels: bundle.channels)
      let study = candidate.studyInstanceUID
      if members[study] == nil { studies.append(study) }
      members[study, default: []].append(candidate)
    }
    return studies.compactMap { study in
      guard let candidates = members[study], let first = candidates.first else { return nil }
      do throws(ChannelRefusal) {
        let selection = try ChannelSelection(
          bundle.channels, candidates: candidates, chosen: chosen)
        return (selection.reference.seriesInstanceUID, .success(ModelInput(selection)))
      } catch {
        return (first.facts.seriesInstanceUID, .failure(error))
      }
    }
  }
}
