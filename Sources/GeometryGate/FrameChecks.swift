import Volumes

/// What makes one image unusable as a slice; empty where nothing does.
func imageFindings(_ frame: ImageFrame, rules: GeometryRules) -> [GeometryFinding] {
  pixelFindings(frame) + geometryFindings(frame, rules: rules)
}

private func pixelFindings(_ frame: ImageFrame) -> [GeometryFinding] {
  var found: [String] = []
  if frame.rows < 1 || frame.columns < 1 || frame.rows > 65_535 || frame.columns > 65_535 {
    found.append("Rows (0028,0010) \(frame.rows), Columns (0028,0011) \(frame.columns)")
  }
  if frame.samplesPerPixel != 1 {
    found.append("Samples per Pixel (0028,0002) is \(frame.samplesPerPixel), not 1")
  }
  if !["MONOCHROME1", "MONOCHROME2"].contains(frame.photometricInterpretation) {
    let value = formatted(value: frame.photometricInterpretation)
    found.append("Photometric Interpretation (0028,0004) \(value) is not monochrome")
  }
  if ![8, 16].contains(frame.bitsAllocated) {
    found.append("Bits Allocated (0028,0100) is \(frame.bitsAllocated), not 8 or 16")
  } else if !(1...frame.bitsAllocated).contains(frame.bitsStored)
    || !(frame.bitsStored - 1..<frame.bitsAllocated).contains(frame.highBit)
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
  return found.map { GeometryFinding(.pixelFormat, $0) }
}

private func geometryFindings(_ frame: ImageFrame, rules: GeometryRules) -> [GeometryFinding] {
  let attributes = [
    ("Image Orientation (Patient) (0020,0037)", frame.imageOrientation, 6),
    ("Image Position (Patient) (0020,0032)", frame.imagePosition, 3),
    ("Pixel Spacing (0028,0030)", frame.pixelSpacing, 2),
  ]
  var problems: [GeometryFinding] = []
  for (name, values, count) in attributes {
    if values.isEmpty {
      problems.append(GeometryFinding(.missingGeometry, "\(name) is absent or holds no number"))
    } else if values.count != count || !values.allSatisfy({ $0.isFinite && abs($0) < 1e6 }) {
      problems.append(
        GeometryFinding(.invalidGeometry, "\(name) is not \(count) usable numbers"))
    }
  }
  guard problems.isEmpty else { return problems }
  if !frame.pixelSpacing.allSatisfy({ $0 > 0 }) {
    let values = frame.pixelSpacing.map { formatted($0) }.joined(separator: "\\")
    problems.append(
      GeometryFinding(.invalidGeometry, "Pixel Spacing (0028,0030) \(values) is not positive"))
  }
  let (row, column) = directions(frame)
  let tolerance = rules.orientationTolerance
  if abs(length(row) - 1) > tolerance || abs(length(column) - 1) > tolerance
    || abs(dot(row, column)) >= tolerance
  {
    let values = frame.imageOrientation.map { formatted($0) }.joined(separator: "\\")
    problems.append(
      GeometryFinding(
        .invalidGeometry,
        "Image Orientation (Patient) (0020,0037) \(values) is not two perpendicular unit vectors"))
  }
  return problems
}
