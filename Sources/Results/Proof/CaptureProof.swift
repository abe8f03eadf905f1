import DICOM
import Foundation
import Terminology
import Volumes
import Wording

/// The proof of a secondary capture: it is read back from disk and compared, attribute by attribute and pixel by
/// pixel, with the labels and the files of the source images, which are read anew.
///
/// It shares no code with the drawing and the writer but the reading of files. What the words in a picture say is
/// not read, only that there are some; the object's series says that it is for research too.
struct CaptureProof {
  private let object: CaptureObject
  private let path: String

  init(_ object: CaptureObject, path: String) {
    self.object = object
    self.path = path
  }

  private var slices: Range<Int>? {
    if case .frames(_, let slices) = object.content { slices } else { nil }
  }

  /// - Throws: ``ProofError`` at the first thing that differs.
  func prove() throws(ProofError) {
    let written = try WrittenObject(path)
    try written.proveFileMetaInformation()
    try ModelProof(path, object.origin).prove(object.segments, are: .labels)
    let source = try IdentityProof(
      written, stack: object.stack,
      withoutPlace: slices == nil ? [.positionReferenceIndicator] : []
    ).prove()
    try HeaderProof(
      written, origin: object.origin, identifiers: object.identifiers, source: source,
      seriesKind: "contours"
    ).prove()
    try proveFixedValues(written, source)
    try proveLoss(written, source)
    try proveReferences(written)
    try proveNothingElse(written, source)
    switch object.content {
    case .frames(let images, let slices):
      let frames = try CaptureFrameProof(written, object).prove(images, slices)
      try prove(written, frames.map { [$0] }, notice: images.noticeRows)
    case .frame(let images, let slice):
      try proveSingle(written, images, slice)
      try prove(written, [[images.tile(slice)]], notice: images.noticeRows)
    case .page(let page, _):
      try written.expect(
        written.dataset[.patientOrientation]?.isEmpty == true, .patientOrientation,
        "is that of one of several planes")
      try CaptureFrameProof(written, object).proveSources(
        of: written.dataset, object.source.frames, frame: nil)
      try proveEachIsShown(page, written)
      try prove(written, [page.tiles], notice: page.noticeRows)
    }
  }

  // MARK: Attributes

  private func proveFixedValues(
    _ written: WrittenObject, _ source: SourceRecord
  ) throws(ProofError) {
    let dataset = written.dataset
    for (tag, wanted) in [
      (
        Tag.sopClassUID,
        slices == nil ? "1.2.840.10008.5.1.4.1.1.7" : "1.2.840.10008.5.1.4.1.1.7.4"
      ), (.modality, "OT"), (.imageType, "DERIVED\\SECONDARY"), (.conversionType, "WSD"),
      (.photometricInterpretation, "RGB"),
      (.burnedInAnnotation, source.saysBurnedInAnnotation ? "YES" : "NO"),
      (.studyInstanceUID, object.source.frames.first?.studyInstanceUID ?? ""),
    ] { try written.expect(dataset.text(tag) == wanted, tag, "is not \(wanted)") }
    for (tag, wanted) in [
      (Tag.samplesPerPixel, 3), (.planarConfiguration, 0), (.rows, object.size.rows),
      (.columns, object.size.columns), (.bitsAllocated, 8), (.bitsStored, 8), (.highBit, 7),
      (.pixelRepresentation, 0),
    ] { try written.expect(dataset.integers(tag) == [wanted], tag, "is not \(wanted)") }
  }

  private func proveLoss(
    _ written: WrittenObject, _ source: SourceRecord
  ) throws(ProofError) {
    try written.expect(
      written.dataset.text(.lossyImageCompression) == (source.lossyFile == nil ? "00" : "01"),
      .lossyImageCompression, "is not what the source images say")
    guard let file = source.lossyFile else { return }
    let lossy: Dataset
    do { lossy = try DICOMFile(path: file).dataset } catch { throw .unreadable(error) }
    try written.expect(
      areSame(
        written.dataset.reals(.lossyImageCompressionRatio),
        lossy.reals(.lossyImageCompressionRatio)),
      .lossyImageCompressionRatio, "is not the source image's")
    try written.expect(
      written.dataset.texts(.lossyImageCompressionMethod)
        == lossy.texts(.lossyImageCompressionMethod),
      .lossyImageCompressionMethod, "is not the source image's")
  }

  private func proveReferences(_ written: WrittenObject) throws(ProofError) {
    var frames = object.stack.frames
    if case .frame = object.content { frames = Array(frames.prefix(1)) }
    var due: Set<[String]> = []
    for frame in frames {
      due.insert([frame.seriesInstanceUID, frame.sopClassUID, frame.sopInstanceUID])
    }
    var found: [[String]] = []
    for series in written.dataset.items(.referencedSeriesSequence) {
      try written.expect(only: [.seriesInstanceUID, .referencedInstanceSequence], in: series)
      for instance in series.items(.referencedInstanceSequence) {
        try written.expect(only: [.referencedSOPClassUID, .referencedSOPInstanceUID], in: instance)
        found.append(
          [
            series.text(.seriesInstanceUID), instance.text(.referencedSOPClassUID),
            instance.text(.referencedSOPInstanceUID),
          ].map { $0 ?? "" })
      }
    }
    try written.expect(
      found.count == due.count && Set(found) == due, .referencedSeriesSequence,
      "does not name exactly the source images")
  }

  /// Every attribute must be accounted for.
  private func proveNothingElse(
    _ written: WrittenObject, _ source: SourceRecord
  ) throws(ProofError) {
    var own: Set<Tag> = [
      .conversionType, .imageType, .samplesPerPixel, .photometricInterpretation,
      .planarConfiguration, .rows, .columns, .bitsAllocated, .bitsStored, .highBit,
      .pixelRepresentation, .burnedInAnnotation, .lossyImageCompression, .patientOrientation,
      .referencedSeriesSequence,
    ]
    if source.lossyFile != nil {
      own.formUnion([.lossyImageCompressionRatio, .lossyImageCompressionMethod])
    }
    switch object.content {
    case .frames:
      own.formUnion([
        .frameOfReferenceUID, .numberOfFrames, .frameIncrementPointer, .sharedFunctionalGroups,
        .perFrameFunctionalGroups,
      ])
    case .frame: own.formUnion([.pixelSpacing, .derivationCodeSequence, .sourceImageSequence])
    case .page: own.formUnion([.derivationCodeSequence, .sourceImageSequence])
    }
    let known = own.union(HeaderProof.tags).union(IdentityProof.texts)
      .union(IdentityProof.sequences)
    if let tag = written.dataset.elements.keys.filter({ !known.contains($0) }).min() {
      throw written.differs(tag, "is not expected")
    }
  }

  private func proveSingle(
    _ written: WrittenObject, _ images: CaptureFrames, _ slice: Int
  ) throws(ProofError) {
    let proof = CaptureFrameProof(written, object)
    let tile = images.tile(slice)
    try proof.proveSources(of: written.dataset, [object.source.frames[slice]], frame: nil)
    try proof.proveOrientation(tile.geometry.across, tile.geometry.down)
    let spacing = written.dataset.reals(.pixelSpacing)
    let size = (tile.geometry.across * tile.geometry.across).sum().squareRoot()
    try written.expect(
      areSame(spacing, [size, size]), .pixelSpacing, "is not that of the picture")
  }

  // MARK: Pixels

  /// Each label that was found must be in one of the planes of a page.
  private func proveEachIsShown(
    _ page: KeyPage, _ written: WrittenObject
  ) throws(ProofError) {
    let grid = object.labels.grid
    var missing = Set(object.labels.labels)
    missing.remove(0)
    for tile in page.tiles where !missing.isEmpty {
      let strides = [grid.rows * grid.columns, grid.columns, 1]
      let counts = [grid.slices, grid.rows, grid.columns]
      let others = (0..<3).filter { $0 != tile.normal }
      for a in 0..<counts[others[0]] {
        for b in 0..<counts[others[1]] {
          let voxel =
            tile.index * strides[tile.normal] + a * strides[others[0]] + b * strides[others[1]]
          missing.remove(object.labels.labels[voxel])
        }
      }
    }
    try written.expect(
      missing.isEmpty, .pixelData, "does not show label \(missing.min() ?? 0), which was found")
  }

  /// - Parameters:
  ///   - tiles: those of each frame.
  ///   - notice: the rows of each frame that have text in them.
  private func prove(
    _ written: WrittenObject, _ tiles: [[PlacedTile]], notice: Range<Int>
  ) throws(ProofError) {
    guard let pixels = written.pixels else { throw written.differs(.pixelData, "is absent") }
    let (columns, rows) = object.size
    let size = columns * rows * 3
    let due = size * tiles.count
    try written.expect(
      pixels.count == due + due % 2, .pixelData,
      "\(counted(pixels.count, "byte")) where \(counted(due, "is", "are")) due")
    let images = try ShownSource(object)
    do {
      let reader = try pixels.open()
      // Some pictures at a time, each looked at by one thread.
      for start in stride(from: 0, to: tiles.count, by: 8) {
        let range = start..<min(start + 8, tiles.count)
        let bytes = Array(try reader.read(range.lowerBound * size..<range.upperBound * size))
        let faults = CollectedFaults()
        inParallel(range.count, worthwhile: true) { share in
          for index in share {
            let picture = PictureBytes(
              bytes: bytes[index * size..<(index + 1) * size], columns: columns, rows: rows)
            let fault =
              picture.lacksText(notice)
              ?? tiles[range.lowerBound + index].lazy.compactMap {
                images.fault(of: picture, at: $0)
              }.first
            if let fault { faults.add(fault, at: range.lowerBound + index) }
          }
        }
        if let (frame, reason) = faults.first {
          throw written.differs(.pixelData, reason, frame: slices == nil ? nil : frame)
        }
      }
    } catch let error as DICOMError { throw .unreadable(error) } catch let error as ProofError {
      throw error
    } catch { throw written.differs(.pixelData, "\(error)") }
  }
}

/// The proof of the functional groups of a capture: that each frame is of the image and at the place that it has
/// to be.
struct CaptureFrameProof {
  private let written: WrittenObject
  private let object: CaptureObject

  init(_ written: WrittenObject, _ object: CaptureObject) {
    self.written = written
    self.object = object
  }

  /// - Parameters:
  ///   - images: the pictures.
  ///   - slices: those that have one.
  /// - Returns: where each frame shows its slice, by what the object says of its place.
  /// - Throws: ``ProofError`` at the first thing that differs.
  func prove(
    _ images: CaptureFrames, _ slices: Range<Int>
  ) throws(ProofError) -> [PlacedTile] {
    let dataset = written.dataset
    try written.expect(
      dataset.integers(.numberOfFrames) == [slices.count], .numberOfFrames,
      "is not \(slices.count)")
    try written.expect(
      dataset.integers(.frameIncrementPointer) == [0x5200_9230], .frameIncrementPointer,
      "does not point to the frames' groups")
    let series = object.source.frames.first?.seriesInstanceUID ?? ""
    let stated = Set(object.source.frames.map(\.frameOfReferenceUID))
    let shared = stated.count == 1 ? stated.first ?? "" : ""
    try written.expect(
      dataset.text(.frameOfReferenceUID)
        == (DICOMUID.isValid(shared) ? shared : DICOMUID.named("frame of reference/\(series)")),
      .frameOfReferenceUID, "is not the source's")
    let (across, down) = try steps()
    try proveOrientation(across, down)
    let groups = dataset.items(.perFrameFunctionalGroups)
    try written.expect(
      groups.count == slices.count, .perFrameFunctionalGroups,
      "\(counted(groups.count, "frame")) where \(counted(slices.count, "is", "are")) due")
    var tiles: [PlacedTile] = []
    for (index, (group, slice)) in zip(groups, slices).enumerated() {
      try written.expect(
        only: [.planePositionSequence, .derivationImageSequence], in: group, frame: index)
      let derivation = try written.item(.derivationImageSequence, of: group, frame: index)
      try written.expect(
        only: [.derivationCodeSequence, .sourceImageSequence], in: derivation, frame: index)
      try proveSources(of: derivation, [object.source.frames[slice]], frame: index)
      let place = try written.item(.planePositionSequence, of: group, frame: index)
      try written.expect(only: [.imagePosition], in: place, frame: index)
      let position = place.reals(.imagePosition)
      try written.expect(
        position.count == 3, .imagePosition, "is not three numbers", frame: index)
      let drawn = images.tile(slice)
      let corner = SIMD3(position[0], position[1], position[2])
      let origin = corner + Double(drawn.left) * across + Double(drawn.top) * down
      try written.expect(
        Self.distance(origin, from: object.source.frames[slice]) < 0.01, .imagePosition,
        "is not in the plane of the source image", frame: index)
      // What the object says of the place, and not what was drawn, says which voxels have to be there.
      var tile = drawn
      tile.geometry = drawn.geometry.placed(origin: origin, across: across, down: down)
      tiles.append(tile)
    }
    return tiles
  }

  /// The steps in mm to the next pixel on the right and below, as the object states them.
  private func steps() throws(ProofError) -> (SIMD3<Double>, SIMD3<Double>) {
    let shared = try written.item(.sharedFunctionalGroups, of: written.dataset)
    try written.expect(only: [.pixelMeasuresSequence, .planeOrientationSequence], in: shared)
    let measures = try written.item(.pixelMeasuresSequence, of: shared)
    try written.expect(only: [.pixelSpacing, .sliceThickness], in: measures)
    let spacing = measures.reals(.pixelSpacing)
    try written.expect(
      spacing.count == 2 && spacing[0] == spacing[1] && spacing[0] > 0, .pixelSpacing,
      "is not that of square pixels")
    let step = object.source.grid.affine.stepAlongNormal
    let thickness = measures.reals(.sliceThickness)
    try written.expect(
      thickness.count == 1 && abs(thickness[0] - step) <= 1e-4 * step, .sliceThickness,
      "is not the step between the source images")
    let orientation = try written.item(.planeOrientationSequence, of: shared)
    try written.expect(only: [.imageOrientation], in: orientation)
    let cosines = orientation.reals(.imageOrientation)
    try written.expect(cosines.count == 6, .imageOrientation, "is not six numbers")
    let (across, down) = (
      SIMD3(cosines[0], cosines[1], cosines[2]), SIMD3(cosines[3], cosines[4], cosines[5])
    )
    try written.expect(
      abs((across * across).sum() - 1) < 1e-4 && abs((down * down).sum() - 1) < 1e-4
        && abs((across * down).sum()) < 1e-4, .imageOrientation, "is not two directions")
    return (across * spacing[1], down * spacing[0])
  }

  /// Patient Orientation (0020,0020) must begin with the letters of the nearest directions.
  func proveOrientation(_ across: SIMD3<Double>, _ down: SIMD3<Double>) throws(ProofError) {
    let letters = written.dataset.texts(.patientOrientation)
    let nearest = [across, down].map { vector -> String in
      let sizes = [abs(vector.x), abs(vector.y), abs(vector.z)]
      let axis = sizes.firstIndex(of: sizes.max() ?? 0) ?? 0
      return String(["RL", "AP", "FH"][axis].dropFirst(vector[axis] > 0 ? 1 : 0).prefix(1))
    }
    // Between two directions either may be the first.
    try written.expect(
      letters.count == 2 && zip(letters, nearest).allSatisfy { $0.contains($1) },
      .patientOrientation, "is not that of the picture")
  }

  /// The items that name the images that a picture is of.
  func proveSources(
    of item: Dataset, _ images: [ImageFrame], frame: Int?
  ) throws(ProofError) {
    try written.expect(
      CodedConcept(value: "113085", scheme: "DCM", meaning: "Spatial resampling"),
      .derivationCodeSequence, in: item, frame: frame)
    let references = item.items(.sourceImageSequence)
    if references.count != images.count {
      throw written.differs(
        .sourceImageSequence, "\(counted(references.count, "item")) for \(images.count)",
        frame: frame)
    }
    for (reference, image) in zip(references, images) {
      try prove(reference, image, frame: frame)
    }
  }

  private func prove(
    _ reference: Dataset, _ image: ImageFrame, frame: Int?
  ) throws(ProofError) {
    for (tag, wanted) in [
      (Tag.referencedSOPClassUID, image.sopClassUID),
      (.referencedSOPInstanceUID, image.sopInstanceUID), (.spatialLocationsPreserved, "NO"),
    ] {
      if reference.text(tag) != wanted {
        throw written.differs(tag, "is not the source image's", frame: frame)
      }
    }
    if reference.integers(.referencedFrameNumber) != [image.frameNumber].compactMap(\.self) {
      throw written.differs(.referencedFrameNumber, "is not the source image's", frame: frame)
    }
    try written.expect(
      CodedConcept(
        value: "121322", scheme: "DCM", meaning: "Source image for image processing operation"),
      .purposeOfReferenceCodeSequence, in: reference, frame: frame)
    var tags: Set<Tag> = [
      .referencedSOPClassUID, .referencedSOPInstanceUID, .purposeOfReferenceCodeSequence,
      .spatialLocationsPreserved,
    ]
    if image.frameNumber != nil { tags.insert(.referencedFrameNumber) }
    try written.expect(only: tags, in: reference, frame: frame)
  }

  /// Distance in mm of a point from the plane of an image.
  private static func distance(_ point: SIMD3<Double>, from image: ImageFrame) -> Double {
    let (o, p) = (image.imageOrientation, image.imagePosition)
    guard o.count == 6, p.count == 3 else { return .infinity }
    let normal = SIMD3(
      o[1] * o[5] - o[2] * o[4], o[2] * o[3] - o[0] * o[5], o[0] * o[4] - o[1] * o[3])
    let size = (normal * normal).sum().squareRoot()
    return abs(((point - SIMD3(p[0], p[1], p[2])) * normal).sum()) / max(size, 1e-6)
  }
}
