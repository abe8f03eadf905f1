import Segmentation
import SeriesReading

extension ModelBundle {
  /// Checks the series of a model of one channel against what `channels` in `model.yaml` demands of
  /// it. For a model of several channels that is done when its series are chosen.
  ///
  /// - Throws: `HeldSeries` with each demand that is not met, without free text of the files.
  func checkDemands(on source: SourceSeries) throws(HeldSeries) {
    guard network.inputChannels == 1, let channel = channels.first, let facts = source.facts
    else { return }
    let score = channel.criteria.score(facts)
    guard !score.isMatch else { return }
    throw HeldSeries(
      reasons: score.incompatibilities(showingText: false).map {
        "this is not a series for the model \(name): \($0)"
      })
  }
}
