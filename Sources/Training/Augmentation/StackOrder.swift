/// The slices of a stack in the order in which a patch takes them.
struct StackOrder: Equatable {
  /// A slice of the image.
  struct Slice: Equatable {
    let number: Int
    /// Whether it shows another place of the body: shifted by half its width and height.
    let isAway: Bool
  }

  private(set) var slices: [Slice]
  /// Slices for each plane of the patch.
  private(set) var step: Double

  /// - Parameters:
  ///   - count: slices of the image.
  ///   - slicesPerPlane: slices for each plane of the network's input; below 0.7 they are thick
  ///     already and none is left out.
  ///   - options: what may be changed.
  ///   - generator: draws what is left out and added.
  init(
    count: Int, slicesPerPlane: Double, _ options: AugmentationOptions,
    using generator: inout CounterGenerator
  ) {
    slices = (0..<count).map { Slice(number: $0, isAway: false) }
    step = slicesPerPlane
    if let thinning = options.thinning, slicesPerPlane > 0.7, count > 1,
      generator.chance(thinning.probability)
    {
      let first = generator.integer(below: 2)
      slices = stride(from: first, to: count, by: 2).map { slices[$0] }
      step /= 2
    }
    if let beyond = options.beyond, generator.chance(beyond.probability),
      let first = slices.first, let last = slices.last
    {
      let before = generator.integer(below: beyond.slices + 1)
      let after = generator.integer(below: beyond.slices + 1)
      slices =
        [Slice](repeating: Slice(number: first.number, isAway: true), count: before) + slices
        + [Slice](repeating: Slice(number: last.number, isAway: true), count: after)
    }
  }

  /// Which of the slices each plane of the patch shows; nil beyond the ends.
  ///
  /// - Parameters:
  ///   - planes: of the patch.
  ///   - stretch: a factor of the slices for each plane.
  ///   - margin: the part of the patch's height that may be empty above or below.
  ///   - centre: the slice of the image that is to be shown; nil for anywhere.
  ///   - generator: draws what is left out and added.
  func planes(
    _ planes: Int, stretch: Double, margin: Double, centre: Int?,
    using generator: inout CounterGenerator
  ) -> [Int?] {
    let step = step * stretch
    let height = Double(planes) * step
    let spare = Double(slices.count) - height
    let free = margin * height
    var start =
      spare > 0
      ? generator.uniform(in: -free...spare + free)
      : spare / 2 + generator.uniform(in: -free...free)
    if let centre, spare > 0 {
      // Of a slice that was left out, the next one.
      let place = slices.firstIndex { !$0.isAway && $0.number >= centre } ?? slices.count - 1
      let shown = Double(place) + generator.uniform() - height / 2
      start = min(max(shown, -free), spare + free)
    }
    return (0..<planes).map { plane in
      let slice = Int((start + (Double(plane) + 0.5) * step).rounded(.down))
      return slices.indices.contains(slice) ? slice : nil
    }
  }
}
