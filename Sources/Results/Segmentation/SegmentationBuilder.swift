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
  let form: SegmentationForm

  private var text: PlainText {
    PlainText(characterSet: source.header.texts(.specificCharacterSet))
  }

  func dataset() throws(UncopiedAttribute) -> Dataset {
    var dataset = Dataset()
    let header = ResultHeader(source: source.header, origin: origin, identifiers: identifiers)
    try header.add(
      to: &dataset, sopClassUID: form.sopClassUID, modality: "SEG",
      studyInstanceUID: stack.frames[0].studyInstanceUID,
      kind: form.seriesKind)
    dataset.addFrameOfReference(of: stack, source: source.header)
    addContent(&dataset)
    addImage(&dataset)
    addDimensions(&dataset)
    let segments = SegmentItems(origin: origin, identifiers: identifiers, text: text)
    dataset.set(
      .segmentSequence,
      (form == .labelMap ? [segments.background] : [])
        + frames.segments.enumerated().map { segments.item($1, number: $0 + 1) })
    let groups = FrameGroups(stack: stack, source: source, slices: frames.slices)
    dataset.set(.sharedFunctionalGroups, [groups.shared])
    dataset.set(.perFrameFunctionalGroups, frames.frames.map(groups.item))
    // Also the images without a frame here.
    dataset.set(.referencedSeriesSequence, ReferencedImages.items(stack.frames))
    return dataset
  }

  private func addContent(_ dataset: inout Dataset) {
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
    let bits = form == .binary ? 1 : 8
    dataset.set(.bitsAllocated, .US, bits)
    dataset.set(.bitsStored, .US, bits)
    dataset.set(.highBit, .US, bits - 1)
    dataset.set(.pixelRepresentation, .US, 0)
    if form == .labelMap { dataset.set(.pixelPaddingValue, .US, 0) }
    dataset.set(.numberOfFrames, .IS, "\(frames.frames.count)")
    dataset.set(.segmentationType, .CS, form.segmentationType)
    if form == .fractional {
      dataset.set(.segmentationFractionalType, .CS, "PROBABILITY")
      dataset.set(.maximumFractionalValue, .US, 255)
    }
    // Where two segments are probable is no overlap, and no separation.
    dataset.set(
      .segmentsOverlap, .CS,
      form == .fractional ? "UNDEFINED" : frames.segments.canOverlap ? "YES" : "NO")
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
    let segment = dimension(
      .referencedSegmentNumber, in: .segmentIdentificationSequence, "Segment number")
    dataset.set(
      .dimensionIndexSequence,
      (form == .labelMap ? [] : [segment])
        + [dimension(.imagePosition, in: .planePositionSequence, "Image position")])
  }

  private func dimension(_ tag: Tag, in group: Tag, _ label: String) -> Dataset {
    var dimension = Dataset()
    dimension.set(.dimensionOrganizationUID, .UI, identifiers.dimensionOrganizationUID)
    dimension.set(.dimensionIndexPointer, .AT, Int(tag.rawValue))
    dimension.set(.functionalGroupPointer, .AT, Int(group.rawValue))
    dimension.set(.dimensionDescriptionLabel, .LO, label)
    return dimension
  }
}
