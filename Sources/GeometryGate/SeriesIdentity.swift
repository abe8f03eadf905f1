import Volumes
import Wording

/// Attributes in which all images of one series must agree.
extension SeriesAssessor {
  struct Attribute {
    var name: String
    var kind: GeometryFinding.Kind
    /// Whether the value must not be shown.
    var isHidden = false
    /// Whether an image without a value agrees with every other; of what names the patient, only
    /// where all images have the same Patient ID.
    var admitsBlank = false
    /// Whether series of one stack may differ in it.
    var isOfSeries = false
    var value: (ImageFrame) -> String
  }

  static var attributes: [Attribute] {
    [
      Attribute(
        name: "Patient ID (0010,0020)", kind: .severalPatients, isHidden: true,
        value: \.patientID),
      Attribute(
        name: "Patient's Name (0010,0010)", kind: .severalPatients, isHidden: true,
        admitsBlank: true, value: { comparable(personName: $0.patientName) }),
      Attribute(
        name: "Patient's Birth Date (0010,0030)", kind: .severalPatients, isHidden: true,
        admitsBlank: true,
        value: { $0.patientBirthDate.filter { !".- ".contains($0) } }),
      Attribute(
        name: "Patient's Sex (0010,0040)", kind: .severalPatients, isHidden: true,
        admitsBlank: true, value: \.patientSex),
      Attribute(
        name: "Issuer of Patient ID (0010,0021)", kind: .severalPatients, isHidden: true,
        admitsBlank: true, value: \.issuerOfPatientID),
      Attribute(
        name: "Study Instance UID (0020,000D)", kind: .severalSeries, value: \.studyInstanceUID),
      Attribute(
        name: "Series Instance UID (0020,000E)", kind: .severalSeries, isOfSeries: true,
        value: \.seriesInstanceUID),
      // A result carries these of one image, so that they must be those of all.
      Attribute(
        name: "Accession Number (0008,0050)", kind: .severalSeries, isHidden: true,
        admitsBlank: true, value: \.accessionNumber),
      Attribute(
        name: "Study ID (0020,0010)", kind: .severalSeries, isHidden: true, admitsBlank: true,
        value: \.studyID),
      Attribute(
        name: "Study Date (0008,0020)", kind: .severalSeries, isHidden: true, admitsBlank: true,
        value: { $0.studyDate.filter { !".- ".contains($0) } }),
      Attribute(name: "Modality (0008,0060)", kind: .severalModalities, value: \.modality),
      // Some writers of MONOCHROME1 invert the stored values too, so that a mixture is no volume.
      Attribute(
        name: "Photometric Interpretation (0028,0004)", kind: .pixelFormat,
        value: \.photometricInterpretation),
      Attribute(
        name: "Laterality (0020,0060)", kind: .severalLateralities, admitsBlank: true,
        value: \.laterality),
    ]
  }

  /// Excludes the few images that belong to another patient, study, series, modality or side
  /// than most; where no value has the majority, nothing of the series can be trusted.
  mutating func withoutMismatched(_ frames: [ImageFrame]) -> [ImageFrame] {
    var mismatched: Set<Int> = []
    let isOnePatient =
      frames.first?.patientID.isEmpty == false && Set(frames.map(\.patientID)).count == 1
    for attribute in Self.attributes where !(isStackOfSeries && attribute.isOfSeries) {
      let admitsBlank =
        attribute.admitsBlank && (attribute.kind != .severalPatients || isOnePatient)
      let indices = frames.indices.filter { !admitsBlank || !attribute.value(frames[$0]).isEmpty }
      let groups = grouped(Array(indices)) { attribute.value(frames[$0]) }
        .sorted { $0.values.count > $1.values.count }
      guard groups.count > 1 else { continue }
      let message = disagreement(attribute, groups.map { ($0.key, $0.values.map { frames[$0] }) })
      if groups[0].values.count * 2 <= indices.count {
        problems.append(GeometryFinding(attribute.kind, message))
        excluded = frames
        return []
      }
      let others = groups.dropFirst().flatMap(\.values).filter { mismatched.insert($0).inserted }
      exclude(others.map { frames[$0] }, attribute.kind, message)
    }
    return frames.indices.filter { !mismatched.contains($0) }.map { frames[$0] }
  }

  func disagreement(
    _ attribute: Attribute, _ groups: [(key: String, images: [ImageFrame])]
  ) -> String {
    let formattedValue = { (value: String) in
      if attribute.isHidden { return formatted(hidden: value) }
      return isUID(value) ? value : formatted(value: value)
    }
    let values = groups.prefix(4).map {
      "\(formattedValue($0.key)) in \(counted($0.images.count, "image")) (\(formatted($0.images)))"
    }
    return "\(attribute.name) differs: " + values.joined(separator: ", ")
  }
}

/// A person's name as far as it tells persons apart: archives pad components, leave out empty ones
/// at the end, change case, and add the same name in other scripts (PS3.5 6.2.1).
func comparable(personName: String) -> String {
  let groups = personName.split(separator: "=", omittingEmptySubsequences: false)
  let names = groups.map { group in
    var components = group.split(separator: "^", omittingEmptySubsequences: false).map {
      trimmed(String($0)).uppercased()
    }
    while components.last?.isEmpty == true { components.removeLast() }
    return components.joined(separator: "^")
  }
  return names.first { !$0.isEmpty } ?? ""
}
