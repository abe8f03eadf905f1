import Cryptography
import DICOM
import Foundation
import Terminology

/// The proof of what every result object says in the same way: its UIDs, series, equipment and dates.
struct HeaderProof {
  private let written: WrittenObject
  private let origin: ResultOrigin
  private let identifiers: ResultIdentifiers
  private let source: SourceRecord
  /// What the series is called behind the model's name; empty for nothing.
  private let seriesKind: String

  private var dataset: Dataset { written.dataset }

  /// The attributes that this proof accounts for.
  static let tags: Set<Tag> = [
    .sopClassUID, .sopInstanceUID, .seriesInstanceUID, .modality, .seriesNumber,
    .seriesDescription, .instanceNumber, .relatedSeriesSequence, .manufacturer,
    .manufacturerModelName, .deviceSerialNumber, .softwareVersions,
    .contributingEquipmentSequence, .contentDate, .contentTime, .seriesDate, .seriesTime,
    .instanceCreationDate, .instanceCreationTime, .timezoneOffsetFromUTC,
  ]

  init(
    _ written: WrittenObject, origin: ResultOrigin, identifiers: ResultIdentifiers,
    source: SourceRecord, seriesKind: String
  ) {
    self.written = written
    self.origin = origin
    self.identifiers = identifiers
    self.source = source
    self.seriesKind = seriesKind
  }

  /// - Throws: ``ProofError`` at the first attribute that differs.
  func prove() throws(ProofError) {
    for (tag, wanted) in [
      (Tag.seriesInstanceUID, identifiers.seriesInstanceUID),
      (.sopInstanceUID, identifiers.sopInstanceUID), (.manufacturer, "segmentd"),
      (.manufacturerModelName, "segmentd"),
    ] { try written.expect(dataset.text(tag) == wanted, tag, "is not \(wanted)") }
    try written.expect(
      dataset.integers(.instanceNumber) == [origin.instanceNumber], .instanceNumber,
      "is not \(origin.instanceNumber)")
    try proveSeries()
    try proveEquipment()
    try proveDates()
  }

  private func proveDates() throws(ProofError) {
    for (tag, wanted) in [
      (Tag.contentDate, origin.moment.date), (.seriesDate, origin.moment.date),
      (.instanceCreationDate, origin.moment.date), (.contentTime, origin.moment.time),
      (.seriesTime, origin.moment.time), (.instanceCreationTime, origin.moment.time),
    ] {
      try written.expect(
        dataset.text(tag) == wanted, tag, "is not the latest that the images state")
    }
  }

  // MARK: Series

  private func proveSeries() throws(ProofError) {
    let own = source.header.integer(.seriesNumber) ?? 0
    let words = [origin.modelName, seriesKind, origin.modelVersion].filter { !$0.isEmpty }
    let digest = Array(SHA256.hash(data: Data(words.joined(separator: " ").utf8)))
    let number = (Int(digest[0]) * 256 + Int(digest[1])) % 999 + 1
    try written.expect(
      dataset.integers(.seriesNumber)
        == [own > 0 && own <= 2_000_000 ? own * 1000 + number : number], .seriesNumber,
      "does not follow from the source's and the model")
    try written.expect(
      isDescription(unpadded(.seriesDescription)), .seriesDescription,
      "is not the source's with the model's name and the label \"(research use only)\"")
    let related = dataset.items(.relatedSeriesSequence)
    let replaces = [origin.replaces].compactMap(\.self)
    try written.expect(
      related.map { $0.text(.seriesInstanceUID) } == replaces.map(\.seriesInstanceUID)
        && related.map { $0.text(.studyInstanceUID) } == replaces.map(\.studyInstanceUID),
      .relatedSeriesSequence, "does not name exactly the series that is replaced")
    let purpose = CodedConcept(
      value: "REPLACED", scheme: "99SEGMENTD", meaning: "Results that this series replaces")
    for item in related {
      try written.expect(purpose, .purposeOfReferenceCodeSequence, in: item)
      try written.expect(
        only: [.studyInstanceUID, .seriesInstanceUID, .purposeOfReferenceCodeSequence], in: item)
    }
  }

  /// Without padding behind it.
  private func unpadded(_ tag: Tag) -> [UInt8] {
    guard case .text(let bytes) = dataset[tag]?.value else { return [] }
    return Array(bytes.reversed().drop { $0 == 0x20 || $0 == 0 }.reversed())
  }

  private func stored(_ tag: Tag, of dataset: Dataset) -> [UInt8] {
    guard case .text(let bytes) = dataset[tag]?.value else { return [] }
    let padding: Set<UInt8> = [0x20, 0]
    return Array(
      bytes.drop { padding.contains($0) }.reversed().drop { padding.contains($0) }.reversed())
  }

  /// The model's name in ASCII, as much of it as leaves room for the kind of object behind it.
  static func seriesName(_ model: String, _ kind: String, characters: Int) -> [UInt8] {
    let end: [UInt8] = kind.isEmpty ? [] : [0x20] + Array(kind.utf8)
    let letters = model.decomposedStringWithCanonicalMapping.unicodeScalars
      .filter { !$0.properties.isDiacritic && $0.properties.generalCategory != .nonspacingMark }
      .map {
        $0.value >= 32 && $0.value < 126 && $0 != "\\" ? UInt8($0.value) : UInt8(ascii: "?")
      }
    return letters.prefix(characters - end.count) + end
  }

  /// Whether bytes are the beginning of the source's description, the model's name and the label.
  private func isDescription(_ bytes: [UInt8]) -> Bool {
    let label = Array(" (research use only)".utf8)
    guard bytes.count > label.count, bytes.suffix(label.count) == label[...] else { return false }
    let rest = bytes.dropLast(label.count)
    let name = { (length: Int) in
      Self.seriesName(origin.modelName, seriesKind, characters: length)
    }
    let given = stored(.seriesDescription, of: source.header)
    if given.isEmpty { return Array(rest) == name(44) }
    let next = name(30)
    guard rest.suffix(next.count) == next[...] else { return false }
    var beginning = Array(rest.dropLast(next.count))
    let dashes = [Array(" - ".utf8), Array(" \u{2013} ".utf8), [0x20, 0xA8, 0x43, 0x20]]
    guard let dash = dashes.first(where: { beginning.suffix($0.count) == $0[...] }) else {
      return false
    }
    beginning.removeLast(dash.count)
    // What returns to the first character set (PS3.5 6.1.2.5.3).
    for escape: [UInt8] in [[0x1B, 0x28, 0x42], [0x1B, 0x28, 0x4A]]
    where beginning.suffix(3) == escape[...] && !isBeginning(beginning, of: given) {
      beginning.removeLast(3)
    }
    // Of control characters alone nothing may be left.
    let mayBeEmpty = given.allSatisfy { $0 < 0x21 || $0 == 0x7F }
    return (!beginning.isEmpty || mayBeEmpty) && isBeginning(beginning, of: given)
  }

  private func isBeginning(_ bytes: [UInt8], of source: [UInt8]) -> Bool {
    // A backslash would part values, and control characters belong to no description.
    let alike = { (a: UInt8, b: UInt8) in
      a == b || (b == 0x5C && a == 0x2F) || (a == 0x20 && (b < 0x20 || b == 0x7F))
    }
    return bytes.count <= source.count && zip(bytes, source).allSatisfy(alike)
  }

  // MARK: Equipment

  private func proveEquipment() throws(ProofError) {
    for (tag, wanted) in [
      (Tag.deviceSerialNumber, origin.deviceSerialNumber),
      (.softwareVersions, origin.softwareVersion),
    ] {
      try written.expect(
        written.says(wanted, tag, in: dataset, length: 64), tag, "is not this installation's")
    }
    let tag = Tag.contributingEquipmentSequence
    var items = dataset.items(tag)[...]
    let earlier = source.header.items(tag).map(\.publicPart)
    try written.expect(
      items.prefix(earlier.count).map(\.publicPart) == earlier, tag, "lacks the source's items")
    items = items.dropFirst(earlier.count)
    if !stored(.manufacturer, of: source.header).isEmpty {
      try written.expect(items.count == 2, tag, "does not name the equipment of the source")
      try proveAcquisition(items.removeFirst())
    }
    try written.expect(items.count == 1, tag, "does not name the model once")
    guard let model = items.first else { return }
    try written.expect(
      CodedConcept(value: "109102", scheme: "DCM", meaning: "Processing Equipment"),
      .purposeOfReferenceCodeSequence, in: model)
    try written.expect(
      only: [
        .purposeOfReferenceCodeSequence, .manufacturer, .manufacturerModelName, .softwareVersions,
        .contributionDescription,
      ], in: model)
    try written.expect(
      model.text(.manufacturer) == "segmentd"
        && written.says(origin.modelName, .manufacturerModelName, in: model, length: 64),
      tag, "does not name the model")
    try written.expect(
      model.text(.contributionDescription)
        == "Segmentation by a neural network; Software Versions: the model's version, its SHA-256",
      .contributionDescription, "of \(tag) is not what the model contributes")
    let versions = model.texts(.softwareVersions)
    var version = Dataset()
    version.set(.softwareVersions, .LO, versions.first ?? "")
    try written.expect(
      versions.count == 2 && versions[1] == origin.modelSHA256
        && written.says(origin.modelVersion, .softwareVersions, in: version, length: 64),
      .softwareVersions, "of \(tag) is not the model's version and SHA-256")
  }

  private func proveAcquisition(_ item: Dataset) throws(ProofError) {
    try written.expect(
      CodedConcept(value: "109101", scheme: "DCM", meaning: "Acquisition Equipment"),
      .purposeOfReferenceCodeSequence, in: item)
    var tags: Set<Tag> = [.purposeOfReferenceCodeSequence]
    for tag in [
      Tag.manufacturer, .institutionName, .stationName, .manufacturerModelName,
      .deviceSerialNumber, .softwareVersions,
    ] {
      let wanted = stored(tag, of: source.header)
      if !wanted.isEmpty { tags.insert(tag) }
      try written.expect(
        stored(tag, of: item) == wanted, tag,
        "of \(Tag.contributingEquipmentSequence) is not the source's")
    }
    try written.expect(only: tags, in: item)
  }
}
