import Volumes

/// Assesses the frames of one series: which volumes it holds, the order of their slices, what was
/// repaired and what cannot be.
///
/// Order and spacing come from Image Position and Image Orientation (Patient) alone (PS3.3
/// C.7.6.2.1.1): instance numbers, slice thickness, Spacing Between Slices and the gantry tilt
/// attribute are not geometry.
///
/// ```swift
/// let assessment = assess(frames: frames, rules: GeometryRules())
/// switch assessment.verdict {
/// case .held: print(assessment.problems)
/// case .accepted, .repaired: print(assessment.usableStacks.count, "volumes")
/// }
/// ```
///
/// - Parameters:
///   - frames: the frames of the series, in any order.
///   - replaced: earlier versions of these, which came again with other content: they are compared
///     with them and nothing else.
///   - rules: the tolerances, and what may be repaired.
///   - expectedInstances: how many instances the series has by another source, such as a PACS.
///   - pixelHash: a digest of an image's stored values, asked only of images that came twice; nil
///     where it cannot be had, so that such images are never taken as equal.
public func assess(
  frames: [ImageFrame], replacing replaced: [ImageFrame] = [], rules: GeometryRules,
  expectedInstances: Int? = nil, pixelHash: @escaping (ImageFrame) -> String? = { _ in nil }
) -> SeriesAssessment {
  var assessor = SeriesAssessor(rules: rules, pixelHash: pixelHash)
  return assessor.assessment(of: frames, replacing: replaced, expectedInstances: expectedInstances)
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
  return assessor.assessment(
    of: series.flatMap { $0 }, replacing: replaced, expectedInstances: nil)
}
