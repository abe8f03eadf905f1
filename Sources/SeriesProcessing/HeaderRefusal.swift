import GeometryGate
import Segmentation
import SeriesReading

extension ModelBundle {
  /// Why a job of the model would hold a series, as far as the headers of its images say: what `channels` in
  /// `model.yaml` demands, and modality, body part, spacing and extent of `input`. Intensities are not read.
  ///
  /// - Parameters:
  ///   - source: the series, which the geometry gate accepts or repairs.
  ///   - volume: the name of the volume that was chosen among those of the series; nil for none.
  ///   - geometry: the geometry gate's rules.
  /// - Returns: nil where nothing speaks against it, and for a model of several channels, whose series are
  ///   looked at when they are chosen.
  public func headerRefusal(
    of source: SourceSeries, volume: String?, geometry: GeometryRules
  ) -> String? {
    guard network.inputChannels == 1 else { return nil }
    do {
      try checkDemands(on: source, volume: volume)
      let isCine = cine != nil && volume == nil && source.assessment.usableStacks.count > 1
      let stacks =
        isCine ? source.assessment.usableStacks : [try source.volume(named: volume)]
      for stack in stacks {
        try input.check(
          modality: stack.frames.first?.modality ?? "", bodyPart: source.bodyPart)
        try check(UprightVolume(stack, geometry: geometry).grid)
      }
      return nil
    } catch let held as HeldSeries {
      return held.reasons.joined(separator: "; ")
    } catch {
      return "\(error)"
    }
  }
}
