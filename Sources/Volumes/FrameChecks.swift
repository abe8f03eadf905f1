import Foundation

/// Problems that single images have, one entry for each finding with the images it concerns.
func imageProblems(_ frames: [ImageFrame], rules: GeometryRules) -> [GeometryProblem] {
  var order: [GeometryProblem] = []
  var images: [String: [ImageFrame]] = [:]
  for frame in frames {
    for finding in findings(frame, rules: rules) {
      if images[finding.message] == nil { order.append(finding) }
      images[finding.message, default: []].append(frame)
    }
  }
  return order.map { finding in
    GeometryProblem(
      finding.kind, "\(finding.message): \(shown(images[finding.message] ?? []))")
  }
}

private func findings(_ frame: ImageFrame, rules: GeometryRules) -> [GeometryProblem] {
  uidFindings(frame) + imageTypeFindings(frame, rules: rules) + pixelFindings(frame)
    + geometryFindings(frame, rules: rules)
}

private func uidFindings(_ frame: ImageFrame) -> [GeometryProblem] {
  [
    ("SOP Class UID (0008,0016)", frame.sopClassUID),
    ("SOP Instance UID (0008,0018)", frame.sopInstanceUID),
    ("Study Instance UID (0020,000D)", frame.studyInstanceUID),
    ("Series Instance UID (0020,000E)", frame.seriesInstanceUID),
    ("Frame of Reference UID (0020,0052)", frame.frameOfReferenceUID),
  ].filter { !isUID($0.1) }.map { name, value in
    GeometryProblem(.blankUID, "\(name) is \(value.isEmpty ? "blank" : "not a UID")")
  }
}

/// Images that are not slices as measured (Image Type, PS3.3 C.7.6.1.1.2).
private func imageTypeFindings(_ frame: ImageFrame, rules: GeometryRules) -> [GeometryProblem] {
  let secondaryCapture = "1.2.840.10008.5.1.4.1.1.7"
  if frame.sopClassUID == secondaryCapture || frame.sopClassUID.hasPrefix(secondaryCapture + ".") {
    return [GeometryProblem(.notMeasured, "a secondary capture is not a measured image")]
  }
  let never: Set = [
    "LOCALIZER", "MOSAIC", "SCREEN SAVE", "MIP", "MINIP", "PROJECTION IMAGE", "VOLUME RENDERING",
  ]
  let values = frame.imageType.map {
    $0.trimmingCharacters(in: .whitespaces).uppercased()
  }
  let type = shown(value: frame.imageType.joined(separator: "\\"))
  if values.contains(where: never.contains) {
    return [GeometryProblem(.notMeasured, "Image Type (0008,0008) \(type) is not a plain slice")]
  }
  let derived = values.prefix(2).contains { $0 == "DERIVED" || $0 == "SECONDARY" }
  guard derived, !rules.acceptsDerivedImages else { return [] }
  return [
    GeometryProblem(.notMeasured, "Image Type (0008,0008) \(type) is not an original image")
  ]
}

private func pixelFindings(_ frame: ImageFrame) -> [GeometryProblem] {
  var found: [String] = []
  if frame.rows < 1 || frame.columns < 1 || frame.rows > 65_535 || frame.columns > 65_535 {
    found.append("Rows (0028,0010) \(frame.rows), Columns (0028,0011) \(frame.columns)")
  }
  if frame.samplesPerPixel != 1 {
    found.append("Samples per Pixel (0028,0002) is \(frame.samplesPerPixel), not 1")
  }
  if !["MONOCHROME1", "MONOCHROME2"].contains(frame.photometricInterpretation) {
    let value = shown(value: frame.photometricInterpretation)
    found.append("Photometric Interpretation (0028,0004) \(value) is not monochrome")
  }
  if ![8, 16].contains(frame.bitsAllocated) {
    found.append("Bits Allocated (0028,0100) is \(frame.bitsAllocated), not 8 or 16")
  } else if !(1...frame.bitsAllocated).contains(frame.bitsStored)
    || frame.highBit != frame.bitsStored - 1
  {
    found.append(
      "Bits Stored (0028,0101) \(frame.bitsStored) and High Bit (0028,0102) \(frame.highBit) "
        + "do not fit Bits Allocated \(frame.bitsAllocated)")
  }
  for (name, value) in [
    ("Rescale Slope (0028,1053)", frame.rescaleSlope),
    ("Rescale Intercept (0028,1052)", frame.rescaleIntercept),
  ] where value.map({ !$0.isFinite }) == true {
    found.append("\(name) is not a number")
  }
  var problems = found.map { GeometryProblem(.pixelFormat, $0) }
  let rescaleType = (frame.rescaleType ?? "").trimmingCharacters(in: .whitespaces)
  if frame.modality == "CT", !rescaleType.isEmpty, rescaleType != "HU" {
    problems.append(
      GeometryProblem(
        .notHounsfieldUnits,
        "Rescale Type (0028,1054) \(shown(value: rescaleType)) of a CT image is not HU"))
  }
  return problems
}

private func geometryFindings(_ frame: ImageFrame, rules: GeometryRules) -> [GeometryProblem] {
  let attributes = [
    ("Image Orientation (Patient) (0020,0037)", frame.imageOrientation, 6),
    ("Image Position (Patient) (0020,0032)", frame.imagePosition, 3),
    ("Pixel Spacing (0028,0030)", frame.pixelSpacing, 2),
  ]
  var problems: [GeometryProblem] = []
  for (name, values, count) in attributes {
    if values.isEmpty {
      problems.append(GeometryProblem(.missingGeometry, "\(name) is absent"))
    } else if values.count != count || !values.allSatisfy({ $0.isFinite && abs($0) < 1e6 }) {
      problems.append(
        GeometryProblem(.invalidGeometry, "\(name) is not \(count) usable numbers"))
    }
  }
  guard problems.isEmpty else { return problems }
  if !frame.pixelSpacing.allSatisfy({ $0 > 0 }) {
    let values = frame.pixelSpacing.map { shown($0) }.joined(separator: "\\")
    problems.append(
      GeometryProblem(.invalidGeometry, "Pixel Spacing (0028,0030) \(values) is not positive"))
  }
  let (row, column) = directions(frame)
  let tolerance = rules.orientationTolerance
  if abs(length(row) - 1) > tolerance || abs(length(column) - 1) > tolerance
    || abs(dot(row, column)) >= tolerance
  {
    let values = frame.imageOrientation.map { shown($0) }.joined(separator: "\\")
    problems.append(
      GeometryProblem(
        .invalidGeometry,
        "Image Orientation (Patient) (0020,0037) \(values) is not two perpendicular unit vectors"))
  }
  return problems
}
