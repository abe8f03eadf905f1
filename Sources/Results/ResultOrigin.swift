import DICOM

/// Who made a result, and when.
public struct ResultOrigin: Sendable, Equatable {
  /// The model's name and version.
  public var modelName: String
  public var modelVersion: String
  /// SHA-256 of the model as 64 hexadecimal digits.
  public var modelSHA256: String
  /// Path of the bundle's `model.yaml`, which proofs read anew.
  public var modelFile: String
  /// The version of this program since which it gives this result.
  public var softwareVersion: String
  /// What tells this installation from others, for example its AE title.
  public var deviceSerialNumber: String
  /// The object's number in its series, from 1.
  public var instanceNumber = 1
  /// What the object is about besides, such as a phase of the heart; empty for nothing.
  public var subject = ""
  /// The date and time of the object and its series, as the source images state theirs.
  public var moment: StatedMoment
  /// The series of earlier results whose place this one takes.
  public var replaces: ReplacedSeries?
  /// What a reader should know about the result, such as an unusual input; written as Segment
  /// Description (0062,0006), and Content Description (0070,0081) points to it.
  public var remarks: [String]

  public init(
    modelName: String, modelVersion: String, modelSHA256: String, modelFile: String,
    softwareVersion: String, deviceSerialNumber: String, moment: StatedMoment,
    replaces: ReplacedSeries? = nil, remarks: [String] = []
  ) {
    self.modelName = modelName
    self.modelVersion = modelVersion
    self.modelSHA256 = modelSHA256
    self.modelFile = modelFile
    self.softwareVersion = softwareVersion
    self.deviceSerialNumber = deviceSerialNumber
    self.moment = moment
    self.replaces = replaces
    self.remarks = remarks
  }
}
