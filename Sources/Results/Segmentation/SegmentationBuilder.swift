import DICOM
import Foundation
import Terminology
import Volumes

/// Builds the dataset of a segmentation object, all but its pixels.
struct SegmentationBuilder {
  let stack: SliceStack
  let source: SourceImages
  let frames: SegmentFrames
  let origin: ResultOrigin
  let identifiers: ResultIdentifiers

  private var text: PlainText {
    PlainText(characterSet: source.header.texts(.specificCharacterSet))
  }

  func dataset() throws(UncopiedAttribute) -> Dataset {
    var dataset = Dataset()
    try CopiedAttributes.copy(from: source.header, to: &dataset)
    addIdentity(&dataset)
    addEquipment(&dataset)
    addContent(&dataset)
    addImage(&dataset)
    addDimensions(&dataset)
    let segments = SegmentItems(origin: origin, identifiers: identifiers, text: text)
    dataset.set(
      .segmentSequence,
      frames.segments.enumerated().map { segments.item($1, number: $0 + 1) })
    let groups = FrameGroups(stack: stack, source: source, slices: frames.slices)
    dataset.set(.sharedFunctionalGroups, [groups.shared])
    dataset.set(.perFrameFunctionalGroups, frames.frames.map(groups.item))
    dataset.set(.referencedSeriesSequence, referencedSeries())
    return dataset
  }

  private func addIdentity(_ dataset: inout Dataset) {
    dataset.set(.sopClassUID, .UI, SegmentationStorage.sopClassUID)
    dataset.set(.sopInstanceUID, .UI, identifiers.sopInstanceUID)
    dataset.set(.seriesInstanceUID, .UI, identifiers.seriesInstanceUID)
    dataset.set(.studyInstanceUID, .UI, stack.frames[0].studyInstanceUID)
    dataset.set(.frameOfReferenceUID, .UI, stack.frameOfReferenceUIDOfResult)
    let indicator = source.header[.positionReferenceIndicator]
    dataset[.positionReferenceIndicator] = indicator ?? DataElement(.LO, .text([]))
    dataset.set(.modality, .CS, "SEG")
    let naming = SeriesNaming(source: source.header, modelName: origin.modelName)
    dataset.set(.seriesNumber, .IS, "\(naming.number)")
    dataset[.seriesDescription] = naming.description
    dataset.set(.instanceNumber, .IS, "\(origin.instanceNumber)")
    if let replaced = origin.replaces { dataset.set(.relatedSeriesSequence, [related(replaced)]) }
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

  // MARK: Equipment and content

  private func addEquipment(_ dataset: inout Dataset) {
    dataset.set(.manufacturer, .LO, "segmentd")
    dataset.set(.manufacturerModelName, .LO, "segmentd")
    dataset.set(.deviceSerialNumber, .LO, text.limited(origin.deviceSerialNumber, to: 64))
    dataset.set(.softwareVersions, .LO, text.limited(origin.softwareVersion, to: 64))
    dataset.set(
      .contributingEquipmentSequence,
      source.header.items(.contributingEquipmentSequence).map(\.withoutPrivateElements)
        + [acquisitionEquipment, model].compactMap(\.self))
  }

  /// What made the images; nil where they do not name a manufacturer (PS3.3 C.12.1, type 1).
  private var acquisitionEquipment: Dataset? {
    guard let manufacturer = source.header[.manufacturer], !manufacturer.isEmpty,
      case .text = manufacturer.value
    else { return nil }
    var equipment = Dataset()
    let purpose = CodedConcept(value: "109101", scheme: "DCM", meaning: "Acquisition Equipment")
    equipment.set(.purposeOfReferenceCodeSequence, [purpose.item { PlainText.ascii($0, to: $1) }])
    for tag in [
      Tag.manufacturer, .institutionName, .stationName, .manufacturerModelName,
      .deviceSerialNumber, .softwareVersions,
    ] {
      guard let element = source.header[tag], !element.isEmpty, case .text = element.value else {
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

  private func addContent(_ dataset: inout Dataset) {
    for tag in [Tag.contentDate, .seriesDate, .instanceCreationDate] {
      dataset.set(tag, .DA, origin.moment.date)
    }
    for tag in [Tag.contentTime, .seriesTime, .instanceCreationTime] {
      dataset.set(tag, .TM, origin.moment.time)
    }
    if let offset = source.header.text(.timezoneOffsetFromUTC).flatMap(TimezoneOffset.init) {
      dataset.set(.timezoneOffsetFromUTC, .SH, offset.text)
    }
    dataset.set(.contentLabel, .CS, "SEGMENTATION")
    let parts = [origin.subject, "\(origin.modelName) \(origin.modelVersion)"]
    let ending =
      (frames.isOfNothing ? ", nothing found" : "")
      + (origin.remarks.isEmpty ? "" : " - unusual, see segments")
    dataset.set(
      .contentDescription, .LO,
      text.limited(parts.filter { !$0.isEmpty }.joined(separator: ", "), to: 64 - ending.count)
        + ending)
    dataset.set(.contentCreatorName, .PN, "segmentd")
  }

  // MARK: Image, dimensions and references

  private func addImage(_ dataset: inout Dataset) {
    dataset.set(.imageType, .CS, ["DERIVED", "PRIMARY"])
    dataset.set(.samplesPerPixel, .US, 1)
    dataset.set(.photometricInterpretation, .CS, "MONOCHROME2")
    dataset.set(.rows, .US, stack.grid.rows)
    dataset.set(.columns, .US, stack.grid.columns)
    dataset.set(.bitsAllocated, .US, 1)
    dataset.set(.bitsStored, .US, 1)
    dataset.set(.highBit, .US, 0)
    dataset.set(.pixelRepresentation, .US, 0)
    dataset.set(.numberOfFrames, .IS, "\(frames.frames.count)")
    dataset.set(.segmentationType, .CS, "BINARY")
    dataset.set(.segmentsOverlap, .CS, frames.segments.canOverlap ? "YES" : "NO")
    dataset.set(.burnedInAnnotation, .CS, "NO")
    // Derived from lossy images means lossy (PS3.3 C.7.6.1.1.5).
    dataset.set(.lossyImageCompression, .CS, source.lossyHeader == nil ? "00" : "01")
    for tag in [Tag.lossyImageCompressionRatio, .lossyImageCompressionMethod] {
      guard let element = source.lossyHeader?[tag], !element.isEmpty else { continue }
      dataset[tag] = element.withinDecimalStrings
    }
  }

  private func addDimensions(_ dataset: inout Dataset) {
    var organization = Dataset()
    organization.set(.dimensionOrganizationUID, .UI, identifiers.dimensionOrganizationUID)
    dataset.set(.dimensionOrganizationSequence, [organization])
    dataset.set(
      .dimensionIndexSequence,
      [
        dimension(.referencedSegmentNumber, in: .segmentIdentificationSequence, "Segment number"),
        dimension(.imagePosition, in: .planePositionSequence, "Image position"),
      ])
  }

  private func dimension(_ tag: Tag, in group: Tag, _ label: String) -> Dataset {
    var dimension = Dataset()
    dimension.set(.dimensionOrganizationUID, .UI, identifiers.dimensionOrganizationUID)
    dimension.set(.dimensionIndexPointer, .AT, Int(tag.rawValue))
    dimension.set(.functionalGroupPointer, .AT, Int(group.rawValue))
    dimension.set(.dimensionDescriptionLabel, .LO, label)
    return dimension
  }

  /// All images that made the volume, also those without a frame here: an item for each of the
  /// series that they are of (PS3.3 C.12.4).
  private func referencedSeries() -> [Dataset] {
    var listed: Set<String> = []
    var order: [String] = []
    var instances: [String: [Dataset]] = [:]
    for frame in stack.frames where listed.insert(frame.sopInstanceUID).inserted {
      var instance = Dataset()
      instance.set(.referencedSOPClassUID, .UI, frame.sopClassUID)
      instance.set(.referencedSOPInstanceUID, .UI, frame.sopInstanceUID)
      if instances[frame.seriesInstanceUID] == nil { order.append(frame.seriesInstanceUID) }
      instances[frame.seriesInstanceUID, default: []].append(instance)
    }
    return order.map { uid in
      var series = Dataset()
      series.set(.seriesInstanceUID, .UI, uid)
      series.set(.referencedInstanceSequence, instances[uid] ?? [])
      return series
    }
  }
}

extension CodedConcept {
  /// The item of a code sequence (PS3.3 8.8).
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
