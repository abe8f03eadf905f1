import DICOM

/// The tags of unified procedure steps (PS3.3 CC.2).
extension Tag {
  static let affectedSOPInstanceUID = Tag(0x0000, 0x1000)
  static let eventTypeID = Tag(0x0000, 0x1002)
  static let procedureStepState = Tag(0x0074, 0x1000)
  static let procedureStepProgressInformationSequence = Tag(0x0074, 0x1002)
  static let procedureStepProgress = Tag(0x0074, 0x1004)
  static let procedureStepDiscontinuationReasonCodeSequence = Tag(0x0074, 0x100E)
  static let unifiedProcedureStepPerformedProcedureSequence = Tag(0x0074, 0x1216)
  static let reasonForCancellation = Tag(0x0074, 0x1238)
  static let performedWorkitemCodeSequence = Tag(0x0040, 0x4019)
  static let inputInformationSequence = Tag(0x0040, 0x4021)
  static let scheduledStationNameCodeSequence = Tag(0x0040, 0x4025)
  static let performedStationNameCodeSequence = Tag(0x0040, 0x4028)
  static let outputInformationSequence = Tag(0x0040, 0x4033)
  static let performedProcedureStepStartDateTime = Tag(0x0040, 0x4050)
  static let performedProcedureStepEndDateTime = Tag(0x0040, 0x4051)
  static let typeOfInstances = Tag(0x0040, 0xE020)
}
