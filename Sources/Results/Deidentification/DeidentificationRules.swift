import DICOM

/// What becomes of each attribute that our objects have, by the Basic Application Level Confidentiality
/// Profile (PS3.15 E.2, table E.1-1). There is a rule for every one: what has none is not sent.
///
/// Where the profile removes a description or a sequence, and what is in it is ours and says nothing of the
/// patient, it is cleaned instead, as the options for descriptors and structured content do.
enum DeidentificationRules {
  enum Action: Equatable {
    /// K; of a sequence, its items are treated by these rules.
    case keep
    /// X
    case remove
    /// Z
    case empty
    /// Z or D, with a value that says nothing.
    case replace(String)
    /// C: what is said of unusual input is left out.
    case clean
    /// U
    case uid
    /// Z, with what the patient is called instead.
    case pseudonym
  }

  static let removedDate = StatedMoment.unknown.date
  static let removedTime = StatedMoment.unknown.time
  static let removedNumber = "REMOVED"
  /// In the place of what a result says of unusual input, which may name values of it.
  static let warning = "Warning: the result is unusual"

  /// - Returns: nil where there is no rule.
  static func action(_ tag: Tag) -> Action? {
    if tag.isPrivate || removed.contains(tag) { return .remove }
    if let action = others[tag] { return action }
    return kept.contains(tag) ? .keep : nil
  }

  private static let others: [Tag: Action] = {
    var actions: [Tag: Action] = [
      .patientName: .pseudonym, .patientID: .pseudonym,
      .contentDate: .replace(removedDate), .contentTime: .replace(removedTime),
      .deviceSerialNumber: .replace(removedNumber), .segmentDescription: .clean,
      .structureSetDescription: .clean,
    ]
    for tag in [
      Tag.patientBirthDate, .patientSex, .studyDate, .studyTime, .referringPhysicianName, .studyID,
      .accessionNumber, .positionReferenceIndicator, .referencedPerformedProcedureStepSequence,
      .performedProcedureCodeSequence, .structureSetDate, .structureSetTime, .operatorsName,
      .roiInterpreter,
    ] { actions[tag] = .empty }
    for tag in [
      Tag.sopInstanceUID, .studyInstanceUID, .seriesInstanceUID, .frameOfReferenceUID,
      .referencedSOPInstanceUID, .dimensionOrganizationUID, .trackingUID, .uidValue,
      .referencedFrameOfReferenceUID,
    ] { actions[tag] = .uid }
    return actions
  }()

  private static let removed: Set<Tag> = CopiedAttributes.identifying.union([
    .instanceCreationDate, .instanceCreationTime, .seriesDate, .seriesTime, .timezoneOffsetFromUTC,
    // Ours are written anew.
    .contributingEquipmentSequence, .seriesDescription, .deidentificationMethodCodeSequence,
  ])

  private static let kept: Set<Tag> = [
    .specificCharacterSet, .imageType, .sopClassUID, .modality, .seriesNumber, .instanceNumber,
    .bodyPartExamined, .laterality, .manufacturer, .manufacturerModelName, .softwareVersions,
    .relatedSeriesSequence, .purposeOfReferenceCodeSequence,
    // Codes.
    .codeValue, .codingSchemeDesignator, .codeMeaning, .mappingResource, .mappingResourceUID,
    // The image.
    .samplesPerPixel, .photometricInterpretation, .rows, .columns, .bitsAllocated, .bitsStored,
    .highBit,
    .pixelRepresentation, .numberOfFrames, .burnedInAnnotation, .lossyImageCompression,
    .lossyImageCompressionRatio, .lossyImageCompressionMethod,
    // Dimensions, places and references.
    .dimensionOrganizationSequence, .dimensionIndexSequence, .dimensionIndexPointer,
    .functionalGroupPointer, .dimensionDescriptionLabel, .dimensionIndexValues,
    .sharedFunctionalGroups, .perFrameFunctionalGroups, .planePositionSequence, .imagePosition,
    .planeOrientationSequence, .imageOrientation, .pixelMeasuresSequence, .pixelSpacing,
    .sliceThickness, .spacingBetweenSlices, .frameContentSequence, .derivationImageSequence,
    .derivationCodeSequence, .sourceImageSequence, .spatialLocationsPreserved,
    .referencedSeriesSequence, .referencedInstanceSequence, .referencedSOPClassUID,
    .referencedFrameNumber, .referencedSegmentNumber,
    // Segments.
    .segmentationType, .segmentationFractionalType, .maximumFractionalValue, .segmentsOverlap,
    .segmentSequence, .segmentNumber, .segmentLabel,
    .segmentedPropertyCategoryCodeSequence, .segmentedPropertyTypeCodeSequence,
    .segmentedPropertyTypeModifierCodeSequence, .anatomicRegionSequence,
    .segmentationAlgorithmIdentificationSequence, .algorithmFamilyCodeSequence, .algorithmName,
    .algorithmVersion, .segmentAlgorithmType, .segmentAlgorithmName, .trackingID,
    .recommendedDisplayCIELabValue, .segmentIdentificationSequence, .contentLabel,
    .contentDescription, .contentCreatorName,
    .pixelPaddingValue,
    // Structure sets.
    .structureSetLabel, .structureSetName,
    .referencedFrameOfReferenceSequence, .rtReferencedStudySequence, .rtReferencedSeriesSequence,
    .contourImageSequence, .structureSetROISequence, .roiNumber, .roiName, .roiGenerationAlgorithm,
    .roiContourSequence, .roiDisplayColor, .contourSequence, .contourGeometricType,
    .numberOfContourPoints, .contourNumber, .contourData, .rtROIObservationsSequence,
    .observationNumber, .referencedROINumber, .roiObservationLabel,
    .rtROIIdentificationCodeSequence, .rtROIInterpretedType, .approvalStatus,
    // Reports; what their content items say has rules of its own.
    .valueType, .conceptNameCodeSequence, .continuityOfContent, .contentTemplateSequence,
    .templateIdentifier, .contentSequence, .relationshipType, .textValue, .conceptCodeSequence,
    .measuredValueSequence, .numericValue, .measurementUnitsCodeSequence, .completionFlag,
    .verificationFlag, .currentRequestedProcedureEvidenceSequence, .referencedSOPSequence,
  ]

  /// Concepts (DCM) whose texts in a report are ours.
  private static let ourTexts: Set<String> = [
    "121013",  // Device Observer Name
    "121014",  // Device Observer Manufacturer
    "121015",  // Device Observer Model Name
    "112039",  // Tracking Identifier
    "111001",  // Algorithm Name
    "111003",  // Algorithm Version
  ]
  private static let comment = "121106"
  private static let deviceSerialNumber = "121016"

  /// A text of ours without what is said of unusual input, but that something is.
  static func cleaned(_ text: String) -> String {
    guard let start = text.range(of: "Warning: ")?.lowerBound else { return text }
    return text[..<start] + warning
  }

  /// The text of a content item of a report.
  ///
  /// - Returns: nil where there is no rule.
  static func text(of item: Dataset) -> String? {
    guard let text = item.text(.textValue) else { return nil }
    switch item.items(.conceptNameCodeSequence).first?.text(.codeValue) {
    case comment?: return cleaned(text)
    case deviceSerialNumber?: return removedNumber
    case let concept? where ourTexts.contains(concept): return text
    default: return nil
    }
  }
}
