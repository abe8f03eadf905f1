import Volumes

/// Series of one study that together are one stack: scanners store short-axis cine as one series for
/// each slice location, with all phases of the heart cycle at it.
public struct SeriesStack: Sendable, Equatable {
  /// Which of the given series, in the order of their slices.
  public var members: [Int]
  /// Why they cannot be stacked; empty where they can.
  public var problems: [GeometryFinding]
}

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

/// Whether the images are those of one slice location, measured several times: such a series may be a
/// slice of a stack of series.
public func isSliceLocation(_ frames: [ImageFrame], rules: GeometryRules) -> Bool {
  SliceSeries(frames, index: 0, rules: rules) != nil
}

/// Assesses series that are one stack (``seriesStacks(_:rules:)``) as if they were one series.
///
/// The phases are told apart by what the images say of them: the numbers and times of different
/// series count nothing against each other.
///
/// - Parameters:
///   - series: the images of each member, in the stack's order.
///   - problems: why they cannot be stacked.
///   - replaced: images that later versions of their instance replaced.
///   - rules: what still counts as one regular volume.
///   - pixelHash: a digest of an image's decoded pixels; nil where they cannot be read.
public func assess(
  stackOf series: [[ImageFrame]], problems: [GeometryFinding], replacing replaced: [ImageFrame],
  rules: GeometryRules, pixelHash: @escaping (ImageFrame) -> String?
) -> SeriesAssessment {
  let names = series.compactMap(\.first).map { formatted(uid: $0.seriesInstanceUID) }
  let listed = names.joined(separator: ", ")
  guard problems.isEmpty else {
    let found = problems.map {
      GeometryFinding(
        $0.kind,
        "\(names.count) series that look like one stack, one for each slice, cannot be "
          + "stacked: \($0.message) (series \(listed))")
    }
    return SeriesAssessment(problems: found, volumes: [])
  }
  var assessor = SeriesAssessor(rules: rules, pixelHash: pixelHash)
  assessor.isStackOfSeries = true
  assessor.notes.append(
    GeometryFinding(
      .stackOfSeries, "\(names.count) series of one stack, one for each slice: \(listed)"))
  return assessor.assess(series.flatMap { $0 }, replacing: replaced, expectedInstances: nil)
}
