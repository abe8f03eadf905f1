/// What results take over from their source, or say of themselves, by PS3.6 keyword.
extension Tag {
  // Patient
  public static let patientBirthTime = Tag(0x0010, 0x0032)
  public static let otherPatientIDs = Tag(0x0010, 0x1000)
  public static let otherPatientNames = Tag(0x0010, 0x1001)
  public static let otherPatientIDsSequence = Tag(0x0010, 0x1002)
  public static let ethnicGroup = Tag(0x0010, 0x2160)
  public static let patientSpeciesDescription = Tag(0x0010, 0x2201)
  public static let patientSpeciesCodeSequence = Tag(0x0010, 0x2202)
  public static let patientBreedDescription = Tag(0x0010, 0x2292)
  public static let patientBreedCodeSequence = Tag(0x0010, 0x2293)
  public static let breedRegistrationSequence = Tag(0x0010, 0x2294)
  public static let responsiblePerson = Tag(0x0010, 0x2297)
  public static let responsiblePersonRole = Tag(0x0010, 0x2298)
  public static let responsibleOrganization = Tag(0x0010, 0x2299)
  public static let longitudinalTemporalInformationModified = Tag(0x0028, 0x0303)

  // Clinical trial
  public static let clinicalTrialSponsorName = Tag(0x0012, 0x0010)
  public static let clinicalTrialProtocolID = Tag(0x0012, 0x0020)
  public static let clinicalTrialProtocolName = Tag(0x0012, 0x0021)
  public static let issuerOfClinicalTrialProtocolID = Tag(0x0012, 0x0022)
  public static let clinicalTrialSiteID = Tag(0x0012, 0x0030)
  public static let clinicalTrialSiteName = Tag(0x0012, 0x0031)
  public static let issuerOfClinicalTrialSiteID = Tag(0x0012, 0x0032)
  public static let clinicalTrialSubjectID = Tag(0x0012, 0x0040)
  public static let issuerOfClinicalTrialSubjectID = Tag(0x0012, 0x0041)
  public static let clinicalTrialSubjectReadingID = Tag(0x0012, 0x0042)
  public static let issuerOfClinicalTrialSubjectReadingID = Tag(0x0012, 0x0043)
  public static let clinicalTrialTimePointID = Tag(0x0012, 0x0050)
  public static let clinicalTrialTimePointDescription = Tag(0x0012, 0x0051)
  public static let clinicalTrialCoordinatingCenterName = Tag(0x0012, 0x0060)
  public static let clinicalTrialSeriesID = Tag(0x0012, 0x0071)
  public static let clinicalTrialSeriesDescription = Tag(0x0012, 0x0072)
  public static let clinicalTrialProtocolEthicsCommitteeName = Tag(0x0012, 0x0081)
  public static let clinicalTrialProtocolEthicsCommitteeApprovalNumber = Tag(0x0012, 0x0082)
  public static let consentForClinicalTrialUseSequence = Tag(0x0012, 0x0083)

  // Study, admission and procedure
  public static let physiciansOfRecord = Tag(0x0008, 0x1048)
  public static let nameOfPhysiciansReadingStudy = Tag(0x0008, 0x1060)
  public static let admittingDiagnosesDescription = Tag(0x0008, 0x1080)
  public static let admittingDiagnosesCodeSequence = Tag(0x0008, 0x1084)
  public static let procedureCodeSequence = Tag(0x0008, 0x1032)
  public static let referencedStudySequence = Tag(0x0008, 0x1110)
  public static let requestAttributesSequence = Tag(0x0040, 0x0275)
  public static let admissionID = Tag(0x0038, 0x0010)
  public static let issuerOfAdmissionID = Tag(0x0038, 0x0011)
  public static let issuerOfAdmissionIDSequence = Tag(0x0038, 0x0014)
  public static let serviceEpisodeID = Tag(0x0038, 0x0060)
  public static let serviceEpisodeDescription = Tag(0x0038, 0x0062)
  public static let issuerOfServiceEpisodeIDSequence = Tag(0x0038, 0x0064)

  // Equipment
  public static let institutionName = Tag(0x0008, 0x0080)
  public static let stationName = Tag(0x0008, 0x1010)
  public static let contributingEquipmentSequence = Tag(0x0018, 0xA001)
  public static let contributionDescription = Tag(0x0018, 0xA003)

  // Segments
  public static let trackingID = Tag(0x0062, 0x0020)
  public static let trackingUID = Tag(0x0062, 0x0021)

  // Structured reports
  public static let valueType = Tag(0x0040, 0xA040)
  public static let conceptNameCodeSequence = Tag(0x0040, 0xA043)
  public static let continuityOfContent = Tag(0x0040, 0xA050)
  public static let contentTemplateSequence = Tag(0x0040, 0xA504)
  public static let contentSequence = Tag(0x0040, 0xA730)
  public static let relationshipType = Tag(0x0040, 0xA010)
  public static let textValue = Tag(0x0040, 0xA160)
  public static let uidValue = Tag(0x0040, 0xA124)
  public static let conceptCodeSequence = Tag(0x0040, 0xA168)
  public static let measuredValueSequence = Tag(0x0040, 0xA300)
  public static let numericValue = Tag(0x0040, 0xA30A)
  public static let measurementUnitsCodeSequence = Tag(0x0040, 0x08EA)
  public static let mappingResource = Tag(0x0008, 0x0105)
  public static let mappingResourceUID = Tag(0x0008, 0x0118)
  public static let templateIdentifier = Tag(0x0040, 0xDB00)
  public static let completionFlag = Tag(0x0040, 0xA491)
  public static let verificationFlag = Tag(0x0040, 0xA493)
  public static let currentRequestedProcedureEvidenceSequence = Tag(0x0040, 0xA375)
  public static let performedProcedureCodeSequence = Tag(0x0040, 0xA372)
  public static let referencedPerformedProcedureStepSequence = Tag(0x0008, 0x1111)

  // PET
  public static let units = Tag(0x0054, 0x1001)

  // File meta information
  public static let implementationClassUID = Tag(0x0002, 0x0012)

  // Secondary captures
  public static let conversionType = Tag(0x0008, 0x0064)
  public static let planarConfiguration = Tag(0x0028, 0x0006)
  public static let frameIncrementPointer = Tag(0x0028, 0x0009)
  public static let windowCenter = Tag(0x0028, 0x1050)
  public static let windowWidth = Tag(0x0028, 0x1051)
  public static let voiLUTFunction = Tag(0x0028, 0x1056)
}
