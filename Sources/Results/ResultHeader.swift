import DICOM
import Terminology

/// Writes what every kind of result object says in the same way: patient and study, series, equipment, dates.
struct ResultHeader {
  /// Header of the image whose patient and study attributes are copied.
  let source: Dataset
  let origin: ResultOrigin
  let identifiers: ResultIdentifiers
  let text: PlainText

  init(source: Dataset, origin: ResultOrigin, identifiers: ResultIdentifiers) {
    self.source = source
    self.origin = origin
    self.identifiers = identifiers
    text = PlainText(characterSet: source.texts(.specificCharacterSet))
  }

  /// - Parameters:
  ///   - dataset: of the object.
  ///   - sopClassUID: of the object.
  ///   - modality: Modality (0008,0060) of its series.
  ///   - studyInstanceUID: that of the source images.
  ///   - kind: what kind of object it is, in words; empty for a segmentation.
  func add(
    to dataset: inout Dataset, sopClassUID: String, modality: String, studyInstanceUID: String,
    kind: String
  ) throws(UncopiedAttribute) {
    try CopiedAttributes.copy(from: source, to: &dataset)
    dataset.set(.sopClassUID, .UI, sopClassUID)
    dataset.set(.sopInstanceUID, .UI, identifiers.sopInstanceUID)
    dataset.set(.seriesInstanceUID, .UI, identifiers.seriesInstanceUID)
    dataset.set(.studyInstanceUID, .UI, studyInstanceUID)
    dataset.set(.modality, .CS, modality)
    let naming = SeriesNaming(
      source: source, modelName: origin.modelName, modelVersion: origin.modelVersion, kind: kind)
    dataset.set(.seriesNumber, .IS, "\(naming.number)")
    dataset[.seriesDescription] = naming.description
    dataset.set(.instanceNumber, .IS, "\(origin.instanceNumber)")
    if let replaced = origin.replaces { dataset.set(.relatedSeriesSequence, [related(replaced)]) }
    addEquipment(&dataset)
    addDates(&dataset)
  }

  /// General Series (PS3.3 C.7.3.1). The standard's purposes (PS3.16, CID 7210) know no successor, and may
  /// be extended.
  private func related(_ replaced: ReplacedSeries) -> Dataset {
    var series = Dataset()
    series.set(.studyInstanceUID, .UI, replaced.studyInstanceUID)
    series.set(.seriesInstanceUID, .UI, replaced.seriesInstanceUID)
    series.set(
      .purposeOfReferenceCodeSequence, [ReplacedSeries.purpose.item { PlainText.ascii($0, to: $1) }]
    )
    return series
  }

  private func addDates(_ dataset: inout Dataset) {
    for tag in [Tag.contentDate, .seriesDate, .instanceCreationDate] {
      dataset.set(tag, .DA, origin.moment.date)
    }
    for tag in [Tag.contentTime, .seriesTime, .instanceCreationTime] {
      dataset.set(tag, .TM, origin.moment.time)
    }
    if let offset = source.text(.timezoneOffsetFromUTC).flatMap(TimezoneOffset.init) {
      dataset.set(.timezoneOffsetFromUTC, .SH, offset.text)
    }
  }

  // MARK: Equipment

  private func addEquipment(_ dataset: inout Dataset) {
    dataset.set(.manufacturer, .LO, "segmentd")
    dataset.set(.manufacturerModelName, .LO, "segmentd")
    dataset.set(.deviceSerialNumber, .LO, text.limited(origin.deviceSerialNumber, to: 64))
    dataset.set(.softwareVersions, .LO, text.limited(origin.softwareVersion, to: 64))
    dataset.set(
      .contributingEquipmentSequence,
      source.items(.contributingEquipmentSequence).map(\.withoutPrivateElements)
        + [acquisitionEquipment, model].compactMap(\.self))
  }

  /// What made the images; nil where they do not name a manufacturer (PS3.3 C.12.1, type 1).
  private var acquisitionEquipment: Dataset? {
    guard let manufacturer = source[.manufacturer], !manufacturer.isEmpty,
      case .text = manufacturer.value
    else { return nil }
    var equipment = Dataset()
    let purpose = CodedConcept(value: "109101", scheme: "DCM", meaning: "Acquisition Equipment")
    equipment.set(.purposeOfReferenceCodeSequence, [purpose.item { PlainText.ascii($0, to: $1) }])
    for tag in [
      Tag.manufacturer, .institutionName, .stationName, .manufacturerModelName,
      .deviceSerialNumber, .softwareVersions,
    ] {
      guard let element = source[tag], !element.isEmpty, case .text = element.value else {
        continue
      }
      equipment[tag] = element
    }
    return equipment
  }

  private var model: Dataset {
    var equipment = Dataset()
    let purpose = CodedConcept(value: "109102", scheme: "DCM", meaning: "Processing Equipment")
    equipment.set(.purposeOfReferenceCodeSequence, [purpose.item { PlainText.ascii($0, to: $1) }])
    equipment.set(.manufacturer, .LO, "segmentd")
    equipment.set(.manufacturerModelName, .LO, text.limited(origin.modelName, to: 64))
    equipment.set(
      .softwareVersions, .LO, [text.limited(origin.modelVersion, to: 64), origin.modelSHA256])
    equipment.set(
      .contributionDescription, .ST,
      "Segmentation by a neural network; Software Versions: the model's version, its SHA-256")
    return equipment
  }
}

extension CodedConcept {
  /// The item of a code sequence (PS3.3 8.8). The value and the scheme are short: the bundle's were checked
  /// when it was loaded.
  ///
  /// - Parameter limited: a text with the most characters admitted.
  func item(_ limited: (String, Int) -> String) -> Dataset {
    var code = Dataset()
    code.set(.codeValue, .SH, limited(value, 16))
    code.set(.codingSchemeDesignator, .SH, limited(scheme, 16))
    code.set(.codeMeaning, .LO, limited(meaning, 64))
    return code
  }
}
