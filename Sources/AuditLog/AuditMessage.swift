import Foundation

/// An audit message (DICOM PS3.15 A.5).
public struct AuditMessage: Sendable, Equatable {
  /// A coded value of the DICOM controlled terminology (DCM) or, with other schemes, of another one.
  public struct Code: Sendable, Equatable {
    public var value: String
    public var scheme: String
    public var meaning: String

    init(_ value: String, _ meaning: String, scheme: String = "DCM") {
      self.value = value
      self.meaning = meaning
      self.scheme = scheme
    }
  }

  public enum Action: String, Sendable {
    case create = "C"
    case read = "R"
    case execute = "E"
  }

  /// EventOutcomeIndicator (PS3.15 A.5.1).
  public enum Outcome: Int, Sendable {
    case success = 0
    case minorFailure = 4
    case seriousFailure = 8
    case majorFailure = 12
  }

  /// Who or what took part.
  public struct Participant: Sendable, Equatable {
    /// An IP address or a name.
    public enum Address: Sendable, Equatable {
      case name(String)
      case ip(String)
    }

    public var userID: String
    public var aeTitle: String?
    public var isRequestor: Bool
    public var roles: [Code]
    public var address: Address?

    public init(
      userID: String, aeTitle: String? = nil, isRequestor: Bool, roles: [Code] = [],
      address: Address? = nil
    ) {
      self.userID = userID
      self.aeTitle = aeTitle
      self.isRequestor = isRequestor
      self.roles = roles
      self.address = address
    }
  }

  /// What something was done to.
  public enum Object: Sendable, Equatable {
    /// Study Instance UID and the number of its instances by SOP class.
    case study(String, instances: [String: Int])
    /// Patient ID.
    case patient(String)
    /// What an alert is about, and the alert.
    case subject(String, description: String)
  }

  public var event: Code
  public var type: Code?
  public var action: Action
  public var outcome: Outcome
  public var outcomeDescription: String?
  public var at: Date
  public var participants: [Participant]
  public var objects: [Object]
}

extension AuditMessage.Code {
  static let applicationActivity = Self("110100", "Application Activity")
  static let beginTransferring = Self("110102", "Begin Transferring DICOM Instances")
  static let instancesTransferred = Self("110104", "DICOM Instances Transferred")
  static let securityAlert = Self("110113", "Security Alert")

  static let userAuthentication = Self("110114", "User Authentication")

  static let applicationStart = Self("110120", "Application Start")
  static let applicationStop = Self("110121", "Application Stop")
  static let login = Self("110122", "Login")
  static let logout = Self("110123", "Logout")
  static let nodeAuthentication = Self("110126", "Node Authentication")
  static let restrictedFunction = Self("110132", "Use of Restricted Function")

  static let application = Self("110150", "Application")
  static let applicationLauncher = Self("110151", "Application Launcher")
  static let destination = Self("110152", "Destination Role ID")
  static let source = Self("110153", "Source Role ID")

  static let studyInstanceUID = Self("110180", "Study Instance UID")
  static let nodeID = Self("110182", "Node ID")
  static let patientNumber = Self("2", "Patient Number", scheme: "RFC-3881")
}
