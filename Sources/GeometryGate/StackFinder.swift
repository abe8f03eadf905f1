import Volumes

/// Finds the series of a study that are one stack.
///
/// A series may be a slice of a stack where all its images are at one position and there are several.
/// Such series belong together where study, patient, modality and orientation agree and they are at
/// three positions or more (``GeometryRules/minimumSlices``). They are stacked where frame of
/// reference, image size, Pixel Spacing and number of phases agree and the steps are equal; else the
/// stack's problems say what differs. Every other series is by itself and not mentioned.
///
/// - Parameters:
///   - series: the images of each series.
///   - rules: what still counts as one regular volume.
public func seriesStacks(_ series: [[ImageFrame]], rules: GeometryRules) -> [SeriesStack] {
  let slices = series.indices.compactMap { index in
    SliceSeries(series[index], index: index, rules: rules)
  }
  var parallel: [[SliceSeries]] = []
  for slice in slices {
    let match = parallel.firstIndex { $0[0].mayShareStack(with: slice, rules) }
    if let match { parallel[match].append(slice) } else { parallel.append([slice]) }
  }
  return parallel.flatMap { StackFinder(rules: rules).stacks(of: $0) }
}

/// The stacks among parallel series of one patient and study.
struct StackFinder {
  let rules: GeometryRules

  private var fewest: Int { max(rules.minimumSlices, 3) }

  func stacks(of series: [SliceSeries]) -> [SeriesStack] {
    guard positions(series) >= fewest else { return [] }
    let formats = grouped(series, by: \.format).map(\.values)
    let large = formats.filter { positions($0) >= fewest }
    let rest = formats.filter { positions($0) < fewest }.flatMap { $0 }
    guard !large.isEmpty else { return [stack(series, because: [difference(series)])] }
    return large.flatMap { group -> [SeriesStack] in
      let missing = rest.filter { fills($0, group) }
      guard missing.isEmpty else {
        return [stack(group + missing, because: [difference(group + missing)])]
      }
      return stacks(ofOneFormat: group)
    }
  }

  private func stacks(ofOneFormat series: [SliceSeries]) -> [SeriesStack] {
    guard positions(series) < series.count else {
      return [stack(series, because: problems(series))]
    }
    // Stacks at the same positions, such as cine and tagging.
    let phases = Splitter("phases", integer: { _ in nil })
    for splitter in [phases] + Splitter.values {
      let parts = grouped(series) { one in
        splitter.name == phases.name ? "\(one.phases)" : common(splitter, one) ?? ""
      }.map(\.values)
      guard parts.count > 1,
        parts.allSatisfy({ positions($0) == $0.count && $0.count >= fewest })
      else { continue }
      return parts.map { stack($0, because: problems($0)) }
    }
    return [stack(series, because: [repeated(series)])]
  }

  /// The value that all images of a series have; nil where they differ.
  private func common(_ splitter: Splitter, _ series: SliceSeries) -> String? {
    let values = Set(series.frames.map(splitter.value))
    return values.count == 1 ? values.first : nil
  }

  private func stack(_ series: [SliceSeries], because problems: [GeometryFinding]) -> SeriesStack {
    SeriesStack(members: inOrder(series).map(\.index), problems: problems)
  }

  private func inOrder(_ series: [SliceSeries]) -> [SliceSeries] {
    guard let normal = series.first.map({ unitNormal($0.first) }) else { return [] }
    return series.map { (distance: dot(position($0.first), normal), series: $0) }
      .sorted {
        ($0.distance, $0.series.first.seriesInstanceUID)
          < ($1.distance, $1.series.first.seriesInstanceUID)
      }.map(\.series)
  }

  private func positions(_ series: [SliceSeries]) -> Int {
    SlicePlaces(series.map(\.first), rules: rules)?.frames.count ?? 0
  }

  /// Whether a series of another format is where the stack lacks a slice, or continues it.
  private func fills(_ one: SliceSeries, _ group: [SliceSeries]) -> Bool {
    guard let places = SlicePlaces(group.map(\.first), rules: rules),
      places.distances.count > 1, let least = places.distances.first,
      let most = places.distances.last
    else { return false }
    let step = places.pattern(rules).median
    let distance = dot(position(one.first), places.normal)
    let isTaken = places.distances.contains { abs($0 - distance) < step / 2 }
    return !isTaken && distance > least - 1.5 * step && distance < most + 1.5 * step
  }

  // MARK: Problems

  private func problems(_ series: [SliceSeries]) -> [GeometryFinding] {
    guard isUID(series[0].first.frameOfReferenceUID) else {
      return [
        GeometryFinding(
          .noFrameOfReference,
          "Frame of Reference UID (0020,0052) is absent, so that nothing says that their positions "
            + "belong together")
      ]
    }
    let counts = grouped(inOrder(series), by: \.phases).sorted { $0.values.count > $1.values.count }
    if counts.count > 1 {
      let listed = counts.map { "\($0.key) in \(named($0.values))" }
      return [
        GeometryFinding(
          .missingSlices, "the number of phases differs: " + listed.joined(separator: ", "))
      ]
    }
    return assessStack(inOrder(series).map(\.first), rules: rules).problems
  }

  private func difference(_ series: [SliceSeries]) -> GeometryFinding {
    let ordered = inOrder(series)
    func finding(
      _ kind: GeometryFinding.Kind, _ name: String, _ value: (SliceSeries) -> String
    ) -> GeometryFinding? {
      let groups = grouped(ordered, by: value).sorted { $0.values.count > $1.values.count }
      guard groups.count > 1 else { return nil }
      let listed = groups.map { "\($0.key) in \(named($0.values))" }
      return GeometryFinding(kind, "\(name) differs: " + listed.joined(separator: ", "))
    }
    return finding(.severalImageSizes, "Rows (0028,0010)") { "\($0.first.rows)" }
      ?? finding(.severalImageSizes, "Columns (0028,0011)") { "\($0.first.columns)" }
      ?? finding(.severalPixelSpacings, "Pixel Spacing (0028,0030)") {
        numbers($0.first.pixelSpacing)
      }
      ?? finding(.severalFramesOfReference, "Frame of Reference UID (0020,0052)") {
        formatted(uid: $0.first.frameOfReferenceUID)
      }
      ?? repeated(series)
  }

  private func repeated(_ series: [SliceSeries]) -> GeometryFinding {
    let places = SlicePlaces(series.map(\.first), rules: rules)?.frames ?? []
    let twice = places.first { $0.count > 1 } ?? []
    let names = twice.map { formatted(uid: $0.seriesInstanceUID) }
    return GeometryFinding(
      .duplicatePositions,
      "a slice location was measured more than once and nothing tells the stacks apart: series "
        + names.joined(separator: ", "))
  }

  private func named(_ series: [SliceSeries]) -> String {
    let uids = series.prefix(3).map { formatted(uid: $0.first.seriesInstanceUID) }
    let more = series.count > 3 ? " and \(series.count - 3) more" : ""
    return "series " + uids.joined(separator: ", ") + more
  }
}
