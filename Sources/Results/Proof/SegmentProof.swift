import DICOM
import Foundation
import Terminology
import Wording

/// The proof of Segment Sequence (0062,0002): that each segment is described as the model's bundle describes it.
/// The descriptions are those that ``ModelProof`` found in the bundle.
struct SegmentProof {
  private let written: WrittenObject
  private let object: SegmentationObject
  private let segments: [SegmentDescription]

  init(_ written: WrittenObject, _ object: SegmentationObject, segments: [SegmentDescription]) {
    self.written = written
    self.object = object
    self.segments = segments
  }

  /// - Throws: ``ProofError`` at the first thing that differs.
  func prove() throws(ProofError) {
    var items = written.dataset.items(.segmentSequence)[...]
    if object.form == .labelMap { try proveBackground(items.popFirst() ?? Dataset()) }
    try written.expect(
      items.count == segments.count, .segmentSequence,
      "\(counted(items.count, "segment")) for \(segments.count)")
    for (index, pair) in zip(items, segments).enumerated() {
      try prove(pair.0, number: index + 1, pair.1)
    }
  }

  private func prove(
    _ item: Dataset, number: Int, _ segment: SegmentDescription
  ) throws(ProofError) {
    let origin = object.origin
    try written.expect(
      item.integers(.segmentNumber) == [number], .segmentNumber, "is not \(number)")
    for (tag, text) in [
      (Tag.segmentLabel, segment.name), (.segmentAlgorithmName, origin.modelName),
      (.trackingID, segment.name),
    ] { try says(text, tag, in: item, number) }
    try written.expect(
      item.text(.segmentAlgorithmType) == "AUTOMATIC", .segmentAlgorithmType, "is not AUTOMATIC")
    try written.expect(
      item.text(.trackingUID)
        == DICOMUID.named("\(object.identifiers.sopInstanceUID)/segments/\(number)"),
      .trackingUID, "is not that of segment \(number)")
    try written.expect(segment.category, .segmentedPropertyCategoryCodeSequence, in: item)
    let modifier = Tag.segmentedPropertyTypeModifierCodeSequence
    try written.expect(
      segment.type, .segmentedPropertyTypeCodeSequence, in: item,
      others: segment.modifier == nil ? [] : [modifier])
    if let side = segment.modifier, let type = item.items(.segmentedPropertyTypeCodeSequence).first
    {
      try written.expect(side, modifier, in: type)
    }
    if let region = segment.anatomicRegion {
      try written.expect(region, .anatomicRegionSequence, in: item)
    }
    if !origin.remarks.isEmpty {
      let text = "Warning: " + origin.remarks.joined(separator: "; ")
      try written.expect(
        written.says(text, .segmentDescription, in: item, length: 1024), .segmentDescription,
        "does not say what is unusual")
    }
    try proveAlgorithm(item, number)
    try proveColor(item, segment)
    var tags: Set<Tag> = [
      .segmentNumber, .segmentLabel, .segmentAlgorithmType, .segmentAlgorithmName,
      .segmentedPropertyCategoryCodeSequence, .segmentedPropertyTypeCodeSequence,
      .segmentationAlgorithmIdentificationSequence, .trackingID, .trackingUID,
      .recommendedDisplayCIELabValue,
    ]
    if segment.anatomicRegion != nil { tags.insert(.anatomicRegionSequence) }
    if !origin.remarks.isEmpty { tags.insert(.segmentDescription) }
    try written.expect(only: tags, in: item)
  }

  private func proveBackground(_ item: Dataset) throws(ProofError) {
    let background = CodedConcept(value: "125040", scheme: "DCM", meaning: "Background")
    try written.expect(item.integers(.segmentNumber) == [0], .segmentNumber, "is not 0")
    for (tag, wanted) in [
      (Tag.segmentLabel, "Background"), (.segmentAlgorithmType, "AUTOMATIC"),
    ] { try written.expect(item.text(tag) == wanted, tag, "is not \(wanted)") }
    try says(object.origin.modelName, .segmentAlgorithmName, in: item, 0)
    for tag in [
      Tag.segmentedPropertyCategoryCodeSequence, .segmentedPropertyTypeCodeSequence,
    ] { try written.expect(background, tag, in: item) }
    let lab = item.integers(.recommendedDisplayCIELabValue)
    try written.expect(
      lab.count == 3 && lab[0] == 0 && lab[1] == lab[2] && lab[1] == 128 * 65535 / 255,
      .recommendedDisplayCIELabValue, "of the background is not black")
    try written.expect(
      only: [
        .segmentNumber, .segmentLabel, .segmentAlgorithmType, .segmentAlgorithmName,
        .segmentedPropertyCategoryCodeSequence, .segmentedPropertyTypeCodeSequence,
        .recommendedDisplayCIELabValue,
      ], in: item)
  }

  private func says(
    _ text: String, _ tag: Tag, in item: Dataset, _ number: Int
  ) throws(ProofError) {
    try written.expect(
      written.says(text, tag, in: item, length: 64), tag, "of segment \(number) is not the model's")
  }

  private func proveAlgorithm(_ item: Dataset, _ number: Int) throws(ProofError) {
    let algorithm = try written.item(.segmentationAlgorithmIdentificationSequence, of: item)
    try written.expect(
      CodedConcept(value: "123109", scheme: "DCM", meaning: "Artificial Intelligence"),
      .algorithmFamilyCodeSequence, in: algorithm)
    try says(object.origin.modelName, .algorithmName, in: algorithm, number)
    try says(object.origin.modelVersion, .algorithmVersion, in: algorithm, number)
    try written.expect(
      only: [.algorithmFamilyCodeSequence, .algorithmName, .algorithmVersion], in: algorithm)
  }

  /// The colour as a screen shows it must be the model's.
  private func proveColor(_ item: Dataset, _ segment: SegmentDescription) throws(ProofError) {
    let tag = Tag.recommendedDisplayCIELabValue
    let lab = item.integers(tag).map(Double.init)
    try written.expect(lab.count == 3, tag, "is not three numbers")
    let shown = Self.sRGB(
      lightness: lab[0] * 100 / 65535, a: lab[1] * 255 / 65535 - 128, b: lab[2] * 255 / 65535 - 128)
    try written.expect(
      zip(shown, segment.color).allSatisfy { abs($0 - Double($1)) < 0.75 }, tag,
      "is not the colour of \(segment.name)")
  }

  /// From CIELab under D65 to sRGB, 0 to 255 (PS3.3 C.10.7.1.1, IEC 61966-2-1).
  private static func sRGB(lightness: Double, a: Double, b: Double) -> [Double] {
    let expanded = { (t: Double) in
      t > 6.0 / 29 ? t * t * t : 3 * (6.0 / 29) * (6.0 / 29) * (t - 4.0 / 29)
    }
    let middle = (lightness + 16) / 116
    let x = 0.950456 * expanded(middle + a / 500)
    let y = expanded(middle)
    let z = 1.088754 * expanded(middle - b / 200)
    return [
      3.2404542 * x - 1.5371385 * y - 0.4985314 * z,
      -0.9692660 * x + 1.8760108 * y + 0.0415560 * z,
      0.0556434 * x - 0.2040259 * y + 1.0572252 * z,
    ].map { linear in
      let value = min(max(linear, 0), 1)
      return 255 * (value <= 0.0031308 ? 12.92 * value : 1.055 * pow(value, 1 / 2.4) - 0.055)
    }
  }
}
