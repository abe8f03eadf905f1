/// The tags of queries and retrievals (PS3.4 C) of storage commitment (PS3.4 J) and of
/// Store transactions (PS3.18 I.2).
extension Tag {
  public static let queryRetrieveLevel = Tag(0x0008, 0x0052)
  public static let retrieveAETitle = Tag(0x0008, 0x0054)
  public static let failedSOPInstanceUIDList = Tag(0x0008, 0x0058)
  public static let numberOfStudyRelatedInstances = Tag(0x0020, 0x1208)
  public static let numberOfSeriesRelatedInstances = Tag(0x0020, 0x1209)

  public static let transactionUID = Tag(0x0008, 0x1195)
  public static let failureReason = Tag(0x0008, 0x1197)
  public static let warningReason = Tag(0x0008, 0x1196)
  public static let failedSOPSequence = Tag(0x0008, 0x1198)
  public static let referencedSOPSequence = Tag(0x0008, 0x1199)
  public static let otherFailuresSequence = Tag(0x0008, 0x119A)
}
