import DICOMNetwork
import Logging
import ServiceLifecycle

/// The storage SCPs as a service of the daemon.
public struct Listener: Service {
  private let scps: [StorageSCP]
  private let addresses: [String]
  private let peerLog: PeerLog

  /// Starts to listen, so that a port that is taken is known before anything else starts.
  ///
  /// - Parameters:
  ///   - configurations: where they listen, and to whom.
  ///   - intake: takes what is received.
  ///   - check: takes what the daemon sends to check itself; nil where it does not.
  ///   - commitment: answers requests for storage commitment; nil where they are not taken.
  ///   - observe: is told of associations; must not block.
  ///   - logger: is told where it listens.
  public init(
    _ configurations: [StorageSCPConfiguration], intake: Intake, check: CheckReception? = nil,
    commitment: (any CommitmentHandler)? = nil,
    observe: @escaping @Sendable (AssociationEvent) -> Void = { _ in }, logger: Logger
  ) throws(DICOMNetworkError) {
    var scps: [StorageSCP] = []
    for configuration in configurations {
      let scp = try StorageSCP(
        configuration,
        handlers: DIMSEHandlers(
          store: check.map { CheckedIntake(intake: intake, check: $0) as any StoreHandler }
            ?? intake,
          commitment: commitment, admitsBesides: { check?.isOfCheck($0) ?? false }
        ) { event in
          if let check, check.isOfCheck(event.association) { return check.record(event) }
          intake.record(event)
          observe(event)
          intake.peerLog.log(event.logKind, event.level, event.line, of: event.association)
        })
      scps.append(scp)
      logger.info("listening as \(configuration.summary)")
    }
    self.scps = scps
    addresses = configurations.map { "\($0.address):\($0.port)" }
    peerLog = intake.peerLog
  }

  /// That each of its ports takes connections.
  public var signsOfLife: [SignsOfLife.Part] {
    zip(scps, addresses).map { scp, address in
      SignsOfLife.Part("the listener on \(address)", within: 30) { scp.beat }
    }
  }

  public func run() async throws {
    await cancelWhenGracefulShutdown {
      while (try? await Task.sleep(for: .seconds(5))) != nil { peerLog.summarize() }
    }
    await stop()
    peerLog.summarize(isEnd: true)
  }

  /// Takes no further association and returns when the open ones have ended.
  public func stop() async {
    await withDiscardingTaskGroup { group in
      for scp in scps { group.addTask { await scp.stop() } }
    }
  }
}

extension StorageSCPConfiguration {
  fileprivate var summary: String {
    "\(policy.calledAETitle) on \(address):\(port)" + (security == nil ? "" : " with TLS")
  }
}

extension AssociationEvent {
  fileprivate var level: Logger.Level {
    switch kind {
    case .accepted: message.isEmpty ? .debug : .info
    case .ended(.released): .info
    case .rejected, .noAssociation, .ended: .warning
    }
  }

  fileprivate var logKind: PeerLog.Kind {
    switch kind {
    case .accepted: .accepted
    case .rejected: .rejected
    case .noAssociation: .closed
    case .ended(.released): .released
    case .ended: .ended
    }
  }

  fileprivate var line: String {
    let counts = "\(stored) stored, \(refused) refused"
    return switch kind {
    case .accepted where message.isEmpty: "association accepted"
    case .accepted: "association accepted without presentation contexts for \(message)"
    case .rejected: "association rejected: \(message)"
    case .noAssociation: "connection closed: \(message)"
    case .ended(.released): "association released: \(counts)"
    case .ended: "association ended: \(message); \(counts)"
    }
  }
}
