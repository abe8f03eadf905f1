import DICOM
import Foundation

/// A unified procedure step of a worklist (PS3.3 CC.2): something that a device is to do, here with series.
public struct Workitem: Sendable, Equatable {
  /// Procedure Step State (0074,1000), PS3.4 CC.1.1.
  public enum State: String, Sendable {
    case scheduled = "SCHEDULED"
    case inProgress = "IN PROGRESS"
    case completed = "COMPLETED"
    case canceled = "CANCELED"
  }

  /// A series among its inputs (Input Information Sequence (0040,4021)).
  public struct Input: Sendable, Hashable {
    public var studyInstanceUID: String
    /// Nil for every series of the study.
    public var seriesInstanceUID: String?

    public init(studyInstanceUID: String, seriesInstanceUID: String? = nil) {
      self.studyInstanceUID = studyInstanceUID
      self.seriesInstanceUID = seriesInstanceUID
    }
  }

  /// Its SOP Instance UID.
  public var uid: String
  /// Nil where the server says something else.
  public var state: State?
  /// Code values of Scheduled Station Name Code Sequence (0040,4025): who is to do it; empty for anyone.
  public var stations: [String]
  /// Each once, in their order.
  public var inputs: [Input]

  /// - Returns: nil where it has no UID that is one.
  init?(_ dataset: JSONDataset, uid known: String? = nil) {
    guard let uid = known ?? dataset.text(.sopInstanceUID), DICOMUID.isValid(uid) else {
      return nil
    }
    self.uid = uid
    state = dataset.text(.procedureStepState).flatMap(State.init(rawValue:))
    stations = dataset.items(.scheduledStationNameCodeSequence).compactMap { $0.text(.codeValue) }
    inputs = []
    for item in dataset.items(.inputInformationSequence) {
      guard let study = item.text(.studyInstanceUID), DICOMUID.isValid(study) else { continue }
      // Series and instances are in one item (PS3.3 table 10-3b); some servers nest the series in a sequence.
      let series = [item] + item.items(.referencedSeriesSequence)
      let uids = series.compactMap { $0.text(.seriesInstanceUID) }.filter(DICOMUID.isValid)
      let found =
        uids.isEmpty
        ? [Input(studyInstanceUID: study)]
        : uids.map { Input(studyInstanceUID: study, seriesInstanceUID: $0) }
      inputs += found.filter { !inputs.contains($0) }
    }
  }
}

/// An object that a workitem made (Output Information Sequence (0040,4033)).
public struct WorkitemOutput: Sendable, Equatable {
  public var studyInstanceUID: String
  public var seriesInstanceUID: String
  public var sopClassUID: String
  public var sopInstanceUID: String

  public init(
    studyInstanceUID: String, seriesInstanceUID: String, sopClassUID: String, sopInstanceUID: String
  ) {
    self.studyInstanceUID = studyInstanceUID
    self.seriesInstanceUID = seriesInstanceUID
    self.sopClassUID = sopClassUID
    self.sopInstanceUID = sopInstanceUID
  }
}

/// How a workitem ended, with what a performer has to say of it (PS3.4 CC.2.5.1.1).
public struct WorkitemEnd: Sendable, Equatable {
  public var station: String
  public var start: Date
  public var end: Date
  public var outputs: [WorkitemOutput]
  /// Why it was discontinued; nil where it is complete. Without patient data.
  public var discontinued: String?

  public init(
    station: String, start: Date, end: Date, outputs: [WorkitemOutput], discontinued: String? = nil
  ) {
    self.station = station
    self.start = start
    self.end = end
    self.outputs = outputs
    self.discontinued = discontinued
  }
}
