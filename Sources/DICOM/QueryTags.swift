/// The tags of queries and retrievals (PS3.4 C) and of storage commitment (PS3.4 J).
extension Tag {
  public static let queryRetrieveLevel = Tag(0x0008, 0x0052)
  public static let retrieveAETitle = Tag(0x0008, 0x0054)
  public static let failedSOPInstanceUIDList = Tag(0x0008, 0x0058)
  public static let numberOfStudyRelatedInstances = Tag(0x0020, 0x1208)
  public static let numberOfSeriesRelatedInstances = Tag(0x0020, 0x1209)

  public static let transactionUID = Tag(0x0008, 0x1195)
  public static let failureReason = Tag(0x0008, 0x1197)
  public static let failedSOPSequence = Tag(0x0008, 0x1198)
  public static let referencedSOPSequence = Tag(0x0008, 0x1199)
}
