import Foundation
import Volumes

/// What the dashboard shows and the ledger does not know.
public protocol DashboardSource: Sendable {
  /// The models that the daemon can use, and what is wrong with others.
  func models() async -> (models: [DashboardModel], faults: [String])

  /// The rules of the configuration, in their order.
  var rules: [DashboardRule] { get }

  /// What each rule makes of a study whose files are here, in words; nothing is changed.
  ///
  /// - Throws: an error that says why it cannot be told.
  func ruleTrial(files: [String]) async throws -> String

  /// What the header of an image says of the patient and the study.
  ///
  /// - Parameter file: below the state directory.
  func patient(file: String) -> DashboardPatient?

  /// What the header of an image or of a result says of whose it is and of when it was taken; nil where it cannot be read
  /// or names no patient.
  ///
  /// - Parameter file: below the state directory.
  func examination(file: String) -> DashboardExamination?

  /// The volumes of a received series, as they were segmented.
  ///
  /// - Throws: an error that says why there are none.
  func stacks(series: String) throws -> [SliceStack]

  /// The voxels of a volume.
  ///
  /// - Throws: an error that says why they cannot be read.
  func pixels(of stack: SliceStack) throws -> Volume

  /// Who was not admitted of late, the last first; nil where that is not kept.
  var refusedSenders: [DashboardRefusedSender]? { get }

  /// Resident memory of the daemon's processes, in bytes.
  var memory: [(process: String, bytes: Int)] { get }

  /// Of the disk of the state directory.
  var disk: (available: Int, total: Int)? { get }
}

/// A model as its page shows it.
public struct DashboardModel: Sendable {
  public var name: String
  public var version: String
  public var summary: String
  /// Names with values: limits, licence, hashes.
  public var facts: [(name: String, value: String)]
  public var card: String

  public init(
    name: String, version: String, summary: String, facts: [(name: String, value: String)],
    card: String
  ) {
    self.name = name
    self.version = version
    self.summary = summary
    self.facts = facts
    self.card = card
  }
}

/// Somebody who was not admitted.
public struct DashboardRefusedSender: Sendable, Encodable {
  /// An AE title or an address.
  public var name: String
  public var address: String?
  public var reason: String
  public var lastAt: Date
  /// How often with this reason.
  public var count: Int

  public init(name: String, address: String?, reason: String, lastAt: Date, count: Int) {
    self.name = name
    self.address = address
    self.reason = reason
    self.lastAt = lastAt
    self.count = count
  }
}

/// A rule as its page shows it.
public struct DashboardRule: Sendable {
  public var name: String
  public var model: String
  public var priority: Int
  /// What it asks of a series, and what it prefers, a line each.
  public var criteria: [String]

  public init(name: String, model: String, priority: Int, criteria: [String] = []) {
    self.name = name
    self.model = model
    self.priority = priority
    self.criteria = criteria
  }
}

/// Whose images a file has, and when they were taken, as its header says.
public struct DashboardExamination: Sendable, Hashable {
  /// By what studies are known to be of one patient: all of it has to agree.
  public struct Patient: Sendable, Hashable {
    /// Patient ID (0010,0020), never empty.
    public var identifier: String
    /// Issuer of Patient ID (0010,0021) or, without it, Universal Entity ID of its qualifiers (0040,0032); empty where
    /// neither is stated.
    public var issuer: String
    /// Patient's Birth Date (0010,0030), as many sites that state no issuer have the same numbers; empty where it is not
    /// stated.
    public var birthDate: String

    public init(identifier: String, issuer: String, birthDate: String) {
      self.identifier = identifier
      self.issuer = issuer
      self.birthDate = birthDate
    }
  }

  public var patient: Patient
  /// Study Date and Time (0008,0020), (0008,0030), in the time zone of the site, taken for UTC; nil where they are not stated.
  public var date: Date?

  public init(patient: Patient, date: Date?) {
    self.patient = patient
    self.date = date
  }
}

/// Whose study it is, as the images say.
public struct DashboardPatient: Sendable {
  public var name: String
  /// Names with values, as the study's description.
  public var facts: [(name: String, value: String)]

  public init(name: String, facts: [(name: String, value: String)]) {
    self.name = name
    self.facts = facts
  }
}
