import Crypto
import DICOM
import Foundation
import Terminology
import Volumes

/// The proof of what an object says as a whole: kind, UIDs, series, equipment, dates, image and references.
struct AttributeProof {
  private let written: WrittenObject
  private let object: SegmentationObject
  private let source: SourceRecord
  private let segments: [SegmentDescription]

  private var dataset: Dataset { written.dataset }
  private var origin: ResultOrigin { object.origin }

  init(
    _ written: WrittenObject, _ object: SegmentationObject, source: SourceRecord,
    segments: [SegmentDescription]
  ) {
    self.written = written
    self.object = object
    self.source = source
    self.segments = segments
  }

  /// - Throws: ``ProofError`` at the first attribute that differs or is not expected.
  func prove() throws(ProofError) {
    try proveFixedValues()
    try proveSeries()
    try proveEquipment()
    try proveContent()
    try proveLoss()
    try proveFrameOfReference()
    try proveDimensions()
    try proveReferences()
    try proveNothingElse()
  }

  // MARK: Values that every object has

  private func proveFixedValues() throws(ProofError) {
    for (tag, wanted) in [
      (Tag.sopClassUID, "1.2.840.10008.5.1.4.1.1.66.4"), (.modality, "SEG"),
      (.imageType, "DERIVED\\PRIMARY"), (.photometricInterpretation, "MONOCHROME2"),
      (.segmentationType, "BINARY"), (.burnedInAnnotation, "NO"), (.contentLabel, "SEGMENTATION"),
      (.contentCreatorName, "segmentd"), (.manufacturer, "segmentd"),
      (.manufacturerModelName, "segmentd"),
      (.studyInstanceUID, object.stack.frames.first?.studyInstanceUID ?? ""),
      (.seriesInstanceUID, object.identifiers.seriesInstanceUID),
      (.sopInstanceUID, object.identifiers.sopInstanceUID),
      (.segmentsOverlap, sharesLabels ? "YES" : "NO"),
    ] { try written.expect(dataset.text(tag) == wanted, tag, "is not \(wanted)") }
    for (tag, wanted) in [
      (Tag.samplesPerPixel, 1), (.rows, object.labels.grid.rows),
      (.columns, object.labels.grid.columns), (.bitsAllocated, 1), (.bitsStored, 1),
      (.highBit, 0), (.pixelRepresentation, 0), (.instanceNumber, origin.instanceNumber),
      (.numberOfFrames, dataset.items(.perFrameFunctionalGroups).count),
    ] { try written.expect(dataset.integers(tag) == [wanted], tag, "is not \(wanted)") }
  }

  private var sharesLabels: Bool {
    segments.indices.contains { a in
      segments[..<a].contains { !$0.labels.isDisjoint(with: segments[a].labels) }
    }
  }

  // MARK: Series

  private func proveSeries() throws(ProofError) {
    let own = source.header.integer(.seriesNumber) ?? 0
    let digest = Array(SHA256.hash(data: Data(origin.modelName.utf8)))
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

  /// Whether bytes are the beginning of the source's description, the model's name and the label.
  private func isDescription(_ bytes: [UInt8]) -> Bool {
    let label = Array(" (research use only)".utf8)
    guard bytes.count > label.count, bytes.suffix(label.count) == label[...] else { return false }
    let rest = bytes.dropLast(label.count)
    let name = { (length: Int) in
      let characters = origin.modelName.decomposedStringWithCanonicalMapping.unicodeScalars
        .filter { !$0.properties.isDiacritic && $0.properties.generalCategory != .nonspacingMark }
      return characters.prefix(length).map {
        $0.value >= 32 && $0.value < 126 && $0 != "\\" ? UInt8($0.value) : UInt8(ascii: "?")
      }
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

  // MARK: Equipment and content

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

  private func proveContent() throws(ProofError) {
    for (tag, wanted) in [
      (Tag.contentDate, origin.moment.date), (.seriesDate, origin.moment.date),
      (.instanceCreationDate, origin.moment.date), (.contentTime, origin.moment.time),
      (.seriesTime, origin.moment.time), (.instanceCreationTime, origin.moment.time),
    ] {
      try written.expect(
        dataset.text(tag) == wanted, tag, "is not the latest that the images state")
    }
    let isNothing = !object.labels.labels.contains { $0 != 0 }
    let ending =
      (isNothing ? ", nothing found" : "")
      + (origin.remarks.isEmpty ? "" : " - unusual, see segments")
    let found = dataset.text(.contentDescription) ?? ""
    let parts = [origin.subject, "\(origin.modelName) \(origin.modelVersion)"]
    var beginning = Dataset()
    beginning.set(.contentDescription, .LO, String(found.dropLast(ending.count)))
    try written.expect(
      found.hasSuffix(ending)
        && written.says(
          parts.filter { !$0.isEmpty }.joined(separator: ", "), .contentDescription, in: beginning,
          length: 64 - ending.count),
      .contentDescription, "does not name the model and what is unusual")
  }

  private func proveLoss() throws(ProofError) {
    let isLossy = source.lossyFile != nil
    try written.expect(
      dataset.text(.lossyImageCompression) == (isLossy ? "01" : "00"), .lossyImageCompression,
      "is not what the source images say")
    guard let file = source.lossyFile else { return }
    let lossy: Dataset
    do { lossy = try DICOMFile(path: file).dataset } catch { throw .unreadable(error) }
    try written.expect(
      areSame(dataset.reals(.lossyImageCompressionRatio), lossy.reals(.lossyImageCompressionRatio)),
      .lossyImageCompressionRatio, "is not the source image's")
    try written.expect(
      dataset.texts(.lossyImageCompressionMethod) == lossy.texts(.lossyImageCompressionMethod),
      .lossyImageCompressionMethod, "is not the source image's")
  }

  // MARK: Place, dimensions and references

  private func proveFrameOfReference() throws(ProofError) {
    let stated = Set(
      object.stack.frames.map {
        $0.frameNumber == nil
          ? source.text(.frameOfReferenceUID, of: $0.file) ?? "" : $0.frameOfReferenceUID
      })
    let shared = stated.count == 1 ? stated.first ?? "" : ""
    let series = object.stack.frames.first?.seriesInstanceUID ?? ""
    let wanted = DICOMUID.isValid(shared) ? shared : DICOMUID.named("frame of reference/\(series)")
    try written.expect(
      dataset.text(.frameOfReferenceUID) == wanted, .frameOfReferenceUID, "is not the source's")
  }

  private func proveDimensions() throws(ProofError) {
    let uid = DICOMUID.named("\(object.identifiers.sopInstanceUID)/dimensions")
    let organization = try written.item(.dimensionOrganizationSequence, of: dataset)
    try written.expect(
      organization.text(.dimensionOrganizationUID) == uid, .dimensionOrganizationUID,
      "is not the object's")
    let indices = dataset.items(.dimensionIndexSequence)
    try written.expect(indices.count == 2, .dimensionIndexSequence, "does not have two dimensions")
    for (index, pointers) in zip(
      indices,
      [(0x0062_000B, 0x0062_000A, "Segment number"), (0x0020_0032, 0x0020_9113, "Image position")])
    {
      try written.expect(
        only: [
          .dimensionOrganizationUID, .dimensionIndexPointer, .functionalGroupPointer,
          .dimensionDescriptionLabel,
        ], in: index)
      try written.expect(
        index.text(.dimensionOrganizationUID) == uid, .dimensionOrganizationUID,
        "is not the object's")
      for (tag, pointer) in [
        (Tag.dimensionIndexPointer, pointers.0), (.functionalGroupPointer, pointers.1),
      ] {
        try written.expect(
          index.integers(tag) == [pointer], tag, "is not that of segments and positions")
      }
      try written.expect(
        index.text(.dimensionDescriptionLabel) == pointers.2, .dimensionDescriptionLabel,
        "is not \(pointers.2)")
    }
  }

  /// Each source series must be named with exactly its images that made the volume.
  private func proveReferences() throws(ProofError) {
    var wanted: [String: [String: String]] = [:]
    for frame in object.stack.frames {
      wanted[frame.seriesInstanceUID, default: [:]][frame.sopInstanceUID] = frame.sopClassUID
    }
    let series = dataset.items(.referencedSeriesSequence)
    try written.expect(
      series.count == wanted.count
        && Set(series.compactMap { $0.text(.seriesInstanceUID) }) == Set(wanted.keys),
      .referencedSeriesSequence, "does not name exactly the source series")
    for item in series {
      try written.expect(only: [.seriesInstanceUID, .referencedInstanceSequence], in: item)
      let images = wanted[item.text(.seriesInstanceUID) ?? ""] ?? [:]
      let instances = item.items(.referencedInstanceSequence)
      try written.expect(
        instances.count == images.count
          && Set(instances.compactMap { $0.text(.referencedSOPInstanceUID) }) == Set(images.keys),
        .referencedInstanceSequence, "does not name exactly the source images")
      for instance in instances {
        try written.expect(only: [.referencedSOPClassUID, .referencedSOPInstanceUID], in: instance)
        try written.expect(
          instance.text(.referencedSOPClassUID)
            == images[instance.text(.referencedSOPInstanceUID) ?? ""],
          .referencedSOPClassUID, "is not the source image's")
      }
    }
  }

  /// Every attribute must be accounted for.
  private func proveNothingElse() throws(ProofError) {
    let own: Set<Tag> = [
      .sopClassUID, .sopInstanceUID, .seriesInstanceUID, .frameOfReferenceUID, .modality,
      .seriesNumber, .seriesDescription, .instanceNumber, .relatedSeriesSequence, .manufacturer,
      .manufacturerModelName, .deviceSerialNumber, .softwareVersions,
      .contributingEquipmentSequence, .contentDate, .contentTime, .seriesDate, .seriesTime,
      .instanceCreationDate, .instanceCreationTime, .timezoneOffsetFromUTC, .contentLabel,
      .contentDescription, .contentCreatorName, .imageType, .samplesPerPixel,
      .photometricInterpretation, .rows, .columns, .bitsAllocated, .bitsStored, .highBit,
      .pixelRepresentation, .numberOfFrames, .segmentationType, .segmentsOverlap,
      .burnedInAnnotation, .lossyImageCompression, .lossyImageCompressionRatio,
      .lossyImageCompressionMethod, .dimensionOrganizationSequence, .dimensionIndexSequence,
      .segmentSequence, .sharedFunctionalGroups, .perFrameFunctionalGroups,
      .referencedSeriesSequence,
    ]
    let known = own.union(IdentityProof.texts).union(IdentityProof.sequences)
    if let tag = dataset.elements.keys.filter({ !known.contains($0) }).min() {
      throw written.differs(tag, "is not expected")
    }
    for tag in [Tag.lossyImageCompressionRatio, .lossyImageCompressionMethod]
    where source.lossyFile == nil {
      try written.expect(!dataset.contains(tag), tag, "is not expected")
    }
  }
}
