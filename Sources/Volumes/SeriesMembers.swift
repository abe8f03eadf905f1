/// Which of the frames of a series can be slices of its volumes.
extension SeriesAssessor {
  /// Instances without the UIDs that a result would have to name.
  func blankUIDs(_ frames: [ImageFrame]) -> [GeometryFinding] {
    let attributes: [(String, (ImageFrame) -> String)] = [
      ("SOP Class UID (0008,0016)", { $0.sopClassUID }),
      ("SOP Instance UID (0008,0018)", { $0.sopInstanceUID }),
      ("Study Instance UID (0020,000D)", { $0.studyInstanceUID }),
      ("Series Instance UID (0020,000E)", { $0.seriesInstanceUID }),
    ]
    return attributes.flatMap { name, value -> [GeometryFinding] in
      let wrong = frames.filter { !isUID(value($0)) }
      return [
        ("blank", wrong.filter { value($0).isEmpty }),
        ("not a UID", wrong.filter { !value($0).isEmpty }),
      ]
      .filter { !$0.1.isEmpty }
      .map { GeometryFinding(.blankUID, "\(name) is \($0.0): \(shown($0.1))") }
    }
  }

  /// Keeps one of each image that came more than once; the same UID with other pixels holds.
  mutating func withoutResent(_ frames: [ImageFrame]) -> [ImageFrame] {
    struct Identity: Hashable {
      var uid: String
      var frame: Int?
      var tile: Int?
    }
    let identity = { (frame: ImageFrame) in
      Identity(
        uid: frame.sopInstanceUID, frame: frame.frameNumber, tile: frame.mosaicTile?.index)
    }
    var first: [Identity: ImageFrame] = [:]
    var kept: [ImageFrame] = []
    var identical: [ImageFrame] = []
    var different: [ImageFrame] = []
    for frame in frames {
      guard let earlier = first[identity(frame)] else {
        first[identity(frame)] = frame
        kept.append(frame)
        continue
      }
      if isCopy(frame, of: earlier) { identical.append(frame) } else { different.append(frame) }
    }
    if !identical.isEmpty {
      repairs.append(
        GeometryFinding(
          .duplicateInstance,
          "SOP Instance UID (0008,0018) occurs more than once with the same pixels "
            + "(\(digest(identical[0]))): one kept of \(shown(identical))"))
    }
    if !different.isEmpty {
      problems.append(
        GeometryFinding(
          .duplicateInstance,
          "SOP Instance UID (0008,0018) occurs more than once with pixels or a place that differ "
            + "or cannot be compared: \(shown(different))"))
    }
    return kept
  }

  /// Whether two images show the same pixels at the same place.
  func isCopy(_ frame: ImageFrame, of other: ImageFrame) -> Bool {
    guard frame.imagePosition == other.imagePosition,
      frame.imageOrientation == other.imageOrientation,
      frame.pixelSpacing == other.pixelSpacing, frame.rescaleSlope == other.rescaleSlope,
      frame.rescaleIntercept == other.rescaleIntercept,
      let hash = pixelHash(frame)
    else { return false }
    return hash == pixelHash(other)
  }

  func digest(_ frame: ImageFrame) -> String {
    "SHA-256 " + (pixelHash(frame)?.prefix(16) ?? "unknown")
  }

  /// Sets apart what is not a slice as measured: localizers, screens, projections, derived images.
  mutating func withoutOtherKinds(_ frames: [ImageFrame]) -> [ImageFrame] {
    let kinds = frames.map { imageKind($0) }
    let slices = zip(frames, kinds).filter { $0.1 == .slice }.map(\.0)
    let derived = zip(frames, kinds).filter { $0.1 == .derived }.map(\.0)
    let others = zip(frames, kinds).compactMap { frame, kind -> (ImageFrame, String)? in
      guard case .other(let what) = kind else { return nil }
      return (frame, what)
    }
    let isEmpty = slices.isEmpty && derived.isEmpty
    for (what, group) in grouped(others, by: \.1) {
      let message = "\(what): \(shown(group.map(\.0)))"
      setApart += group.map(\.0)
      if isEmpty {
        problems.append(GeometryFinding(.notMeasured, message))
      } else {
        repairs.append(
          GeometryFinding(.notMeasured, "\(counted(group.count, "image")) set apart, \(message)"))
      }
    }
    guard !derived.isEmpty else { return slices }
    let type = shown(value: derived[0].imageType.joined(separator: "\\"))
    let message = "Image Type (0008,0008) \(type) is not an original image: \(shown(derived))"
    if slices.isEmpty {
      // Judged all the same, so that a person sees what the series would be.
      problems.append(GeometryFinding(.notMeasured, message))
      return derived
    }
    setApart += derived
    repairs.append(
      GeometryFinding(.notMeasured, "\(counted(derived.count, "image")) set apart, \(message)"))
    return slices
  }

  private enum Kind: Equatable {
    case slice, derived
    case other(String)
  }

  /// What an image is by its SOP class and Image Type (PS3.3 C.7.6.1.1.2).
  private func imageKind(_ frame: ImageFrame) -> Kind {
    let secondaryCapture = "1.2.840.10008.5.1.4.1.1.7"
    if frame.sopClassUID == secondaryCapture
      || frame.sopClassUID.hasPrefix(secondaryCapture + ".")
    {
      return .other("a secondary capture is not a measured image")
    }
    if frame.sopClassUID.hasPrefix("1.2.840.10008.5.1.4.1.1.66.") {
      return .other("a segmentation is not a measured image")
    }
    if frame.rows == 0, frame.columns == 0, frame.bitsAllocated == 0 {
      return .other("SOP Class UID (0008,0016) \(shown(uid: frame.sopClassUID)) is not an image")
    }
    let never: Set = [
      "LOCALIZER", "SCOUT", "SCREEN SAVE", "MIP", "MINIP", "MAX_IP", "MIN_IP", "PROJECTION IMAGE",
      "PROJECTION", "VOLUME RENDERING", "VOLREN", "DOSE_INFO",
    ]
    let values = frame.imageType.map { trimmed($0).uppercased() }
    let type = shown(value: frame.imageType.joined(separator: "\\"))
    if values.contains(where: never.contains) {
      return .other("Image Type (0008,0008) \(type) is not a plain slice")
    }
    if values.contains("MOSAIC"), frame.mosaicTile == nil {
      return .other(
        "Image Type (0008,0008) \(type): a mosaic whose header does not say how to tile")
    }
    // CT_SOM5 PROT is the patient protocol, a page of text (Siemens).
    if values.contains(where: { $0.hasPrefix("CT_SOM") && $0.hasSuffix(" PROT") }) {
      return .other("Image Type (0008,0008) \(type) is a protocol page")
    }
    let isDerived = values.prefix(2).contains { $0 == "DERIVED" || $0 == "SECONDARY" }
    return isDerived && !rules.acceptsDerivedImages ? .derived : .slice
  }

  /// Sets apart images whose pixels or place cannot be used.
  mutating func withoutUnusable(_ frames: [ImageFrame]) -> [ImageFrame] {
    let findings = frames.map { imageFindings($0, rules: rules) }
    let unusable = zip(frames, findings).filter { !$0.1.isEmpty }
    guard !unusable.isEmpty else { return frames }
    let usable = zip(frames, findings).filter { $0.1.isEmpty }.map(\.0)
    let listed = unusable.flatMap { frame, found in found.map { (frame, $0) } }
    for (_, group) in grouped(listed, by: \.1.message) {
      let message = "\(group[0].1.message): \(shown(group.map(\.0)))"
      if usable.isEmpty {
        problems.append(GeometryFinding(group[0].1.kind, message))
      } else {
        exclude(group.map(\.0), group[0].1.kind, message)
      }
    }
    return usable
  }

  /// Holds values that are no Hounsfield units; which images they are in does not matter.
  mutating func checkUnits(_ frames: [ImageFrame]) {
    let wrong = frames.filter { frame in
      let type = trimmed(frame.rescaleType ?? "")
      return frame.modality == "CT" && !type.isEmpty && type != "HU"
    }
    for (type, group) in grouped(wrong, by: { trimmed($0.rescaleType ?? "") }) {
      problems.append(
        GeometryFinding(
          .notHounsfieldUnits,
          "Rescale Type (0028,1054) \(shown(value: type)) of a CT image is not HU: \(shown(group))")
      )
    }
  }
}

func trimmed(_ text: String) -> String {
  let isSpace = { (c: Character) in c == " " || c == "\0" }
  return String(text.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
}

/// The values by a key, in the order in which the keys first occur.
func grouped<Value, Key: Hashable>(_ values: [Value], by key: (Value) -> Key) -> [(
  key: Key, values: [Value]
)] {
  var order: [Key] = []
  var groups: [Key: [Value]] = [:]
  for value in values {
    let key = key(value)
    if groups[key] == nil { order.append(key) }
    groups[key, default: []].append(value)
  }
  return order.map { ($0, groups[$0] ?? []) }
}
