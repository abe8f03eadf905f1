import DICOM
import Terminology

/// Writes the items of Segment Sequence (0062,0002) (PS3.3 C.8.20.4).
struct SegmentItems {
  let origin: ResultOrigin
  let identifiers: ResultIdentifiers
  let text: PlainText

  func item(_ description: SegmentDescription, number: Int) -> Dataset {
    var segment = Dataset()
    segment.set(.segmentNumber, .US, number)
    segment.set(.segmentLabel, .LO, text.limited(description.name, to: 64))
    if !origin.remarks.isEmpty {
      let remarks = "Warning: " + origin.remarks.joined(separator: "; ")
      segment.set(.segmentDescription, .ST, text.limited(remarks, to: 1024))
    }
    segment.set(.segmentAlgorithmType, .CS, "AUTOMATIC")
    segment.set(.segmentAlgorithmName, .LO, text.limited(origin.modelName, to: 64))
    segment.set(.segmentedPropertyCategoryCodeSequence, [code(description.category)])
    var type = code(description.type)
    if let modifier = description.modifier {
      type.set(.segmentedPropertyTypeModifierCodeSequence, [code(modifier)])
    }
    segment.set(.segmentedPropertyTypeCodeSequence, [type])
    if let region = description.anatomicRegion {
      segment.set(.anatomicRegionSequence, [code(region)])
    }
    segment.set(.segmentationAlgorithmIdentificationSequence, [algorithm])
    segment.set(.trackingID, .UT, text.limited(description.name, to: 64))
    segment.set(.trackingUID, .UI, identifiers.trackingUID(ofSegment: number))
    let lab = CIELab.scaled(
      red: description.color[0], green: description.color[1], blue: description.color[2])
    segment.set(.recommendedDisplayCIELabValue, .US, lab[0], lab[1], lab[2])
    return segment
  }

  /// What has no segment, as a label map describes it (PS3.3 C.8.20.2.3.3, CID 7150).
  var background: Dataset {
    let concept = CodedConcept(value: "125040", scheme: "DCM", meaning: "Background")
    var segment = Dataset()
    segment.set(.segmentNumber, .US, 0)
    segment.set(.segmentLabel, .LO, concept.meaning)
    segment.set(.segmentAlgorithmType, .CS, "AUTOMATIC")
    segment.set(.segmentAlgorithmName, .LO, text.limited(origin.modelName, to: 64))
    segment.set(.segmentedPropertyCategoryCodeSequence, [code(concept)])
    segment.set(.segmentedPropertyTypeCodeSequence, [code(concept)])
    let lab = CIELab.scaled(red: 0, green: 0, blue: 0)
    segment.set(.recommendedDisplayCIELabValue, .US, lab[0], lab[1], lab[2])
    return segment
  }

  private var algorithm: Dataset {
    let family = CodedConcept(value: "123109", scheme: "DCM", meaning: "Artificial Intelligence")
    var algorithm = Dataset()
    algorithm.set(.algorithmFamilyCodeSequence, [code(family)])
    algorithm.set(.algorithmName, .LO, text.limited(origin.modelName, to: 64))
    algorithm.set(.algorithmVersion, .LO, text.limited(origin.modelVersion, to: 64))
    return algorithm
  }

  private func code(_ concept: CodedConcept) -> Dataset {
    concept.item { text.limited($0, to: $1) }
  }
}
