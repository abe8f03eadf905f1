import Volumes
import Wording

/// The volumes of a series: first by what no volume can mix, then by what tells repeats apart.
extension SeriesAssessor {
  /// Frames that may share a volume: one frame of reference, image size, spacing and orientation.
  private struct Group {
    var frames: [ImageFrame]
    var frameOfReference: String
    var spacing: Int
    var orientation: Int
    var isDerived: Bool
  }

  /// Stacks of every volume, in a stable order; their problems are added to the series'.
  mutating func volumes(of frames: [ImageFrame]) -> [AssessedVolume] {
    let all = groups(of: frames)
    let groups = withoutMismatchedGroups(all)
    holdFramesOfReference(groups)
    let single = groups.filter { $0.frames.count < 2 }.flatMap(\.frames)
    if !single.isEmpty {
      excluded += single
      problems.append(tooFewOfEach(single))
    }
    let large = groups.filter { $0.frames.count >= 2 }
    return large.flatMap { group in
      parts(of: group.frames).map { part in
        var part = part
        part.splitBy.merge(distinguishing(group, among: groups)) { own, _ in own }
        return part
      }
    }.sortedParts().compactMap { volume(of: $0) }
  }

  private func tooFewOfEach(_ single: [ImageFrame]) -> GeometryFinding {
    guard single.count > 1 else { return tooFewSlices(single, rules: rules) }
    return GeometryFinding(
      .tooFewSlices,
      "\(single.count) images of which no two share frame of reference, Image Orientation (Patient) "
        + "(0020,0037), size and spacing: \(formatted(single))")
  }

  // MARK: Groups

  private mutating func groups(of frames: [ImageFrame]) -> [Group] {
    let ignoresReference = everyImageHasItsOwnReference(frames)
    let spacings = clusters(frames.map(\.pixelSpacing), tolerance: rules.pixelSpacingTolerance)
    let orientations = clusters(
      frames.map(\.imageOrientation), tolerance: rules.orientationTolerance)
    let keyed = frames.indices.map { index -> (key: String, index: Int) in
      let frame = frames[index]
      let reference = ignoresReference ? "" : frame.frameOfReferenceUID
      return (
        "\(reference)/\(frame.rows)/\(frame.columns)/\(spacings[index])/\(orientations[index])"
          + "/\(isDerived(frame))", index
      )
    }
    return grouped(keyed, by: \.key).map { _, members in
      let first = members[0].index
      return Group(
        frames: members.map { frames[$0.index] },
        frameOfReference: ignoresReference ? "" : frames[first].frameOfReferenceUID,
        spacing: spacings[first], orientation: orientations[first],
        isDerived: isDerived(frames[first]))
    }
  }

  /// A number for each value; those within the tolerance of the first of their number share it.
  private func clusters(_ values: [[Double]], tolerance: Double) -> [Int] {
    var firsts: [[Double]] = []
    return values.map { value in
      let match = firsts.firstIndex { first in
        zip(first, value).allSatisfy { abs($0 - $1) <= tolerance }
      }
      if let match { return match }
      firsts.append(value)
      return firsts.count - 1
    }
  }

  /// Some anonymisers give each image a frame of reference of its own. Positions that nevertheless
  /// form one stack were measured in one.
  private mutating func everyImageHasItsOwnReference(_ frames: [ImageFrame]) -> Bool {
    let references = Set(frames.map(\.frameOfReferenceUID))
    guard references.count >= 3, references.count == Set(frames.map(\.sopInstanceUID)).count else {
      return false
    }
    repairs.append(
      GeometryFinding(
        .severalFramesOfReference,
        "Frame of Reference UID (0020,0052) is another one in each of \(references.count) images; "
          + "they are taken as one frame of reference: \(formatted(frames))"))
    return true
  }

  /// Groups too small for a volume next to one that is: a scout across the others is excluded; an
  /// image that could have been one of their slices is a mismatched one.
  private mutating func withoutMismatchedGroups(_ groups: [Group]) -> [Group] {
    guard let main = groups.max(by: { $0.frames.count < $1.frames.count }),
      groups.count > 1, main.frames.count >= rules.minimumSlices
    else { return groups }
    return groups.filter { group in
      guard group.frames.count < rules.minimumSlices else { return true }
      if group.orientation != main.orientation, isAcross(group.frames[0], main.frames[0]) {
        excluded += group.frames
        repairs.append(
          GeometryFinding(
            .severalOrientations,
            "\(counted(group.frames.count, "image")) excluded, Image Orientation (Patient) "
              + "(0020,0037) is across the others: \(formatted(group.frames))"))
      } else if group.isDerived, !main.isDerived {
        excluded += group.frames
        repairs.append(derivedApart(group.frames))
      } else {
        let (kind, message) = difference(group, main)
        exclude(group.frames, kind, message)
      }
      return false
    }
  }

  private func isAcross(_ a: ImageFrame, _ b: ImageFrame) -> Bool {
    abs(dot(unitNormal(a), unitNormal(b))) < 0.95
  }

  private func difference(_ group: Group, _ main: Group) -> (GeometryFinding.Kind, String) {
    let (a, b) = (main.frames[0], group.frames[0])
    func text(_ name: String, _ first: String, _ second: String) -> String {
      "\(name) differs: \(first) in \(formatted(a)), \(second) in \(formatted(group.frames))"
    }
    if group.frameOfReference != main.frameOfReference {
      return (
        .severalFramesOfReference,
        text(
          "Frame of Reference UID (0020,0052)", formatted(uid: a.frameOfReferenceUID),
          formatted(uid: b.frameOfReferenceUID))
      )
    }
    if a.rows != b.rows {
      return (.severalImageSizes, text("Rows (0028,0010)", "\(a.rows)", "\(b.rows)"))
    }
    if a.columns != b.columns {
      return (.severalImageSizes, text("Columns (0028,0011)", "\(a.columns)", "\(b.columns)"))
    }
    if group.spacing != main.spacing {
      return (
        .severalPixelSpacings,
        text("Pixel Spacing (0028,0030)", numbers(a.pixelSpacing), numbers(b.pixelSpacing))
      )
    }
    return (
      .severalOrientations,
      text(
        "Image Orientation (Patient) (0020,0037)", numbers(a.imageOrientation),
        numbers(b.imageOrientation))
    )
  }

  private mutating func holdFramesOfReference(_ groups: [Group]) {
    let references = grouped(groups, by: \.frameOfReference)
    guard references.count > 1 else { return }
    let listed = references.map { reference, groups in
      let frames = groups.flatMap(\.frames)
      return
        "\(formatted(uid: reference)) in \(counted(frames.count, "image")) (\(formatted(frames)))"
    }
    let finding = GeometryFinding(
      .severalFramesOfReference,
      "Frame of Reference UID (0020,0052) differs: " + listed.joined(separator: ", "))
    if rules.splitsFramesOfReference { notes.append(finding) } else { problems.append(finding) }
  }

  /// What tells a group from the others, as `splitBy` has it.
  private func distinguishing(_ group: Group, among groups: [Group]) -> [String: String] {
    let values: [(String, (Group) -> String)] = [
      ("FrameOfReferenceUID", { $0.frameOfReference }),
      ("Rows", { "\($0.frames[0].rows)" }), ("Columns", { "\($0.frames[0].columns)" }),
      ("PixelSpacing", { "\($0.spacing)" }), ("ImageOrientationPatient", { "\($0.orientation)" }),
      ("ImageType", { group in group.frames[0].imageType.joined(separator: "\\") }),
    ]
    var splitBy: [String: String] = [:]
    for (name, value) in values where Set(groups.map(value)).count > 1 {
      if name == "ImageType", Set(groups.map(\.isDerived)).count == 1 { continue }
      switch name {
      case "PixelSpacing": splitBy[name] = numbers(group.frames[0].pixelSpacing)
      case "ImageOrientationPatient": splitBy[name] = numbers(group.frames[0].imageOrientation)
      default: splitBy[name] = value(group)
      }
    }
    return splitBy
  }

  // MARK: Volumes

  /// The volume of one part; nil, with a problem of the series, where it has no regular grid.
  private mutating func volume(of part: VolumePart) -> AssessedVolume? {
    var assessment = assessStack(part.frames, rules: rules)
    if part.lacking > 0 {
      assessment.problems.append(
        GeometryFinding(
          .missingSlices,
          "\(counted(part.lacking, "position")) without an image where volumes measured with it "
            + "have one: \(formatted(part.frames))"))
    }
    let name = SliceStack.name(of: part.splitBy)
    let prefix = name.isEmpty ? "" : "volume \(formatted(value: name)): "
    let named = { (finding: GeometryFinding) in
      GeometryFinding(finding.kind, prefix + finding.message)
    }
    problems += assessment.problems.map(named).filter { !problems.contains($0) }
    guard var stack = assessment.stack else { return nil }
    stack.splitBy = part.splitBy
    return AssessedVolume(
      stack: stack,
      verdict: !assessment.problems.isEmpty
        ? .held : assessment.repairs.isEmpty ? .accepted : .repaired,
      findings: (assessment.problems + assessment.repairs).map(named))
  }
}
