import DICOM
import Terminology
import Volumes

/// Builds the dataset of a secondary capture, all but its pixels.
struct CaptureBuilder {
  /// What objects of one frame have no place for (PS3.3 A.8.1).
  static let withoutPlace: Set<Tag> = [.positionReferenceIndicator]

  private let object: CaptureObject
  private let source: SourceImages

  init(_ object: CaptureObject, source: SourceImages) {
    self.object = object
    self.source = source
  }

  func dataset() throws(UncopiedAttribute) -> Dataset {
    var dataset = Dataset()
    let header = ResultHeader(
      source: source.header, origin: object.origin, identifiers: object.identifiers)
    let isMultiFrame = if case .frames = object.content { true } else { false }
    try header.add(
      to: &dataset,
      sopClassUID: isMultiFrame
        ? CaptureStorage.multiFrameSOPClassUID : CaptureStorage.singleFrameSOPClassUID,
      modality: "OT", studyInstanceUID: object.stack.frames[0].studyInstanceUID,
      kind: "contours")
    // Type 2C, of paired organs (PS3.3 C.7.3.1): without a value where it is not known of which side.
    if dataset[.laterality] == nil, !dataset.isOfUnpairedBodyPart {
      dataset[.laterality] = DataElement(.CS, .text([]))
    }
    addImage(&dataset)
    switch object.content {
    case .frames(let images, let slices): addFrames(images, slices, to: &dataset)
    case .frame(let images, let slice):
      let tile = images.tile(slice).geometry
      addOrientation(tile, to: &dataset)
      dataset.set(.pixelSpacing, .DS, spacing(tile))
      addDerivation(&dataset, from: [object.stack.frames[0]])
    case .page:
      dataset[.patientOrientation] = DataElement(.CS, .text([]))
      addDerivation(&dataset, from: object.stack.frames)
    }
    dataset.set(.referencedSeriesSequence, referencedSeries)
    return dataset
  }

  private func addImage(_ dataset: inout Dataset) {
    dataset.set(.conversionType, .CS, "WSD")
    dataset.set(.imageType, .CS, ["DERIVED", "SECONDARY"])
    dataset.set(.samplesPerPixel, .US, 3)
    dataset.set(.photometricInterpretation, .CS, "RGB")
    dataset.set(.planarConfiguration, .US, 0)
    dataset.set(.rows, .US, object.size.rows)
    dataset.set(.columns, .US, object.size.columns)
    dataset.set(.bitsAllocated, .US, 8)
    dataset.set(.bitsStored, .US, 8)
    dataset.set(.highBit, .US, 7)
    dataset.set(.pixelRepresentation, .US, 0)
    // They show the images' pixels, with what a scanner burned into these.
    dataset.set(.burnedInAnnotation, .CS, source.hasBurnedInAnnotation ? "YES" : "NO")
    // Derived from lossy images means lossy (PS3.3 C.7.6.1.1.5).
    dataset.set(.lossyImageCompression, .CS, source.lossyHeader == nil ? "00" : "01")
    for tag in [Tag.lossyImageCompressionRatio, .lossyImageCompressionMethod] {
      guard let element = source.lossyHeader?[tag], !element.isEmpty else { continue }
      dataset[tag] = element.withinDecimalStrings
    }
  }

  private func spacing(_ tile: TileGeometry) -> [String] {
    [String](repeating: PlainText.decimal(1 / tile.scale), count: 2)
  }

  private func addOrientation(_ tile: TileGeometry, to dataset: inout Dataset) {
    dataset.set(
      .patientOrientation, .CS,
      [PatientLetters.text(tile.across), PatientLetters.text(tile.down)])
  }

  // MARK: Frames

  private func addFrames(
    _ images: CaptureFrames, _ slices: Range<Int>, to dataset: inout Dataset
  ) {
    let first = images.tile(slices.lowerBound).geometry
    addOrientation(first, to: &dataset)
    dataset.set(.frameOfReferenceUID, .UI, object.stack.frameOfReferenceUIDOfResult)
    dataset[.positionReferenceIndicator] =
      source.header[.positionReferenceIndicator] ?? DataElement(.LO, .text([]))
    dataset.set(.numberOfFrames, .IS, "\(slices.count)")
    dataset.set(.frameIncrementPointer, .AT, Int(Tag.perFrameFunctionalGroups.rawValue))
    var measures = Dataset()
    measures.set(.pixelSpacing, .DS, spacing(first))
    measures.set(
      .sliceThickness, .DS, PlainText.decimal(object.stack.grid.affine.stepAlongNormal))
    var orientation = Dataset()
    let cosines = [first.across, first.down].flatMap { step in
      let direction = step / max(length(step), .leastNormalMagnitude)
      return [direction.x, direction.y, direction.z]
    }
    orientation.set(.imageOrientation, .DS, cosines.map(Self.decimal))
    var shared = Dataset()
    shared.set(.pixelMeasuresSequence, [measures])
    shared.set(.planeOrientationSequence, [orientation])
    dataset.set(.sharedFunctionalGroups, [shared])
    dataset.set(
      .perFrameFunctionalGroups,
      slices.map { slice in
        var position = Dataset()
        let origin = images.origin(slice)
        position.set(.imagePosition, .DS, [origin.x, origin.y, origin.z].map(Self.decimal))
        var derivation = Dataset()
        addDerivation(&derivation, from: [object.stack.frames[slice]])
        var groups = Dataset()
        groups.set(.planePositionSequence, [position])
        groups.set(.derivationImageSequence, [derivation])
        return groups
      })
  }

  private static func decimal(_ value: Double) -> String {
    PlainText.decimal(abs(value) < 1e-9 ? 0 : value)
  }

  private func addDerivation(_ dataset: inout Dataset, from images: [ImageFrame]) {
    dataset.set(
      .derivationCodeSequence,
      [Self.code(CodedConcept(value: "113085", scheme: "DCM", meaning: "Spatial resampling"))])
    dataset.set(.sourceImageSequence, images.map(Self.reference))
  }

  private static func code(_ concept: CodedConcept) -> Dataset {
    concept.item { PlainText.ascii($0, to: $1) }
  }

  private static func reference(to image: ImageFrame) -> Dataset {
    var reference = Dataset()
    reference.set(.referencedSOPClassUID, .UI, image.sopClassUID)
    reference.set(.referencedSOPInstanceUID, .UI, image.sopInstanceUID)
    if let number = image.frameNumber { reference.set(.referencedFrameNumber, .IS, "\(number)") }
    reference.set(
      .purposeOfReferenceCodeSequence,
      [
        code(
          CodedConcept(
            value: "121322", scheme: "DCM",
            meaning: "Source image for image processing operation"))
      ])
    reference.set(.spatialLocationsPreserved, .CS, "NO")
    return reference
  }

  /// The images that the object is of, by their series (PS3.3 C.12.4).
  private var referencedSeries: [Dataset] {
    var frames = object.stack.frames
    if case .frame = object.content { frames = [frames[0]] }
    return ReferencedImages.items(frames)
  }
}
