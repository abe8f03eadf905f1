import Terminology

/// The codes of measurement reports (PS3.16).
enum ReportConcepts {
  // MARK: Statements

  /// Of CID 6047: whether anything was found.
  static let summary = CodedConcept(
    value: "111017", scheme: "DCM", meaning: "CAD Processing and Findings Summary")
  static let withFindings = CodedConcept(
    value: "111242", scheme: "DCM", meaning: "All algorithms succeeded; with findings")
  static let withoutFindings = CodedConcept(
    value: "111241", scheme: "DCM", meaning: "All algorithms succeeded; without findings")
  static let comment = CodedConcept(value: "121106", scheme: "DCM", meaning: "Comment")
  static let cyclePhase = CodedConcept(
    value: "246092007", scheme: "SCT", meaning: "Cardiac cycle phase")
  /// Of CID 12233.
  static let endDiastole = CodedConcept(
    value: "416190007", scheme: "SCT", meaning: "End diastole")
  static let endSystole = CodedConcept(value: "416430001", scheme: "SCT", meaning: "End Systole")

  // MARK: Of a segment (CID 7469, derivations of CID 7464)

  static let volume = CodedConcept(value: "118565006", scheme: "SCT", meaning: "Volume")
  static let axes = [
    CodedConcept(value: "TDIC", scheme: "IBSI", meaning: "Major Axis in 3D Length"),
    CodedConcept(value: "P9VJ", scheme: "IBSI", meaning: "Minor Axis in 3D Length"),
    CodedConcept(value: "7J51", scheme: "IBSI", meaning: "Least Axis in 3D Length"),
  ]
  static let mean = CodedConcept(value: "373098007", scheme: "SCT", meaning: "Mean")
  static let standardDeviation = CodedConcept(
    value: "386136009", scheme: "SCT", meaning: "Standard Deviation")

  // MARK: Units of UCUM

  static let cubicCentimetre = CodedConcept(
    value: "cm3", scheme: "UCUM", meaning: "cubic centimeter")
  static let millilitre = CodedConcept(value: "ml", scheme: "UCUM", meaning: "milliliter")
  static let millimetre = CodedConcept(value: "mm", scheme: "UCUM", meaning: "millimeter")
  static let percent = CodedConcept(value: "%", scheme: "UCUM", meaning: "percent")
  static let gram = CodedConcept(value: "g", scheme: "UCUM", meaning: "gram")

  // MARK: Laterality (CID 244)

  static let sides: Set<String> = ["24028007", "7771000"]

  /// The procedure that made images of a modality (CID 100).
  static func procedure(modality: String) -> CodedConcept {
    switch modality {
    case "CT": CodedConcept(value: "25045-6", scheme: "LN", meaning: "CT unspecified body region")
    case "MR": CodedConcept(value: "25056-3", scheme: "LN", meaning: "MRI unspecified body region")
    case "PT": CodedConcept(value: "44136-0", scheme: "LN", meaning: "PET unspecified body region")
    default: CodedConcept(value: "363679005", scheme: "SCT", meaning: "Imaging procedure")
    }
  }
}

/// What the values of the source images are, and in which unit.
struct SourceQuantity: Equatable {
  var concept: CodedConcept
  var unit: CodedConcept

  private static let arbitrary = CodedConcept(
    value: "[arb'U]", scheme: "UCUM", meaning: "arbitrary unit")

  /// - Parameters:
  ///   - modality: Modality (0008,0060).
  ///   - rescaleTypes: Rescale Type (0028,1054) of the images; a CT without it is in HU (PS3.3
  ///     C.8.2.1.1.2).
  ///   - units: Units (0054,1001) of PET.
  init(modality: String, rescaleTypes: Set<String?>, units: String?) {
    switch modality {
    case "CT":
      concept = CodedConcept(value: "112031", scheme: "DCM", meaning: "Attenuation Coefficient")
      unit =
        rescaleTypes.isSubset(of: [nil, "", "HU"])
        ? CodedConcept(value: "[hnsf'U]", scheme: "UCUM", meaning: "Hounsfield unit")
        : Self.arbitrary
    case "PT":
      concept = CodedConcept(
        value: "110821", scheme: "DCM", meaning: "Nuclear Medicine Tomographic Activity")
      unit =
        units == "BQML"
        ? CodedConcept(value: "Bq/ml", scheme: "UCUM", meaning: "Becquerels/milliliter")
        : Self.arbitrary
    default:
      concept = CodedConcept(value: "110852", scheme: "DCM", meaning: "MR signal intensity")
      unit = Self.arbitrary
    }
  }
}

/// The codes of what a heart's chamber does (CID 3468, 3469, 3833, 3835), by its code and the modality.
struct CavityConcepts {
  var endDiastolicVolume: CodedConcept
  var endSystolicVolume: CodedConcept
  var ejectionFraction: CodedConcept
  static let strokeVolume = CodedConcept(
    value: "90096001", scheme: "SCT", meaning: "Stroke Volume")
  static let leftVentricularMass = CodedConcept(
    value: "18087-7", scheme: "LN", meaning: "Left Ventricle Mass")

  init(_ chamber: CodedConcept, modality: String) {
    switch chamber.value {
    case "87878005":
      endDiastolicVolume = Self.loinc("8821-1", "Left Ventricular ED Volume")
      endSystolicVolume = Self.loinc("8823-7", "Left Ventricular ES Volume")
      ejectionFraction =
        modality == "CT"
        ? Self.loinc("8810-4", "Left ventricular ejection fraction by CT")
        : Self.loinc("8811-2", "Left ventricular ejection fraction by MR")
    case "53085002":
      endDiastolicVolume = Self.loinc("8822-9", "Right Ventricular ED Volume")
      endSystolicVolume = Self.loinc("8824-5", "Right Ventricular ES Volume")
      ejectionFraction =
        modality == "CT"
        ? Self.loinc("8817-9", "Right ventricular ejection fraction by CT")
        : Self.loinc("8818-7", "Right ventricular ejection fraction by MR")
    default:
      endDiastolicVolume = CodedConcept(
        value: "EDV", scheme: "99SEGMENTD", meaning: "End-diastolic volume")
      endSystolicVolume = CodedConcept(
        value: "ESV", scheme: "99SEGMENTD", meaning: "End-systolic volume")
      ejectionFraction = CodedConcept(
        value: "70822001", scheme: "SCT", meaning: "Cardiac ejection fraction")
    }
  }

  private static func loinc(_ value: String, _ meaning: String) -> CodedConcept {
    CodedConcept(value: value, scheme: "LN", meaning: meaning)
  }
}
