import Foundation
import SeriesReading
import SeriesSelection

/// Why the channels of a model cannot be filled from a study. The descriptions name series by UID
/// and quote no free text of the files.
public enum ChannelRefusal: Error, Sendable, Equatable, CustomStringConvertible {
  case missing(channel: String, candidates: [String])
  case ambiguous(channel: String, candidates: [String])
  case sharedSeries(series: String, channels: [String])
  case noFrameOfReference(series: String)
  case otherFrameOfReference(channel: String, series: String, reference: String)
  case unknownChannel(name: String, known: [String])
  case unknownSeries(channel: String, series: String)
  case noChannels(model: String, inputChannels: Int)

  public var description: String {
    switch self {
    case .missing(let channel, let candidates):
      "no series of the study is channel \(channel): \(listed(candidates))"
    case .ambiguous(let channel, let candidates):
      "several series of the study are channel \(channel) equally well: \(listed(candidates)); "
        + "name the right one with --channel \(channel)=UID"
    case .sharedSeries(let series, let channels):
      "series \(series) would be channels \(channels.joined(separator: " and ")): name the right "
        + "ones with --channel NAME=UID"
    case .noFrameOfReference(let series):
      "series \(series) has no Frame of Reference UID (0020,0052), so that no other series can be "
        + "brought to its grid"
    case .otherFrameOfReference(let channel, let series, let reference):
      "series \(series) of channel \(channel) is in another frame of reference (0020,0052) than "
        + "series \(reference)"
    case .unknownChannel(let name, let known):
      "the model has no channel \"\(name)\" (channels: \(known.joined(separator: ", ")))"
    case .unknownSeries(let channel, let series):
      "channel \(channel): the study has no series \(series)"
    case .noChannels(let model, let inputChannels):
      "model \(model) takes \(inputChannels) images at once, and its bundle has no channels: "
        + "that say which series they are"
    }
  }

  private func listed(_ candidates: [String]) -> String {
    candidates.isEmpty ? "it has no other series" : candidates.joined(separator: "; ")
  }
}

/// A series that may be a channel.
public struct ChannelCandidate: Sendable, Equatable {
  public var files: SeriesFiles
  public var facts: SeriesFacts
  /// Of the first image, empty where it has none.
  public var frameOfReferenceUID: String
  public var studyInstanceUID: String
}

extension ChannelCandidate {
  /// - Returns: nil where none of the images of the series could be read.
  public init?(_ source: SourceSeries) {
    guard let facts = source.facts else { return nil }
    self.facts = facts
    files = source.files
    frameOfReferenceUID = source.frameOfReferenceUID
    studyInstanceUID = source.studyInstanceUID
  }
}

/// The series of one study that a model with several channels takes together.
public struct ChannelSelection: Sendable {
  /// One for each channel of the model, in its order.
  public private(set) var series: [SeriesFiles]
  /// The series whose images the result refers to.
  public private(set) var reference: SeriesFiles
  /// The channels' names in the same order.
  public let names: [String]

  /// Finds the series of each channel by its criteria: the reference first, the others among the
  /// series of its frame of reference (PS3.3 C.7.4.1).
  ///
  /// - Parameters:
  ///   - channels: the model's channels, in its order.
  ///   - candidates: the series of one study.
  ///   - chosen: Series Instance UIDs that somebody chose, by channel.
  public init(
    _ channels: [ModelChannel], candidates: [ChannelCandidate], chosen: [String: String] = [:]
  ) throws(ChannelRefusal) {
    names = channels.map(\.name)
    for name in chosen.keys.sorted() where !names.contains(name) {
      throw .unknownChannel(name: name, known: names)
    }
    guard let first = channels.firstIndex(where: \.isReference) else {
      throw .noChannels(model: "", inputChannels: channels.count)
    }
    let finder = ChannelFinder(candidates: candidates, chosen: chosen)
    let base = try finder.find(channels[first], among: nil)
    guard !base.frameOfReferenceUID.isEmpty else {
      throw .noFrameOfReference(series: base.facts.seriesInstanceUID)
    }
    var found: [ChannelCandidate] = []
    for (index, channel) in channels.enumerated() {
      found.append(index == first ? base : try finder.find(channel, among: base))
    }
    for (index, candidate) in found.enumerated() {
      let uid = candidate.facts.seriesInstanceUID
      let same = found.indices.filter { found[$0].facts.seriesInstanceUID == uid }
      guard same.count == 1 || same[0] != index else {
        throw .sharedSeries(series: uid, channels: same.map { channels[$0].name })
      }
    }
    series = found.map(\.files)
    reference = base.files
  }
}

private struct ChannelFinder {
  let candidates: [ChannelCandidate]
  let chosen: [String: String]

  /// - Parameter reference: the series whose frame of reference counts; nil for any.
  func find(_ channel: ModelChannel, among reference: ChannelCandidate?) throws(ChannelRefusal)
    -> ChannelCandidate
  {
    if let uid = chosen[channel.name] {
      guard let candidate = candidates.first(where: { $0.facts.seriesInstanceUID == uid }) else {
        throw .unknownSeries(channel: channel.name, series: uid)
      }
      if let reference, candidate.frameOfReferenceUID != reference.frameOfReferenceUID {
        throw .otherFrameOfReference(
          channel: channel.name, series: uid, reference: reference.facts.seriesInstanceUID)
      }
      return candidate
    }
    // What somebody chose for another channel is not looked at again.
    let free = candidates.filter { !chosen.values.contains($0.facts.seriesInstanceUID) }
    let near = free.filter {
      reference == nil || $0.frameOfReferenceUID == reference?.frameOfReferenceUID
    }
    let scores = near.map { channel.criteria.score($0.facts) }
    switch SeriesChoice(scores, facts: near.map(\.facts)) {
    case .best(let index, _): return near[index]
    case .tie(let indices):
      throw .ambiguous(
        channel: channel.name,
        candidates: indices.map {
          "series \(near[$0].facts.seriesInstanceUID) (score \(scores[$0].pointsText))"
        })
    case .none:
      var listed = zip(near, scores).map { candidate, score in
        "series \(candidate.facts.seriesInstanceUID): "
          + score.incompatibilities(showingText: false).joined(separator: ", ")
      }
      listed += free.filter { one in
        !near.contains { $0.facts.seriesInstanceUID == one.facts.seriesInstanceUID }
      }.map { "series \($0.facts.seriesInstanceUID): in another frame of reference (0020,0052)" }
      throw .missing(channel: channel.name, candidates: listed)
    }
  }
}
