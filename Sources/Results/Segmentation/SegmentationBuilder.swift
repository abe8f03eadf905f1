import DICOM
import Foundation
import Terminology
import Volumes

/// Builds the dataset of a segmentation object.
struct SegmentationBuilder {
  let stack: SliceStack
  let source: SourceImages
  let frames: SegmentFrames
  let origin: ResultOrigin
  let identifiers: ResultIdentifiers

  /// Whether frames have a place in the patient, and not only images that they refer to.
  private var isPlaced: Bool { stack.hasFrameOfReference }

  func dataset(_ labels: LabelVolume) throws(UncopiedAttribute) -> Dataset {
    var dataset = Dataset()
    try CopiedAttributes.copy(from: source.header, to: &dataset)
    addIdentity(&dataset)
    addEquipmentAndContent(&dataset)
    addImage(&dataset)
    addDimensions(&dataset)
    dataset.set(.segmentSequence, frames.segments.indices.map(segment))
    dataset.set(.sharedFunctionalGroups, [sharedGroups()])
    dataset.set(.perFrameFunctionalGroups, frames.frames.map(frameGroups))
    dataset.set(.referencedSeriesSequence, referencedSeries())
    dataset.set(.pixelData, .OB, bytes: pixels(labels))
    return dataset
  }

  // MARK: Modules of the whole object

  private func addIdentity(_ dataset: inout Dataset) {
    dataset.set(.sopClassUID, .UI, SegmentationStorage.sopClassUID)
    dataset.set(.sopInstanceUID, .UI, identifiers.sopInstanceUID)
    dataset.set(.seriesInstanceUID, .UI, identifiers.seriesInstanceUID)
    dataset.set(.studyInstanceUID, .UI, stack.frames[0].studyInstanceUID)
    if isPlaced {
      dataset.set(.frameOfReferenceUID, .UI, stack.frames[0].frameOfReferenceUID)
      let indicator = source.header[.positionReferenceIndicator]
      dataset[.positionReferenceIndicator] = indicator ?? DataElement(.LO, .text([]))
    } else {
      // Type 2C: due where no frame has a position (PS3.3 C.7.6.1.1.1).
      dataset.set(.patientOrientation, .CS, "")
    }
    dataset.set(.modality, .CS, "SEG")
    dataset.set(.seriesNumber, .IS, "\(origin.seriesNumber)")
    dataset.set(.instanceNumber, .IS, "\(origin.instanceNumber)")
    dataset.set(
      .seriesDescription, .LO,
      PlainText.limited(origin.modelName, to: 64, suffix: " (research use only)"))
    if let replaced = origin.replaces { dataset.set(.relatedSeriesSequence, [related(replaced)]) }
  }

  /// General Series (PS3.3 C.7.3.1). The standard's purposes (PS3.16, CID 7210) know no successor, and may
  /// be extended.
  private func related(_ replaced: ReplacedSeries) -> Dataset {
    var series = Dataset()
    series.set(.studyInstanceUID, .UI, replaced.studyInstanceUID)
    series.set(.seriesInstanceUID, .UI, replaced.seriesInstanceUID)
    series.set(.purposeOfReferenceCodeSequence, [code(ReplacedSeries.purpose)])
    return series
  }

  private func addEquipmentAndContent(_ dataset: inout Dataset) {
    dataset.set(.manufacturer, .LO, "segmentd")
    dataset.set(.manufacturerModelName, .LO, "segmentd")
    dataset.set(.deviceSerialNumber, .LO, PlainText.limited(origin.deviceSerialNumber, to: 64))
    dataset.set(.softwareVersions, .LO, PlainText.limited(origin.softwareVersion, to: 64))
    for tag in [Tag.contentDate, .seriesDate] { dataset.set(tag, .DA, origin.moment.date) }
    for tag in [Tag.contentTime, .seriesTime] { dataset.set(tag, .TM, origin.moment.time) }
    if let offset = source.header.text(.timezoneOffsetFromUTC).flatMap(TimezoneOffset.init) {
      dataset.set(.timezoneOffsetFromUTC, .SH, offset.text)
    }
    dataset.set(.contentLabel, .CS, "SEGMENTATION")
    dataset.set(
      .contentDescription, .LO,
      PlainText.limited(
        ([origin.subject] + ["\(origin.modelName) \(origin.modelVersion)"])
          .filter { !$0.isEmpty }.joined(separator: ", "), to: 64,
        suffix: origin.remarks.isEmpty ? "" : " - unusual, see segments"))
    dataset.set(.contentCreatorName, .PN, "segmentd")
  }

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
    let isLossy = source.header.text(.lossyImageCompression) == "01"
    dataset.set(.lossyImageCompression, .CS, isLossy ? "01" : "00")
    if isLossy {
      dataset[.lossyImageCompressionRatio] = source.header[.lossyImageCompressionRatio]
      dataset[.lossyImageCompressionMethod] = source.header[.lossyImageCompressionMethod]
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
        isPlaced
          ? dimension(.imagePosition, in: .planePositionSequence, "Image position")
          : dimension(.inStackPositionNumber, in: .frameContentSequence, "Slice"),
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

  // MARK: Segments

  private func segment(at index: Int) -> Dataset {
    let description = frames.segments[index]
    var segment = Dataset()
    segment.set(.segmentNumber, .US, index + 1)
    segment.set(.segmentLabel, .LO, PlainText.limited(description.name, to: 64))
    if !origin.remarks.isEmpty {
      let remarks = "Warning: " + origin.remarks.joined(separator: "; ")
      segment.set(.segmentDescription, .ST, PlainText.limited(remarks, to: 1024))
    }
    segment.set(.segmentAlgorithmType, .CS, "AUTOMATIC")
    segment.set(.segmentAlgorithmName, .LO, PlainText.limited(origin.modelName, to: 64))
    segment.set(.segmentedPropertyCategoryCodeSequence, [code(description.category)])
    var type = code(description.type)
    if let modifier = description.modifier {
      type.set(.segmentedPropertyTypeModifierCodeSequence, [code(modifier)])
    }
    segment.set(.segmentedPropertyTypeCodeSequence, [type])
    if let region = description.anatomicRegion {
      segment.set(.anatomicRegionSequence, [code(region)])
    }
    segment.set(.segmentationAlgorithmIdentificationSequence, [algorithm()])
    let lab = CIELab.scaled(
      red: description.color[0], green: description.color[1], blue: description.color[2])
    segment.set(.recommendedDisplayCIELabValue, .US, lab[0], lab[1], lab[2])
    return segment
  }

  private func algorithm() -> Dataset {
    let family = CodedConcept(value: "123109", scheme: "DCM", meaning: "Artificial Intelligence")
    var algorithm = Dataset()
    algorithm.set(.algorithmFamilyCodeSequence, [code(family)])
    algorithm.set(.algorithmName, .LO, PlainText.limited(origin.modelName, to: 64))
    algorithm.set(.algorithmVersion, .LO, PlainText.limited(origin.modelVersion, to: 64))
    return algorithm
  }

  private func code(_ concept: CodedConcept) -> Dataset {
    var code = Dataset()
    code.set(.codeValue, .SH, PlainText.limited(concept.value, to: 16))
    code.set(.codingSchemeDesignator, .SH, PlainText.limited(concept.scheme, to: 16))
    code.set(.codeMeaning, .LO, PlainText.limited(concept.meaning, to: 64))
    return code
  }

  // MARK: Functional groups

  private func sharedGroups() -> Dataset {
    guard isPlaced else { return Dataset() }
    let step = stack.grid.affine.stepAlongNormal
    var measures = Dataset()
    measures[.pixelSpacing] = source.planes[0].pixelSpacing
    let thickness = source.planes[0].sliceThickness
    if let thickness, Self.isDecimal(thickness) {
      measures[.sliceThickness] = thickness
    } else {
      measures.set(.sliceThickness, .DS, PlainText.decimal(step))
    }
    // Only where it is one (PS3.3 C.7.6.16.2.1).
    if stack.sliceIndices == nil {
      measures.set(.spacingBetweenSlices, .DS, PlainText.decimal(step))
    }
    var orientation = Dataset()
    orientation[.imageOrientation] = source.planes[0].imageOrientation
    var shared = Dataset()
    shared.set(.pixelMeasuresSequence, [measures])
    shared.set(.planeOrientationSequence, [orientation])
    return shared
  }

  /// Whether an element is one number as DICOM stores it (PS3.5 6.2).
  private static func isDecimal(_ element: DataElement) -> Bool {
    guard case .text(let bytes) = element.value, bytes.count <= 16 else { return false }
    let text = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespaces)
    return Double(text)?.isFinite == true
  }

  private func frameGroups(_ frame: SegmentFrames.Frame) -> Dataset {
    let place = (frames.slices.firstIndex(of: frame.slice) ?? 0) + 1
    var content = Dataset()
    content.set(.dimensionIndexValues, .UL, frame.segmentNumber, place)
    var identification = Dataset()
    identification.set(.referencedSegmentNumber, .US, frame.segmentNumber)
    var groups = Dataset()
    if isPlaced {
      var position = Dataset()
      position[.imagePosition] = source.planes[frame.slice].imagePosition
      groups.set(.planePositionSequence, [position])
    } else {
      content.set(.stackID, .SH, "1")
      content.set(.inStackPositionNumber, .UL, place)
    }
    groups.set(.frameContentSequence, [content])
    groups.set(.segmentIdentificationSequence, [identification])
    groups.set(.derivationImageSequence, [derivation(from: stack.frames[frame.slice])])
    return groups
  }

  private func derivation(from image: ImageFrame) -> Dataset {
    let purpose = CodedConcept(
      value: "121322", scheme: "DCM", meaning: "Source image for image processing operation")
    var reference = Dataset()
    reference.set(.referencedSOPClassUID, .UI, image.sopClassUID)
    reference.set(.referencedSOPInstanceUID, .UI, image.sopInstanceUID)
    if let number = image.frameNumber { reference.set(.referencedFrameNumber, .IS, "\(number)") }
    reference.set(.purposeOfReferenceCodeSequence, [code(purpose)])
    // A tile is not where its pixels are in the mosaic.
    reference.set(.spatialLocationsPreserved, .CS, image.mosaicTile == nil ? "YES" : "NO")
    let segmentation = CodedConcept(value: "113076", scheme: "DCM", meaning: "Segmentation")
    var derivation = Dataset()
    derivation.set(.derivationCodeSequence, [code(segmentation)])
    derivation.set(.sourceImageSequence, [reference])
    return derivation
  }

  // MARK: Pixels

  private func pixels(_ labels: LabelVolume) -> [UInt8] {
    let frameSize = stack.grid.rows * stack.grid.columns
    let frames = frames.frames
    var bytes = BitPlanes.buffer(pixels: frameSize * frames.count)
    bytes.withUnsafeMutableBufferPointer { bytes in
      labels.labels.withUnsafeBufferPointer { labels in
        // Frames of whole bytes are each written by one thread.
        nonisolated(unsafe) let (target, source) = (bytes, labels)
        let isWhole = frameSize % 8 == 0
        inParallel(frames.count, worthwhile: isWhole && labels.count > 100_000) { share in
          for index in share {
            let frame = frames[index]
            let start = frame.slice * frameSize
            BitPlanes.set(
              UnsafeBufferPointer(rebasing: source[start..<start + frameSize]), frame.holds,
              from: index * frameSize, in: target)
          }
        }
      }
    }
    return bytes
  }
}
