/// What a criterion can ask about a series. Raw values are the keys of a configuration.
///
/// An attribute that differs between the images of a series counts with the value that most of
/// them have.
public enum SeriesAttribute: String, Sendable, Hashable, Codable, CodingKeyRepresentable,
  CaseIterable
{
  /// Modality (0008,0060).
  case modality
  /// Series Description (0008,103E).
  case seriesDescription
  /// Protocol Name (0018,1030).
  case protocolName
  /// Study Description (0008,1030).
  case studyDescription
  /// Image Type (0008,0008), or Frame Type (0008,9007) of a multi-frame image.
  case imageType
  /// Body Part Examined (0018,0015).
  case bodyPart
  /// Laterality (0020,0060), or else Image Laterality (0020,0062): L, R, B or U.
  case laterality
  /// Manufacturer (0008,0070).
  case manufacturer

  /// The plane of the slices: AXIAL, CORONAL or SAGITTAL where their normal is within 30 degrees
  /// of that axis of the patient, otherwise OBLIQUE.
  case orientation
  /// The number of places along the slice normal that hold an image.
  case slices
  /// The median number of images at a place: the phases of a cine series, echoes, b-values.
  case imagesPerSlice
  /// The median distance between neighbouring slices along their normal, in mm.
  case sliceSpacing
  /// Slice Thickness (0018,0050) in mm.
  case sliceThickness
  /// Pixel Spacing (0028,0030) in mm: both numbers must be within the range.
  case pixelSpacing
  /// From the outer face of the first to that of the last slice along their normal, in mm.
  case coverage

  /// Convolution Kernel (0018,1210) of CT.
  case convolutionKernel
  /// Contrast/Bolus Agent (0018,0010).
  case contrastAgent
  /// Whether a contrast agent is named (0018,0010) or was given (0018,9342).
  case contrast
  /// Contrast/Bolus Agent Phase (0018,9344), for example ARTERIAL or PORTAL_VENOUS.
  case contrastPhase

  /// Scanning Sequence (0018,0020) of MR: SE, IR, GR, EP, RM.
  case scanningSequence
  /// Sequence Variant (0018,0021) of MR, for example MP for magnetisation prepared.
  case sequenceVariant
  /// Sequence Name (0018,0024), or Pulse Sequence Name (0018,9005).
  case sequenceName
  /// MR Acquisition Type (0018,0023): 2D or 3D.
  case acquisitionType
  /// Echo Time (0018,0081) in ms.
  case echoTime
  /// Repetition Time (0018,0080) in ms.
  case repetitionTime
  /// Inversion Time (0018,0082) in ms.
  case inversionTime
  /// Flip Angle (0018,1314) in degrees.
  case flipAngle
  /// Diffusion b-value in s/mm².
  case bValue
  /// Diffusion Directionality (0018,9075): DIRECTIONAL, ISOTROPIC or NONE.
  case diffusionDirectionality
  /// Complex Image Component (0008,9208), such as MAGNITUDE or PHASE.
  case complexComponent
  /// Magnetic Field Strength (0018,0087) in tesla.
  case fieldStrength

  // What counts the volumes of a series, or their images.

  /// Echo Number(s) (0018,0086).
  case echoNumber
  /// Temporal Position Identifier (0020,0100), or its index in an enhanced image.
  case temporalPosition
  /// Acquisition Number (0020,0012), as of the phases of a contrast study.
  case acquisitionNumber
  /// Trigger Time (0018,1060) in ms.
  case triggerTime
  /// Nominal Percentage of Cardiac Phase (0020,9241) in percent.
  case cardiacPhasePercentage
  /// KVP (0018,0060) in kV: what distinguishes the images of dual energy.
  case tubeVoltage
  /// Scan Options (0018,0022), such as FS for fat saturation.
  case scanOptions

  /// How values of an attribute are compared.
  public enum Kind: Sendable, Equatable {
    /// One code: it must be one of those given.
    case code
    /// Several codes: all of those given must be among them.
    case codes
    /// Free text: one of the regular expressions must match somewhere, without regard to case.
    case text
    /// A number or several: all must be within a range, its ends included.
    case number(unit: String)
    case flag
  }

  public var kind: Kind {
    switch self {
    case .modality, .bodyPart, .laterality, .orientation, .contrastPhase, .acquisitionType,
      .diffusionDirectionality, .complexComponent:
      .code
    case .imageType, .scanningSequence, .sequenceVariant, .scanOptions: .codes
    case .seriesDescription, .protocolName, .studyDescription, .manufacturer, .convolutionKernel,
      .contrastAgent, .sequenceName:
      .text
    case .slices, .imagesPerSlice, .echoNumber, .temporalPosition, .acquisitionNumber:
      .number(unit: "")
    case .sliceSpacing, .sliceThickness, .pixelSpacing, .coverage: .number(unit: "mm")
    case .echoTime, .repetitionTime, .inversionTime, .triggerTime: .number(unit: "ms")
    case .cardiacPhasePercentage: .number(unit: "%")
    case .tubeVoltage: .number(unit: "kV")
    case .flipAngle: .number(unit: "degrees")
    case .bValue: .number(unit: "s/mm²")
    case .fieldStrength: .number(unit: "T")
    case .contrast: .flag
    }
  }
}
