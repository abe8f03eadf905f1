import DICOM
import Wording

/// An attribute of a source image that a result cannot carry, so that the result could not be told
/// to be of the same patient and study. Its value is never shown.
public struct UncopiedAttribute: ResultError, Equatable, Sendable {
  public var tag: Tag
  public var sopInstanceUID: String
  public var reason: String

  public var isSourceFault: Bool { true }
  public var description: String {
    "\(tag) of the source instance \(sopInstanceUID) cannot be copied into a result: \(reason)"
  }
}

/// Patient and study attributes that a result takes over from its source, so that an archive files
/// it with the same patient in the same study.
///
/// Values are copied byte for byte and never checked: what the archive holds of the patient is what
/// it will compare with, also where a value is longer than its VR admits or not of its form; only numbers
/// of more than 16 characters are rounded. They are in the character set of the source, which is copied
/// with them. The performed procedure step is not copied: it made the images, and not the result.
enum CopiedAttributes {
  /// Type 2: present even without a value (PS3.3 C.7.1.1, C.7.2.1).
  static let required: [(tag: Tag, vr: VR)] = [
    (.patientName, .PN), (.patientID, .LO), (.patientBirthDate, .DA), (.patientSex, .CS),
    (.studyDate, .DA), (.studyTime, .TM), (.referringPhysicianName, .PN), (.studyID, .SH),
    (.accessionNumber, .SH),
  ]

  static let optional: [(tag: Tag, vr: VR)] = [
    (.specificCharacterSet, .CS), (.issuerOfPatientID, .LO), (.patientBirthTime, .TM),
    (.otherPatientIDs, .LO), (.otherPatientNames, .PN), (.ethnicGroup, .SH),
    (.patientAge, .AS), (.patientSize, .DS), (.patientWeight, .DS),
    (.patientSpeciesDescription, .LO), (.patientBreedDescription, .LO),
    (.responsiblePerson, .PN), (.responsiblePersonRole, .CS), (.responsibleOrganization, .LO),
    (.patientIdentityRemoved, .CS), (.deidentificationMethod, .LO),
    (.longitudinalTemporalInformationModified, .CS),
    (.studyDescription, .LO), (.physiciansOfRecord, .PN), (.nameOfPhysiciansReadingStudy, .PN),
    (.admittingDiagnosesDescription, .LO), (.admissionID, .LO), (.issuerOfAdmissionID, .LO),
    (.serviceEpisodeID, .LO), (.serviceEpisodeDescription, .LO),
    (.bodyPartExamined, .CS), (.laterality, .CS), (.institutionName, .LO),
  ]

  static let clinicalTrial: [(tag: Tag, vr: VR)] = [
    (.clinicalTrialSponsorName, .LO), (.clinicalTrialProtocolID, .LO),
    (.clinicalTrialProtocolName, .LO), (.issuerOfClinicalTrialProtocolID, .LO),
    (.clinicalTrialSiteID, .LO), (.clinicalTrialSiteName, .LO),
    (.issuerOfClinicalTrialSiteID, .LO), (.clinicalTrialSubjectID, .LO),
    (.issuerOfClinicalTrialSubjectID, .LO), (.clinicalTrialSubjectReadingID, .LO),
    (.issuerOfClinicalTrialSubjectReadingID, .LO), (.clinicalTrialTimePointID, .LO),
    (.clinicalTrialTimePointDescription, .ST), (.clinicalTrialCoordinatingCenterName, .LO),
    (.clinicalTrialSeriesID, .LO), (.clinicalTrialSeriesDescription, .LO),
    (.clinicalTrialProtocolEthicsCommitteeName, .LO),
    (.clinicalTrialProtocolEthicsCommitteeApprovalNumber, .LO),
  ]

  private static let sequences: [Tag] = [
    .issuerOfAccessionNumberSequence, .issuerOfPatientIDQualifiersSequence,
    .otherPatientIDsSequence, .patientSpeciesCodeSequence, .patientBreedCodeSequence,
    .breedRegistrationSequence, .deidentificationMethodCodeSequence,
    .consentForClinicalTrialUseSequence, .procedureCodeSequence, .referencedStudySequence,
    .requestAttributesSequence, .admittingDiagnosesCodeSequence, .issuerOfAdmissionIDSequence,
    .issuerOfServiceEpisodeIDSequence,
  ]

  /// What of it tells who the patient is, or which study it is, and may be absent from an object.
  static let identifying: Set<Tag> = Set((optional + clinicalTrial).map(\.tag) + sequences)
    .subtracting([.specificCharacterSet, .bodyPartExamined, .laterality])

  /// Longest value of an element whose VR has a length of 16 bits (PS3.5 7.1.2).
  private static let maximumLength = 0xFFFE

  static func copy(from source: Dataset, to dataset: inout Dataset) throws(UncopiedAttribute) {
    for (tag, vr) in required {
      dataset[tag] = try text(tag, vr, of: source) ?? DataElement(vr, .text([]))
    }
    for (tag, vr) in optional + clinicalTrial {
      if let element = try text(tag, vr, of: source) { dataset[tag] = element }
    }
    for tag in sequences {
      let items = source.items(tag)
      if !items.isEmpty { dataset.set(tag, items.map(\.withoutPrivateElements)) }
    }
  }

  /// The element with the VR that the standard gives it; nil where the source has no value.
  private static func text(
    _ tag: Tag, _ vr: VR, of source: Dataset
  ) throws(UncopiedAttribute) -> DataElement? {
    guard let element = source[tag], !element.isEmpty else { return nil }
    func refusal(_ reason: String) -> UncopiedAttribute {
      UncopiedAttribute(
        tag: tag, sopInstanceUID: source.text(.sopInstanceUID) ?? "", reason: reason)
    }
    switch element.value {
    // Some writers and routers give UN to what they do not know.
    case .text(let bytes), .bytes(let bytes):
      guard bytes.count <= maximumLength else {
        throw refusal(
          "\(counted(bytes.count, "byte")), of which VR \(vr) can hold \(maximumLength)")
      }
      return DataElement(vr, .text(bytes)).withinDecimalStrings
    case .integers, .reals, .items:
      throw refusal("its VR is \(element.vr) and not \(vr)")
    }
  }
}

extension Dataset {
  /// The dataset without elements of odd groups, whose meaning is known to the source's maker.
  var withoutPrivateElements: Dataset {
    var kept = Dataset()
    for (tag, element) in elements where tag.group % 2 == 0 {
      if case .items(let items) = element.value {
        kept.set(tag, items.map(\.withoutPrivateElements))
      } else {
        kept[tag] = element
      }
    }
    return kept
  }
}
