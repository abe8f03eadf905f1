import Volumes

/// An attribute by which images at one position may differ.
struct Splitter: Sendable {
  var name: String
  var value: @Sendable (ImageFrame) -> String
  /// The day of a time, so that a scan may run over midnight.
  var day: @Sendable (ImageFrame) -> String = { _ in "" }
  /// Whether images of each value were measured at every position, so that a position without one
  /// is a slice lost.
  var coversEveryPosition = false

  init(_ name: String, text: @escaping @Sendable (ImageFrame) -> String?) {
    self.name = name
    value = { text($0) ?? "" }
  }

  /// A time, with the date that it belongs to.
  init(
    _ name: String, time: @escaping @Sendable (ImageFrame) -> String?,
    date: @escaping @Sendable (ImageFrame) -> String?
  ) {
    self.init(name, text: time)
    day = { date($0) ?? "" }
  }

  init(_ name: String, number: @escaping @Sendable (ImageFrame) -> Double?) {
    self.name = name
    value = { number($0).map { formatted($0) } ?? "" }
  }

  init(_ name: String, integer: @escaping @Sendable (ImageFrame) -> Int?) {
    self.name = name
    value = { integer($0).map { "\($0)" } ?? "" }
  }

  /// What a volume is told by, the most telling first, by PS3.6 keyword where there is one.
  static let values = [
    Splitter("ImageType", text: { $0.imageType.joined(separator: "\\") }),
    Splitter("ComplexImageComponent", text: { $0.complexComponent }).covering,
    Splitter("StackID", text: { $0.stackID }),
    Splitter("TemporalPositionIdentifier", integer: { $0.temporalPosition }).covering,
    Splitter("FrameReferenceTime", number: { $0.frameReferenceTime }).covering,
    Splitter("DiffusionBValue", number: { $0.bValue }).covering,
    Splitter("DiffusionDirectionality", text: { $0.diffusionDirectionality }).covering,
    Splitter("DiffusionGradientOrientation", text: { numbers($0.gradientDirection) }).covering,
    Splitter("EchoTime", number: { $0.echoTime }).covering,
    Splitter("EchoNumbers", integer: { $0.echoNumber }).covering,
    Splitter("InversionTime", number: { $0.inversionTime }).covering,
    Splitter("CardiacPhase", number: { $0.cardiacPhase }).covering,
    Splitter("TriggerTime", number: { $0.triggerTime }).covering,
    Splitter("ConvolutionKernel", text: { $0.convolutionKernel }),
    Splitter("KVP", number: { $0.tubeVoltage }),
    Splitter("ContrastBolus", text: { $0.contrast }),
    Splitter("RescaleType", text: { $0.rescaleType }),
    Splitter("AcquisitionNumber", integer: { $0.acquisitionNumber }),
    acquisitionTime,
  ]

  private static let acquisitionTime = Splitter(
    "AcquisitionTime", time: { $0.acquisitionTime }, date: { $0.acquisitionDate })

  private var covering: Splitter {
    var splitter = self
    splitter.coversEveryPosition = true
    return splitter
  }

  /// Attributes that count the volumes without being equal within one, such as the time at which
  /// each slice was measured.
  static let ranks = [
    Splitter("TriggerTime", number: { $0.triggerTime }),
    acquisitionTime,
    Splitter("ContentTime", time: { $0.contentTime }, date: { $0.contentDate }),
  ]

  static let instanceNumber = Splitter("InstanceNumber", integer: { $0.instanceNumber })

  /// The splitters of the dimensions that these frames name (PS3.3 C.7.6.17).
  static func dimensions(of frames: [ImageFrame]) -> [Splitter] {
    Set(frames.flatMap(\.dimensions.keys)).sorted().map { name in
      Splitter(name, integer: { $0.dimensions[name] })
    }
  }
}

/// Sorts images that share positions into volumes.
struct RepeatResolver {
  let rules: GeometryRules
  /// Whether two images show the same pixels at the same place.
  let isCopy: (ImageFrame, ImageFrame) -> Bool
  /// Images left out because another one is equal.
  var copies: [ImageFrame] = []

  init(rules: GeometryRules, isCopy: @escaping (ImageFrame, ImageFrame) -> Bool) {
    self.rules = rules
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
  /// the first volume, and so on.
  private mutating func rank(_ places: SlicePlaces, by splitter: Splitter) -> [VolumePart]? {
    guard let count = places.repeats.first, places.repeats.allSatisfy({ $0 == count }) else {
      return nil
    }
    var ranked: [[(day: String, value: String, frame: ImageFrame)]] = []
    for frames in places.frames {
      let values = frames.map { (day: splitter.day($0), value: splitter.value($0), frame: $0) }
      guard values.allSatisfy({ !$0.value.isEmpty }), Set(values.map(\.value)).count == count
      else { return nil }
      ranked.append(
        values.sorted { $0.day != $1.day ? $0.day < $1.day : precedes($0.value, $1.value) })
    }
    return (0..<count).map { rank in
      let values = ranked.map { $0[rank].value }.sorted(by: precedes)
      let (least, most) = (values[0], values[values.count - 1])
      return VolumePart(
        splitBy: [splitter.name: printable(least == most ? least : "\(least) to \(most)")],
        frames: ranked.map { $0[rank].frame })
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
      // Blocks that lie within each other for the most part are passes of one stack.
      let widths = [below, above].map { $0.distances[$0.distances.count - 1] - $0.distances[0] }
      return gap < 0 && -gap < (widths.min() ?? 0) / 2
    }
  }
}
