import Segmentation
import SeriesReading

extension ModelBundle {
  /// Checks the series of a model of one channel against what `channels` in `model.yaml` demands of
  /// it. For a model of several channels that is done when its series are chosen.
  ///
  /// - Throws: `HeldSeries` with each demand that is not met, without free text of the files.
  /// - Parameters:
  ///   - source: the series.
  ///   - volume: the name of the volume that was chosen among those of the series; nil for none.
  func checkDemands(on source: SourceSeries, volume: String? = nil) throws(HeldSeries) {
    guard network.inputChannels == 1, let channel = channels.first, let whole = source.facts
    else { return }
    let facts = whole.volumes.first { $0.name == volume }?.facts ?? whole
    let score = channel.criteria.score(facts)
    guard !score.isMatch else { return }
    throw HeldSeries(
      reasons: score.incompatibilities(showingText: false).map {
        "this is not a series for the model \(name): \($0)"
      })
  }
}
