import DICOM

/// What a query or retrieval is about: a study, a series, or instances of a series (PS3.4 C.6).
public struct QueryIdentifier: Sendable, Equatable {
  /// Query/Retrieve Level (0008,0052).
  public enum Level: String, Sendable {
    case study = "STUDY"
    case series = "SERIES"
    case image = "IMAGE"
  }

  public var studyInstanceUID: String
  public var seriesInstanceUID: String?
  /// Instances of the series; empty for all.
  public var sopInstanceUIDs: [String]
  /// The unique key above the study, where the peer knows the patient root only; empty where it is
  /// not known.
  public var patientID: String

  public init(
    studyInstanceUID: String, seriesInstanceUID: String? = nil, sopInstanceUIDs: [String] = [],
    patientID: String = ""
  ) {
    self.studyInstanceUID = studyInstanceUID
    self.seriesInstanceUID = seriesInstanceUID
    self.sopInstanceUIDs = sopInstanceUIDs
    self.patientID = patientID
  }

  /// The level of a retrieval.
  var level: Level {
    seriesInstanceUID == nil ? .study : sopInstanceUIDs.isEmpty ? .series : .image
  }

  /// Level and unique keys of a retrieval; a list of UIDs is allowed at its level (PS3.4 C.4.2.1.4).
  var retrievalKeys: [(Tag, String)] {
    var keys: [(Tag, String)] = [
      (.queryRetrieveLevel, level.rawValue), (.studyInstanceUID, studyInstanceUID),
    ]
    if let seriesInstanceUID { keys.append((.seriesInstanceUID, seriesInstanceUID)) }
    if !sopInstanceUIDs.isEmpty {
      keys.append((.sopInstanceUID, sopInstanceUIDs.joined(separator: "\\")))
    }
    if !patientID.isEmpty { keys.append((.patientID, patientID)) }
    return keys
  }
}

/// A series as a peer describes it.
public struct SeriesMatch: Sendable, Equatable {
  public var studyInstanceUID: String
  public var seriesInstanceUID: String
  public var modality: String
  /// Number of Series Related Instances (0020,1209); nil where the peer does not tell it.
  public var instanceCount: Int?

  public init(
    studyInstanceUID: String, seriesInstanceUID: String, modality: String, instanceCount: Int?
  ) {
    self.studyInstanceUID = studyInstanceUID
    self.seriesInstanceUID = seriesInstanceUID
    self.modality = modality
    self.instanceCount = instanceCount
  }
}

/// An instance as a peer describes it.
public struct InstanceMatch: Sendable, Equatable {
  public var sopInstanceUID: String
  /// Nil where the peer does not tell it.
  public var sopClassUID: String?

  public init(sopInstanceUID: String, sopClassUID: String?) {
    self.sopInstanceUID = sopInstanceUID
    self.sopClassUID = sopClassUID
  }
}
