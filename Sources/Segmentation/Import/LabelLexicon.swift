import Terminology

/// Coded concepts for names that data sets give their labels.
enum LabelLexicon {
  /// The label of a name: with the codes of the presets where they know the name, else with a code of
  /// a private scheme, as DICOM asks for (PS3.16 section 8.2: private schemes begin with 99).
  static func label(_ value: UInt8, _ name: String) -> SegmentDescription {
    let name = String(
      name.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }.prefix(64))
    let words = key(name)
    if var known = ModelPreset.all.flatMap(\.labels).first(where: { key($0.name) == words }) {
      known.value = value
      known.labels = [value]
      known.name = name
      return known
    }
    return SegmentDescription(
      value: value, name: name, category: SegmentDescription.anatomy,
      type: CodedConcept(value: "LABEL-\(value)", scheme: "99SEGMENTD", meaning: name),
      color: color(value))
  }

  /// `kidney_right`, `Right Kidney` and `right kidney` are one name.
  private static func key(_ name: String) -> Set<String> {
    Set(name.lowercased().split { !$0.isLetter && !$0.isNumber }.map(String.init))
  }

  /// Colours that differ from one label to the next.
  private static func color(_ value: UInt8) -> [UInt8] {
    let hue = (Double(value) * 0.618_034).truncatingRemainder(dividingBy: 1) * 6
    return [5.0, 3, 1].map { offset in
      let place = (offset + hue).truncatingRemainder(dividingBy: 6)
      return UInt8(230 - 170 * max(0, min(place, 4 - place, 1)))
    }
  }
}
