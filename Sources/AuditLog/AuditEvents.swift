import Foundation

/// The application that writes the audit log.
public struct AuditedApplication: Sendable, Equatable {
  /// AE title of its first listener.
  public var aeTitle: String
  /// Of the machine.
  public var host: String
  public var processID: Int32

  public init(aeTitle: String, host: String, processID: Int32) {
    self.aeTitle = aeTitle
    self.host = host
    self.processID = processID
  }

  fileprivate func participant(isRequestor: Bool, _ role: AuditMessage.Code)
    -> AuditMessage.Participant
  {
    AuditMessage.Participant(
      userID: "\(processID)", aeTitle: aeTitle, isRequestor: isRequestor, roles: [role],
      address: .name(host))
  }
}

/// One end of a transfer that is not ours.
public struct AuditedPeer: Sendable, Equatable {
  /// AE title, or the name of a destination.
  public var name: String
  public var isAETitle: Bool
  /// IP address or host name, where it is known.
  public var address: AuditMessage.Participant.Address?

  public init(name: String, isAETitle: Bool, address: AuditMessage.Participant.Address?) {
    self.name = name
    self.isAETitle = isAETitle
    self.address = address
  }
}

extension AuditMessage {
  /// Application Activity (PS3.15 A.5.3.1).
  public static func activity(
    of application: AuditedApplication, starts: Bool, by account: String, at time: Date = Date()
  ) -> AuditMessage {
    AuditMessage(
      event: .applicationActivity, type: starts ? .applicationStart : .applicationStop,
      action: .execute, outcome: .success, outcomeDescription: nil, at: time,
      participants: [
        application.participant(isRequestor: false, .application),
        Participant(userID: account, isRequestor: true, roles: [.applicationLauncher]),
      ], objects: [])
  }

  /// Begin Transferring DICOM Instances (PS3.15 A.5.3.3) or DICOM Instances Transferred (A.5.3.7).
  ///
  /// - Parameters:
  ///   - objects: the studies, and their patients where they are to be named.
  ///   - application: ours.
  ///   - peer: the other one.
  ///   - isReceived: whether the peer sends.
  ///   - isBegin: whether it begins; otherwise it has ended.
  ///   - fault: what went wrong, without patient data.
  ///   - time: when it happened.
  public static func transfer(
    _ objects: [Object], application: AuditedApplication, peer: AuditedPeer, isReceived: Bool,
    isBegin: Bool, fault: String?, at time: Date
  ) -> AuditMessage {
    let other = Participant(
      userID: peer.name, aeTitle: peer.isAETitle ? peer.name : nil, isRequestor: isReceived,
      roles: [isReceived ? .source : .destination], address: peer.address)
    let own = application.participant(
      isRequestor: !isReceived, isReceived ? .destination : .source)
    return AuditMessage(
      event: isBegin ? .beginTransferring : .instancesTransferred, type: nil,
      // An export reads; what is received is created here.
      action: isBegin ? .execute : isReceived ? .create : .read,
      outcome: fault == nil ? .success : .minorFailure, outcomeDescription: fault, at: time,
      participants: isReceived ? [other, own] : [own, other], objects: objects)
  }

  /// Security Alert (PS3.15 A.5.3.11): somebody was not admitted.
  public static func notAdmitted(
    _ peer: AuditedPeer, by application: AuditedApplication, reason: String, at time: Date = Date()
  ) -> AuditMessage {
    AuditMessage(
      event: .securityAlert, type: .nodeAuthentication, action: .execute, outcome: .minorFailure,
      outcomeDescription: reason, at: time,
      participants: [
        application.participant(isRequestor: false, .application),
        Participant(
          userID: peer.name, aeTitle: peer.isAETitle ? peer.name : nil, isRequestor: true,
          address: peer.address),
      ],
      objects: [
        .subject(
          peer.address.map(\.text) ?? peer.name, description: reason)
      ])
  }

  /// Security Alert (PS3.15 A.5.3.11): a person changed what is done, such as jobs.
  ///
  /// - Parameters:
  ///   - kind: what was done.
  ///   - description: of it, without patient data.
  ///   - subject: what it was done to.
  ///   - study: Study Instance UID, where it was done to one.
  ///   - person: the account; nil where it is not known, as of what an older version wrote.
  ///   - application: ours.
  ///   - time: when it was done.
  public static func action(
    _ kind: String, _ description: String, of subject: String, study: String?, by person: String?,
    with application: AuditedApplication, at time: Date
  ) -> AuditMessage {
    AuditMessage(
      event: .securityAlert, type: .restrictedFunction, action: .execute, outcome: .success,
      outcomeDescription: nil, at: time,
      participants: [
        application.participant(isRequestor: false, .application),
        Participant(
          userID: person ?? "administrator of \(application.host)", isRequestor: true),
      ],
      objects: [.subject(subject, description: "\(kind): \(description)")]
        + (study.map { [.study($0, instances: [:])] } ?? []))
  }
}

extension AuditMessage {
  /// User Authentication (PS3.15 A.5.3.12): a person began or ended a session of the dashboard.
  ///
  /// - Parameters:
  ///   - user: the name by which they logged in.
  ///   - address: from where.
  ///   - begins: whether they logged in; otherwise they logged out.
  ///   - application: ours.
  ///   - time: when.
  public static func session(
    of user: String, from address: String, begins: Bool, with application: AuditedApplication,
    at time: Date = Date()
  ) -> AuditMessage {
    AuditMessage(
      event: .userAuthentication, type: begins ? .login : .logout, action: .execute,
      outcome: .success, outcomeDescription: nil, at: time,
      participants: [
        Participant(userID: user, isRequestor: true, address: .ip(address)),
        application.participant(isRequestor: false, .application),
      ], objects: [])
  }
}

extension AuditMessage.Participant.Address {
  var text: String {
    switch self {
    case .name(let text), .ip(let text): text
    }
  }
}
