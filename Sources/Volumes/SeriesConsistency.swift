/// Attributes in which all images of one volume must agree, and instances that came twice.
func consistencyProblems(_ frames: [ImageFrame], rules: GeometryRules) -> [GeometryProblem] {
  // The patient's identity is compared but never shown.
  var problems = [
    disagreement(
      frames, .severalPatients, "Patient ID (0010,0020)", \.patientID, shown: { _ in "(hidden)" }),
    disagreement(
      frames, .severalSeries, "Study Instance UID (0020,000D)", \.studyInstanceUID,
      shown: shown(uid:)),
    disagreement(
      frames, .severalSeries, "Series Instance UID (0020,000E)", \.seriesInstanceUID,
      shown: shown(uid:)),
    disagreement(
      frames, .severalFramesOfReference, "Frame of Reference UID (0020,0052)",
      \.frameOfReferenceUID, shown: shown(uid:)),
    disagreement(
      frames, .severalModalities, "Modality (0008,0060)", \.modality, shown: shown(value:)),
    disagreement(
      frames, .severalImageSizes, "Rows (0028,0010)", \.rows, shown: { "\($0)" }),
    disagreement(
      frames, .severalImageSizes, "Columns (0028,0011)", \.columns, shown: { "\($0)" }),
    disagreement(
      frames, .severalModalities, "Rescale Type (0028,1054)", \.rescaleType,
      shown: { shown(value: $0 ?? "") }),
  ].compactMap { $0 }
  problems += pixelSpacingProblems(frames, tolerance: rules.pixelSpacingTolerance)
  problems += duplicateProblems(frames)
  return problems
}

private func disagreement<Value: Hashable>(
  _ frames: [ImageFrame], _ kind: GeometryProblem.Kind, _ name: String,
  _ value: (ImageFrame) -> Value, shown show: (Value) -> String
) -> GeometryProblem? {
  let first = value(frames[0])
  let others = frames.filter { value($0) != first }
  guard let other = others.first else { return nil }
  return GeometryProblem(
    kind,
    "\(name) differs: \(show(first)) in \(shown(frames[0])), \(show(value(other))) in "
      + "\(shown(others))")
}

private func pixelSpacingProblems(_ frames: [ImageFrame], tolerance: Double) -> [GeometryProblem] {
  let first = frames[0].pixelSpacing
  let others = frames.filter { frame in
    zip(first, frame.pixelSpacing).contains { abs($0 - $1) > tolerance }
  }
  guard let other = others.first else { return [] }
  let values = [first, other.pixelSpacing].map { spacing in
    spacing.map { "\($0)" }.joined(separator: "\\")
  }
  return [
    GeometryProblem(
      .severalPixelSpacings,
      "Pixel Spacing (0028,0030) differs: \(values[0]) in \(shown(frames[0])), \(values[1]) in "
        + "\(shown(others))")
  ]
}

private func duplicateProblems(_ frames: [ImageFrame]) -> [GeometryProblem] {
  struct Identity: Hashable {
    var uid: String
    var frameNumber: Int?
  }
  var seen: Set<Identity> = []
  let repeated = frames.filter { frame in
    isUID(frame.sopInstanceUID)
      && !seen.insert(Identity(uid: frame.sopInstanceUID, frameNumber: frame.frameNumber)).inserted
  }
  guard !repeated.isEmpty else { return [] }
  return [
    GeometryProblem(
      .duplicateInstance,
      "SOP Instance UID (0008,0018) occurs more than once: \(shown(repeated))")
  ]
}
