import Volumes

extension DICOMFile {
  /// The images of the file as their attributes describe them: one for a classic instance, one per
  /// frame for an enhanced CT or MR instance. Attributes that are absent or not numbers stay empty.
  ///
  /// - Throws: ``DICOMError`` where a multi-frame instance does not describe each of its frames.
  public func imageFrames() throws(DICOMError) -> [ImageFrame] {
    let instance = instanceFrame()
    let isMultiFrame = hasFunctionalGroups
    return try frameAttributes().enumerated().map { index, attributes in
      var frame = instance
      frame.frameNumber = isMultiFrame ? index + 1 : nil
      fillPlane(&frame, attributes)
      fillValues(&frame, attributes)
      fillDiscriminators(&frame, attributes, isMultiFrame: isMultiFrame)
      return frame
    }
  }

  /// What all frames of the instance share.
  private func instanceFrame() -> ImageFrame {
    var frame = ImageFrame()
    frame.sopClassUID = dataset.text(.sopClassUID) ?? ""
    frame.sopInstanceUID = dataset.text(.sopInstanceUID) ?? ""
    frame.studyInstanceUID = dataset.text(.studyInstanceUID) ?? ""
    frame.seriesInstanceUID = dataset.text(.seriesInstanceUID) ?? ""
    frame.frameOfReferenceUID = dataset.text(.frameOfReferenceUID) ?? ""
    frame.patientID = dataset.text(.patientID) ?? ""
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
    let measures = attributes.group(.pixelMeasuresSequence)
    frame.imagePosition = attributes.group(.planePositionSequence).reals(.imagePosition)
    frame.imageOrientation = attributes.group(.planeOrientationSequence).reals(.imageOrientation)
    frame.pixelSpacing = measures.reals(.pixelSpacing)
    frame.sliceThickness = measures.real(.sliceThickness)
  }

  private func fillValues(_ frame: inout ImageFrame, _ attributes: FrameAttributes) {
    let transformation = attributes.group(.pixelValueTransformationSequence)
    frame.rescaleSlope = transformation.real(.rescaleSlope)
    frame.rescaleIntercept = transformation.real(.rescaleIntercept)
    frame.rescaleType = transformation.text(.rescaleType)
  }

  /// What tells volumes apart when positions repeat.
  private func fillDiscriminators(
    _ frame: inout ImageFrame, _ attributes: FrameAttributes, isMultiFrame: Bool
  ) {
    let content = attributes.group(.frameContentSequence)
    let diffusion = attributes.group(.mrDiffusionSequence)
    frame.acquisitionNumber =
      content.integer(.frameAcquisitionNumber) ?? dataset.integer(.acquisitionNumber)
    frame.echoTime =
      attributes.group(.mrEchoSequence).real(.effectiveEchoTime) ?? dataset.real(.echoTime)
    frame.triggerTime =
      attributes.group(.cardiacSynchronizationSequence).real(.nominalCardiacTriggerDelayTime)
      ?? dataset.real(.triggerTime)
    frame.temporalPosition =
      content.integer(.temporalPositionIndex) ?? dataset.integer(.temporalPositionIdentifier)
    frame.bValue = diffusion.real(.diffusionBValue) ?? privateBValue()
    frame.acquisitionTime =
      content.text(.frameAcquisitionDateTime) ?? dataset.text(.acquisitionTime)
    frame.convolutionKernel =
      attributes.group(.ctReconstructionSequence).text(.convolutionKernel)
    if isMultiFrame {
      let types = attributes.group(.mrImageFrameTypeSequence).texts(.frameType)
      let frameType =
        types.isEmpty ? attributes.group(.ctImageFrameTypeSequence).texts(.frameType) : types
      if !frameType.isEmpty { frame.imageType = frameType }
    }
  }

  /// The b-value in s/mm² where only the vendor's private attributes hold it. GE adds 10⁹ to it in
  /// some versions.
  private func privateBValue() -> Double? {
    if let value = dataset.real(.siemensBValue) { return value }
    if let value = dataset.real(.philipsBValue) { return value }
    return dataset.real(.geBValue).map { $0.truncatingRemainder(dividingBy: 1e9) }
  }
}
