import Volumes

/// Sorts images that share positions into volumes.
struct RepeatResolver {
  let rules: GeometryRules
  /// Whether each position is a series by itself, so that numbers and times give no order between
  /// positions.
  let isStackOfSeries: Bool
  /// Whether two images show the same pixels at the same place.
  let isCopy: (ImageFrame, ImageFrame) -> Bool
  /// Images left out because another one is equal.
  var copies: [ImageFrame] = []
  /// Attributes that differ at every position and whose order proves nothing.
  var unsteady: Set<String> = []

  init(
    rules: GeometryRules, isStackOfSeries: Bool,
    isCopy: @escaping (ImageFrame, ImageFrame) -> Bool
  ) {
    self.rules = rules
    self.isStackOfSeries = isStackOfSeries
    self.isCopy = isCopy
  }

  /// The volumes, or nil where nothing tells some of the images apart.
  mutating func parts(of places: SlicePlaces) -> [VolumePart]? {
    let frames = places.frames.flatMap { $0 }
    guard places.repeats.contains(where: { $0 > 1 }) else {
      return slabs(places, frames) ?? [VolumePart(frames: frames)]
    }
    let splitters = Splitter.values + Splitter.dimensions(of: frames)
    for isStrict in [true, false] {
      for splitter in splitters {
        if let parts = split(places, by: splitter, isStrict: isStrict) { return parts }
      }
    }
    for splitter in Splitter.ranks {
      if let parts = rank(places, by: splitter) { return parts }
    }
    return withoutCopies(places) ?? rank(places, by: .instanceNumber)
  }

  /// One part for each value, each split further where its positions still repeat.
  ///
  /// - Parameter isStrict: each value must cover every position equally often; else it is enough
  ///   that its images form a regular stack by themselves.
  private mutating func split(
    _ places: SlicePlaces, by splitter: Splitter, isStrict: Bool
  ) -> [VolumePart]? {
    let values = places.frames.map { $0.map(splitter.value) }
    guard values.contains(where: { Set($0).count > 1 }) else { return nil }
    let members = zip(places.frames.indices, places.frames).flatMap { place, frames in
      frames.enumerated().map { (value: values[place][$0.offset], frame: $0.element) }
    }
    let groups = grouped(members, by: \.value)
    var found: [Group] = []
    for (value, members) in groups {
      guard let own = SlicePlaces(members.map(\.frame), rules: rules), own.frames.count > 1,
        Set(own.repeats).count == 1
      else { return nil }
      let isWhole = own.frames.count == places.frames.count
      guard isStrict ? isWhole : isWhole || own.isRegular(rules) else { return nil }
      let lacking = isWhole ? 0 : places.frames.count - own.frames.count
      found.append(Group(value: value, places: own, lacking: lacking))
    }
    return resolve(found, splitter)
  }

  /// The images of one value.
  private struct Group {
    var value: String
    var places: SlicePlaces
    /// How many positions of the series it has no image at.
    var lacking: Int
  }

  private mutating func resolve(_ groups: [Group], _ splitter: Splitter) -> [VolumePart]? {
    let copiesBefore = copies
    var parts: [VolumePart] = []
    for group in groups {
      guard let inner = self.parts(of: group.places) else {
        copies = copiesBefore
        return nil
      }
      parts += inner.map { part in
        var part = part
        part.splitBy[splitter.name] =
          group.value.isEmpty ? "(absent)" : printable(group.value)
        if splitter.coversEveryPosition { part.lacking = max(part.lacking, group.lacking) }
        return part
      }
    }
    return parts
  }

  /// The images of each position in the order of an attribute: the first of all positions make
  /// the first volume, and so on. nil where that order is no proof.
  private mutating func rank(_ places: SlicePlaces, by splitter: Splitter) -> [VolumePart]? {
    let order = RankOrder(
      places.frames.map { frames in
        frames.enumerated().map { index, frame in
          RankOrder.Entry(day: splitter.day(frame), value: splitter.value(frame), image: index)
        }
      })
    guard let order else { return nil }
    let isProof = splitter.isCyclic && order.isCycle || order.isSteady && !isStackOfSeries
    guard isProof else {
      unsteady.insert(splitter.name)
      return nil
    }
    return (0..<order.count).map { rank in
      let values = order.positions.map { $0[rank].value }.sorted(by: precedes)
      let (least, most) = (values[0], values[values.count - 1])
      return VolumePart(
        splitBy: [splitter.name: printable(least == most ? least : "\(least) to \(most)")],
        frames: zip(places.frames, order.positions).map { $0[$1[rank].image] })
    }
  }

  /// The volumes that remain once equal images are left out; nil where that does not even out.
  private mutating func withoutCopies(_ places: SlicePlaces) -> [VolumePart]? {
    var kept: [ImageFrame] = []
    var dropped: [ImageFrame] = []
    for frames in places.frames {
      var own: [ImageFrame] = []
      for frame in frames {
        if own.contains(where: { isCopy(frame, $0) }) {
          dropped.append(frame)
        } else {
          own.append(frame)
        }
      }
      kept += own
    }
    guard !dropped.isEmpty, let rest = SlicePlaces(kept, rules: rules),
      Set(rest.repeats).count == 1, let parts = parts(of: rest)
    else { return nil }
    copies += dropped
    return parts
  }

  /// Parts of a stack at uneven steps that an attribute explains: blocks measured far apart, or that
  /// overlap at their ends without sharing positions.
  ///
  /// A gap of few slices is not taken as the border of two blocks: it may be slices lost there.
  private func slabs(_ places: SlicePlaces, _ frames: [ImageFrame]) -> [VolumePart]? {
    guard !places.isRegular(rules) else { return nil }
    let splitters = Splitter.values.filter { $0.name != "TriggerTime" }
    for splitter in splitters {
      let groups = grouped(frames, by: splitter.value)
      let own = groups.compactMap { SlicePlaces($0.values, rules: rules) }
      guard groups.count > 1, groups.allSatisfy({ $0.values.count >= max(rules.minimumSlices, 2) }),
        own.allSatisfy({ $0.isRegular(rules) }), areBlocks(own)
      else { continue }
      return groups.map { value, frames in
        VolumePart(
          splitBy: [splitter.name: value.isEmpty ? "(absent)" : printable(value)],
          frames: frames)
      }
    }
    return nil
  }

  private func areBlocks(_ blocks: [SlicePlaces]) -> Bool {
    let sorted = blocks.sorted { $0.distances[0] < $1.distances[0] }
    return zip(sorted, sorted.dropFirst()).allSatisfy { below, above in
      let end = below.distances[below.distances.count - 1]
      let step = (end - below.distances[0]) / Double(below.distances.count - 1)
      let gap = above.distances[0] - end
      if gap > 10 * step { return true }
      // Blocks that mostly overlap are passes of one stack.
      let widths = [below, above].map { $0.distances[$0.distances.count - 1] - $0.distances[0] }
      return gap < 0 && -gap < (widths.min() ?? 0) / 2
    }
  }
}
