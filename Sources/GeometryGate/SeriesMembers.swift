import Volumes
import Wording

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
      .map { GeometryFinding(.blankUID, "\(name) is \($0.0): \(formatted($0.1))") }
    }
  }

  /// Keeps one of each image that is there more than once; the same UID with other pixels holds.
  /// So does the same UID with another patient or study: nothing says which header is the newer one.
  mutating func withoutResent(_ frames: [ImageFrame]) -> [ImageFrame] {
    var first: [FrameIdentity: ImageFrame] = [:]
    var kept: [ImageFrame] = []
    var identical: [ImageFrame] = []
    var different: [ImageFrame] = []
    var contradictions: [(attribute: String, kind: GeometryFinding.Kind, frame: ImageFrame)] = []
    for frame in frames {
      guard let earlier = first[FrameIdentity(frame)] else {
        first[FrameIdentity(frame)] = frame
        kept.append(frame)
        continue
      }
      if isCopy(frame, of: earlier) { identical.append(frame) } else { different.append(frame) }
      for attribute in Self.attributes where attribute.value(frame) != attribute.value(earlier) {
        contradictions.append((attribute.name, attribute.kind, frame))
      }
    }
    for (name, group) in grouped(contradictions, by: \.attribute) {
      problems.append(
        GeometryFinding(
          group[0].kind,
          "\(name) differs between copies of one image (SOP Instance UID (0008,0018)), and nothing "
            + "says which is current: \(formatted(group.map(\.frame)))"))
    }
    if !identical.isEmpty {
      repairs.append(
        GeometryFinding(
          .duplicateInstance,
          "SOP Instance UID (0008,0018) occurs more than once with the same pixels "
            + "(\(digest(identical[0]))): one kept of \(formatted(identical))"))
    }
    if !different.isEmpty {
      problems.append(
        GeometryFinding(
          .duplicateInstance,
          "SOP Instance UID (0008,0018) occurs more than once with pixels or a place that differ "
            + "or cannot be compared: \(formatted(different))"))
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

  /// Excludes what is not a slice as measured: localizers, screens, projections, computed images.
  mutating func withoutOtherKinds(_ frames: [ImageFrame]) -> [ImageFrame] {
    let kinds = frames.map { imageKind($0) }
    let slices = zip(frames, kinds).filter { $0.1 == .slice }.map(\.0)
    let computed = zip(frames, kinds).filter { $0.1 == .computed }.map(\.0)
    let others = zip(frames, kinds).compactMap { frame, kind -> (ImageFrame, String)? in
      guard case .other(let what) = kind else { return nil }
      return (frame, what)
    }
    let isEmpty = slices.isEmpty && computed.isEmpty
    for (what, group) in grouped(others, by: \.1) {
      let message = "\(what): \(formatted(group.map(\.0)))"
      excluded += group.map(\.0)
      if isEmpty {
        problems.append(GeometryFinding(.notMeasured, message))
      } else {
        repairs.append(
          GeometryFinding(.notMeasured, "\(counted(group.count, "image")) excluded, \(message)"))
      }
    }
    noteDerived(slices)
    guard !computed.isEmpty else { return slices }
    if slices.isEmpty {
      // Assessed all the same, so that a person sees what the series would be.
      problems.append(GeometryFinding(.notMeasured, notOriginal(computed)))
      return computed
    }
    excluded += computed
    repairs.append(derivedApart(computed))
    return slices
  }

  private func notOriginal(_ images: [ImageFrame]) -> String {
    let type = formatted(value: images[0].imageType.joined(separator: "\\"))
    return "Image Type (0008,0008) \(type) is not an original image: \(formatted(images))"
  }

  func derivedApart(_ images: [ImageFrame]) -> GeometryFinding {
    GeometryFinding(
      .notMeasured, "\(counted(images.count, "image")) excluded, \(notOriginal(images))")
  }

  /// Images call themselves derived also after lossy compression, cropping or correction: what they
  /// show is the same, and their geometry is assessed as usual.
  private mutating func noteDerived(_ slices: [ImageFrame]) {
    let derived = slices.filter { isDerived($0) }
    guard !derived.isEmpty, derived.count == slices.count else { return }
    notes.append(GeometryFinding(.notMeasured, notOriginal(derived)))
  }

  /// Whether an image says that it was made from others (PS3.3 C.7.6.1.1.2).
  func isDerived(_ frame: ImageFrame) -> Bool {
    frame.imageType.prefix(2).contains { ["DERIVED", "SECONDARY"].contains($0.uppercased()) }
  }

  private enum Kind: Equatable {
    case slice
    /// Reformatted, or a quantity computed from other images.
    case computed
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
      return .other(
        "SOP Class UID (0008,0016) \(formatted(uid: frame.sopClassUID)) is not an image")
    }
    let values = frame.imageType.map { trimmed($0).uppercased() }
    let type = formatted(value: frame.imageType.joined(separator: "\\"))
    if values.contains(where: ImageTypes.neverSlices.contains) {
      return .other("Image Type (0008,0008) \(type) is not a plain slice")
    }
    let isMosaic = values.contains("MOSAIC") && frame.mosaicTile == nil && frame.frameNumber == nil
    if let defect = frame.mosaicDefect ?? (isMosaic ? "no header was found" : nil) {
      return .other(
        "Image Type (0008,0008) \(type): a mosaic whose header does not say how to tile: \(defect)")
    }
    // CT_SOM5 PROT is the patient protocol, a page of text (Siemens).
    if values.contains(where: { $0.hasPrefix("CT_SOM") && $0.hasSuffix(" PROT") }) {
      return .other("Image Type (0008,0008) \(type) is a protocol page")
    }
    guard isDerived(frame), !rules.acceptsDerivedImages else { return .slice }
    return values.dropFirst(2).contains(where: ImageTypes.isComputed) ? .computed : .slice
  }

  /// Excludes images whose pixels or position cannot be used.
  mutating func withoutUnusable(_ frames: [ImageFrame]) -> [ImageFrame] {
    let findings = frames.map { imageFindings($0, rules: rules) }
    let unusable = zip(frames, findings).filter { !$0.1.isEmpty }
    guard !unusable.isEmpty else { return frames }
    let usable = zip(frames, findings).filter { $0.1.isEmpty }.map(\.0)
    let listed = unusable.flatMap { frame, found in found.map { (frame, $0) } }
    for (_, group) in grouped(listed, by: \.1.message) {
      let message = "\(group[0].1.message): \(formatted(group.map(\.0)))"
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
          "Rescale Type (0028,1054) \(formatted(value: type)) of a CT image is not HU: \(formatted(group))"
        )
      )
    }
  }
}
