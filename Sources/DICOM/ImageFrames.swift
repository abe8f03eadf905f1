import Volumes

extension DICOMFile {
  /// The images of the file as their attributes describe them: one for a classic instance, one per
  /// frame for an enhanced instance, one per tile for a Siemens mosaic or a United Imaging grid.
  /// Attributes that are absent or not numbers stay empty.
  ///
  /// - Throws: ``DICOMError`` where a multi-frame instance does not describe each of its frames, or
  ///   is of a class that has no planes.
  public func imageFrames() throws(DICOMError) -> [ImageFrame] {
    let instance = instanceFrame()
    guard !ImageStorage.hasNoPlanes(instance.sopClassUID) else {
      throw .unsupportedSOPClass(file: path, uid: instance.sopClassUID)
    }
    let isMultiFrame = hasFunctionalGroups
    let described = try frameAttributes()
    var frames = described.enumerated().map { index, attributes in
      var frame = instance
      frame.frameNumber = isMultiFrame ? index + 1 : nil
      fillPlane(&frame, attributes)
      fillValues(&frame, attributes)
      fillDiscriminators(&frame, attributes)
      if isMultiFrame { fillMultiFrame(&frame, attributes) }
      return frame
    }
    // Numaris X cuts mosaics into frames and still calls them mosaics.
    guard frames.count == 1, let tiles = tiles(of: frames[0], in: described[0]) else {
      return frames
    }
    switch tiles {
    case .success(let tiles): return tiles
    case .failure(let defect):
      frames[0].mosaicDefect = defect.reason
      return frames
    }
  }

  /// What all frames of the instance share.
  private func instanceFrame() -> ImageFrame {
    var frame = ImageFrame()
    frame.file = path
    frame.sopClassUID = dataset.text(.sopClassUID) ?? ""
    frame.sopInstanceUID = dataset.text(.sopInstanceUID) ?? ""
    frame.studyInstanceUID = dataset.text(.studyInstanceUID) ?? ""
    frame.seriesInstanceUID = dataset.text(.seriesInstanceUID) ?? ""
    frame.frameOfReferenceUID = dataset.text(.frameOfReferenceUID) ?? ""
    frame.patientID = dataset.text(.patientID) ?? ""
    frame.patientName = dataset.text(.patientName) ?? ""
    frame.patientBirthDate = dataset.text(.patientBirthDate) ?? ""
    frame.patientSex = dataset.text(.patientSex) ?? ""
    frame.issuerOfPatientID = dataset.text(.issuerOfPatientID) ?? ""
    frame.accessionNumber = dataset.text(.accessionNumber) ?? ""
    frame.studyID = dataset.text(.studyID) ?? ""
    frame.studyDate = dataset.text(.studyDate) ?? ""
    frame.laterality =
      nonEmpty(dataset.text(.laterality)) ?? dataset.text(.imageLaterality) ?? ""
    frame.modality = dataset.text(.modality) ?? ""
    frame.imageType = dataset.texts(.imageType)
    frame.instanceNumber = dataset.integer(.instanceNumber)
    frame.rows = dataset.integer(.rows) ?? 0
    frame.columns = dataset.integer(.columns) ?? 0
    frame.samplesPerPixel = dataset.integer(.samplesPerPixel) ?? 1
    frame.photometricInterpretation = dataset.text(.photometricInterpretation) ?? ""
    frame.bitsAllocated = dataset.integer(.bitsAllocated) ?? 0
    frame.bitsStored = dataset.integer(.bitsStored) ?? 0
    frame.highBit = dataset.integer(.highBit) ?? 0
    frame.isSigned = dataset.integer(.pixelRepresentation) == 1
    frame.pixelPaddingValue = paddingValue(.pixelPaddingValue, isSigned: frame.isSigned)
    frame.pixelPaddingRangeLimit = paddingValue(.pixelPaddingRangeLimit, isSigned: frame.isSigned)
    return frame
  }

  /// A stored value kept in 16 bits: its VR follows the pixel representation but is often wrong.
  private func paddingValue(_ tag: Tag, isSigned: Bool) -> Int? {
    guard let value = dataset.integer(tag) else { return nil }
    let word = UInt16(truncatingIfNeeded: value)
    return isSigned ? Int(Int16(bitPattern: word)) : Int(word)
  }

  private func fillPlane(_ frame: inout ImageFrame, _ attributes: FrameAttributes) {
    frame.imagePosition = attributes.reals(.imagePosition, in: .planePositionSequence)
    frame.imageOrientation = attributes.reals(.imageOrientation, in: .planeOrientationSequence)
    frame.pixelSpacing = attributes.reals(.pixelSpacing, in: .pixelMeasuresSequence)
    frame.sliceThickness = attributes.real(.sliceThickness, in: .pixelMeasuresSequence)
  }

  private func fillValues(_ frame: inout ImageFrame, _ attributes: FrameAttributes) {
    let group = Tag.pixelValueTransformationSequence
    frame.rescaleSlope = attributes.real(.rescaleSlope, in: group)
    frame.rescaleIntercept = attributes.real(.rescaleIntercept, in: group)
    frame.rescaleType = attributes.text(.rescaleType, in: group)
    guard let table = dataset.items(.modalityLUTSequence).first else { return }
    frame.hasModalityLUT = true
    frame.rescaleType = table.text(.modalityLUTType) ?? frame.rescaleType
  }

  /// What tells volumes apart when positions repeat.
  private func fillDiscriminators(_ frame: inout ImageFrame, _ attributes: FrameAttributes) {
    frame.acquisitionNumber =
      attributes.integer(.frameAcquisitionNumber, in: .frameContentSequence)
      ?? dataset.integer(.acquisitionNumber)
    frame.echoTime =
      attributes.real(.effectiveEchoTime, in: .mrEchoSequence) ?? dataset.real(.echoTime)
    frame.echoNumber = dataset.integer(.echoNumbers)
    frame.inversionTime =
      attributes.real(.inversionTimes, in: .mrModifierSequence) ?? dataset.real(.inversionTime)
    frame.triggerTime =
      attributes.real(.nominalCardiacTriggerDelayTime, in: .cardiacSynchronizationSequence)
      ?? dataset.real(.triggerTime)
    frame.cardiacPhase = dataset.reals(.philipsPhase).first
    frame.nominalPercentageOfCardiacPhase =
      attributes.real(.nominalPercentageOfCardiacPhase, in: .cardiacSynchronizationSequence)
      ?? dataset.real(.nominalPercentageOfCardiacPhase)
    frame.temporalPosition =
      attributes.integer(.temporalPositionIndex, in: .frameContentSequence)
      ?? dataset.integer(.temporalPositionIdentifier)
    fillDiffusion(&frame, attributes)
    frame.frameReferenceTime = dataset.real(.frameReferenceTime)
    let dateTime = nonEmpty(attributes.text(.frameAcquisitionDateTime, in: .frameContentSequence))
    frame.acquisitionTime = dateTime ?? nonEmpty(dataset.text(.acquisitionTime))
    frame.acquisitionDate = dateTime == nil ? nonEmpty(dataset.text(.acquisitionDate)) : nil
    frame.contentTime = nonEmpty(dataset.text(.contentTime))
    frame.contentDate = nonEmpty(dataset.text(.contentDate))
    frame.complexComponent =
      nonEmpty(attributes.text(.complexImageComponent, in: .mrImageFrameTypeSequence))
      ?? geComplexComponent
    // A kernel may have two values (Siemens: name and strength).
    frame.convolutionKernel = nonEmpty(
      attributes.text(.convolutionKernel, in: .ctReconstructionSequence))
    frame.scanOptions = dataset.texts(.scanOptions)
    frame.tubeVoltage = attributes.real(.kvp, in: .ctXRayDetailsSequence)
    frame.contrast = nonEmpty(
      [dataset.text(.contrastBolusAgent), dataset.text(.contrastBolusStartTime)]
        .compactMap(nonEmpty).joined(separator: " "))
  }

  private var geComplexComponent: String? {
    let names = ["MAGNITUDE", "PHASE", "REAL", "IMAGINARY"]
    guard let number = dataset.reals(.geComplexComponent).first.flatMap({ Int(exactly: $0) }),
      names.indices.contains(number)
    else { return nil }
    return names[number]
  }

  /// b-value in s/mm² and gradient direction, by the standard's attributes or a vendor's.
  private func fillDiffusion(_ frame: inout ImageFrame, _ attributes: FrameAttributes) {
    let standard = attributes.real(.diffusionBValue, in: .mrDiffusionSequence)
    // GE adds 10⁹ to it in some versions, and gives a direction also where nothing is diffusion.
    let ge = dataset.reals(.geBValue).first.map { $0.truncatingRemainder(dividingBy: 1e9) }
    let vendors: [PrivateAttribute] = [.siemensBValue, .philipsBValue, .uihBValue]
    frame.bValue =
      standard ?? vendors.lazy.compactMap { dataset.reals($0).first }.first ?? ge
    frame.diffusionDirectionality = nonEmpty(
      attributes.text(.diffusionDirectionality, in: .mrDiffusionSequence))
    guard let bValue = frame.bValue, bValue > 0 else { return }
    let direction = attributes.item(
      .diffusionGradientDirectionSequence, in: .mrDiffusionSequence)
    let candidates = [
      direction.reals(.diffusionGradientOrientation),
      dataset.reals(.diffusionGradientOrientation),
      dataset.reals(.siemensGradientDirection), dataset.reals(.uihGradientDirection),
      PrivateAttribute.philipsGradientDirection.flatMap { dataset.reals($0).prefix(1) },
      PrivateAttribute.geGradientDirection.flatMap { dataset.reals($0).prefix(1) },
    ]
    frame.gradientDirection = candidates.first { $0.count == 3 } ?? []
  }

  /// What only a frame of an enhanced instance has.
  private func fillMultiFrame(_ frame: inout ImageFrame, _ attributes: FrameAttributes) {
    for group in [Tag.mrImageFrameTypeSequence, .ctImageFrameTypeSequence] {
      let types = attributes.texts(.frameType, in: group)
      if !types.isEmpty { frame.imageType = types }
    }
    frame.stackID = nonEmpty(attributes.text(.stackID, in: .frameContentSequence))
    let places: Set<Tag> = [
      .stackID, .inStackPositionNumber, .imagePosition, .imageOrientation,
      .planePositionSequence, .planeOrientationSequence,
    ]
    let pointers = dataset.items(.dimensionIndexSequence).map {
      $0.integer(.dimensionIndexPointer).map { Tag(rawValue: UInt32(truncatingIfNeeded: $0)) }
    }
    let values = attributes.integers(.dimensionIndexValues, in: .frameContentSequence)
    for (pointer, value) in zip(pointers, values) {
      guard let pointer, !places.contains(pointer) else { continue }
      frame.dimensions[pointer.keyword] = value
    }
  }

  private func nonEmpty(_ text: String?) -> String? {
    text.flatMap { $0.isEmpty ? nil : $0 }
  }
}

extension Tag {
  /// The PS3.6 keyword, or the number where the dictionary has none.
  fileprivate var keyword: String {
    description.split(separator: " ", maxSplits: 1).last.map(String.init) ?? description
  }
}
