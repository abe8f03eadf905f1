import SeriesProcessing
import SeriesReading
import SeriesSelection

/// Which series of a study a model with several channels is shown.
public struct ChannelTrial: Encodable, Sendable {
  public struct Channel: Encodable, Sendable {
    public var name: String
    public var seriesInstanceUID: String
    /// Whether the result is on this series' images.
    public var isReference: Bool
  }

  public var model: String
  /// In the model's order; empty where they cannot all be filled.
  public var channels: [Channel] = []
  /// Why the channels cannot be filled: the daemon would make one held job that says so.
  public var reason: String?

  /// - Parameters:
  ///   - model: its name.
  ///   - channels: of the model.
  ///   - members: the series of the study that rules give to the model.
  /// - Returns: nil where there is none, so that the model gets no job.
  init?(model: String, _ channels: [ModelChannel], of members: [SourceSeries]) {
    guard !members.isEmpty else { return nil }
    self.model = model
    let candidates = members.sorted { $0.seriesInstanceUID < $1.seriesInstanceUID }
      .compactMap(ChannelCandidate.init)
    do throws(ChannelRefusal) {
      let selection = try ChannelSelection(channels, candidates: candidates)
      let reference = selection.reference.seriesInstanceUID
      self.channels = zip(selection.names, selection.series).map { name, series in
        Channel(
          name: name, seriesInstanceUID: series.seriesInstanceUID,
          isReference: series.seriesInstanceUID == reference)
      }
    } catch {
      reason = error.description
    }
  }

  var lines: [String] {
    ["  model \(model): " + (reason.map { "held: \($0)" } ?? "its channels")]
      + channels.map {
        "    channel \($0.name): series \($0.seriesInstanceUID)"
          + ($0.isReference ? ", the result is on its images" : "")
      }
  }
}
