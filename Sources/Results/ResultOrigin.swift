import Foundation

/// Who made a result, and when.
public struct ResultOrigin: Sendable, Equatable {
  /// The model's name and version.
  public var modelName: String
  public var modelVersion: String
  /// Version of this program.
  public var softwareVersion: String
  /// What tells this installation from others, for example its AE title.
  public var deviceSerialNumber: String
  public var seriesNumber: Int
  /// The object's number in its series, from 1.
  public var instanceNumber = 1
  /// What the object is about besides, such as a phase of the heart; empty for nothing.
  public var subject = ""
  /// When the result was made.
  public var date: Date
  /// How far local time is ahead of UTC at that moment; see ``LocalTime``. Dates and times are
  /// written in local time, or with the offset that the source images state.
  public var secondsFromUTC: Int
  /// What a reader should know about the result, such as an unusual input; written as Segment
  /// Description (0062,0006), and Content Description (0070,0081) points to it.
  public var remarks: [String]

  public init(
    modelName: String, modelVersion: String, softwareVersion: String,
    deviceSerialNumber: String, seriesNumber: Int, date: Date, secondsFromUTC: Int,
    remarks: [String] = []
  ) {
    self.modelName = modelName
    self.modelVersion = modelVersion
    self.softwareVersion = softwareVersion
    self.deviceSerialNumber = deviceSerialNumber
    self.seriesNumber = seriesNumber
    self.date = date
    self.secondsFromUTC = secondsFromUTC
    self.remarks = remarks
  }
}
