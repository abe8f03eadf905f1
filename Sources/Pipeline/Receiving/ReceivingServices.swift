import ConfigurationFile
import Dispatch
import Foundation
import Ingest
import JobLedger
import Logging
import ServiceLifecycle
import Synchronization

extension ConfiguredParts {
  /// All that receives, in the order in which it begins: ports are open and folders readable when this
  /// returns.
  ///
  /// - Parameters:
  ///   - gate: opens when the ledger is known to be sound.
  ///   - check: takes what the daemon sends to check itself.
  ///   - signs: watch over the ports.
  /// - Throws: `DICOMNetworkError`, `WebServerError`, `WatchFolderError`, or `ConfigurationError`.
  func receivingServices(after gate: Gate, check: CheckReception, signs: SignsOfLife) throws
    -> [any Service]
  {
    var services: [any Service] = []
    let audit = auditLog()
    if let audit { services.append(AuditLogEnd(audit: audit)) }
    // A head asks about series, and not a listener.
    if configuration.role != .listener {
      if let check = try completenessCheck() { services.append(AfterGate(gate, check)) }
      if let performer = try worklistPerformer() { services.append(AfterGate(gate, performer)) }
    }
    if let watch = listenerWatch { services.append(AfterGate(gate, watch)) }
    for watch in configuration.watch {
      services.append(AfterGate(gate, try watchedFolder(watch)))
    }
    var ports: [any Service] = []
    if !configuration.listeners.isEmpty {
      let commitment = try storageCommitment()
      services.append(commitment)
      let listener = try listener(check: check, commitment: commitment, audit: audit)
      listener.signsOfLife.forEach(signs.watch)
      ports.append(listener)
    }
    let traces = traceExporter()
    if let traces { services.append(AfterGate(gate, traces)) }
    if let server = try webServer(gate, audit: audit, traces: traces) {
      ports.append(server)
      if configuration.listeners.isEmpty { services.append(intake.logSummaries) }
    }
    if !ports.isEmpty { services.append(Together(ports)) }
    for watch in configuration.watch { logger.info("watching \(watch.folder)") }
    return services
  }
}

/// The receiving process of a daemon: its other end is a ``Receiver``, by which it was started, with which
/// it is connected by its standard input, and without which it does not run.
public struct ReceivingProcess: Sendable {
  public let configuration: SiteConfiguration
  private let session: ReceivingSession
  private let channel: MessageChannel

  /// Takes the daemon's first order.
  ///
  /// - Throws: ``ReceiverError/notStartedByDaemon``, or `ConfigurationError`.
  public init() throws {
    guard MessageChannel.isSocket(STDIN_FILENO) else { throw ReceiverError.notStartedByDaemon }
    channel = MessageChannel(STDIN_FILENO)
    guard case .begin(let setup)? = try? channel.receive(ReceiverOrder.self) else {
      throw ReceiverError.notStartedByDaemon
    }
    session = setup.session
    configuration = try setup.source.configuration()
  }

  /// Receives until the daemon ends or says so, or until SIGTERM.
  ///
  /// - Returns: whether it could begin; the daemon knows why not.
  public func run() async throws -> Bool {
    let parts: ConfiguredParts
    let lock: StateDirectoryLock
    let gate = Gate()
    let services: [any Service]
    let orders = Orders(channel, gate)
    orders.obey()
    do {
      let state = StateDirectory(existing: configuration.stateDirectory)
      lock = try state.receiverLock()
      let notes = try ReadingNotes(state.readingNotes)
      parts = try await waitingForDisk {
        try ConfiguredParts(configuration, mustExist: true, session: session, notes: notes)
      }
      orders.receptions = parts.receptions
      let check = CheckReception(
        listeners: configuration.listeners.map(\.address), logger: parts.logger)
      orders.check = (check, parts)
      services = try parts.receivingServices(after: gate, check: check, signs: orders.signs)
      orders.signs.watch(notes.signOfLife)
    } catch {
      if case LedgerError.damaged = error { try? channel.send(ReceiverReport.suspectsLedger) }
      try? channel.send(ReceiverReport.failed("\(error)"))
      return false
    }
    let group = ServiceGroup(
      services: services, gracefulShutdownSignals: [.sigterm, .sigint],
      logger: parts.logger.ofServices)
    orders.group = group
    try? channel.send(ReceiverReport.receiving)
    try await group.run()
    withExtendedLifetime(lock) {}
    return true
  }
}

/// Follows the daemon's orders, and ends this process with it.
private final class Orders: Sendable {
  private struct Subjects {
    var group: ServiceGroup?
    var receptions: ReceptionLog?
    var check: (CheckReception, ConfiguredParts)?
  }

  private let channel: MessageChannel
  private let gate: Gate
  let signs = SignsOfLife()
  private let subjects = Mutex(Subjects())

  init(_ channel: MessageChannel, _ gate: Gate) {
    self.channel = channel
    self.gate = gate
  }

  /// What is received; to be set before anything is.
  var receptions: ReceptionLog? {
    get { subjects.withLock { $0.receptions } }
    set { subjects.withLock { $0.receptions = newValue } }
  }

  /// Where checks are received, and the parts with their directory.
  var check: (CheckReception, ConfiguredParts)? {
    get { subjects.withLock { $0.check } }
    set { subjects.withLock { $0.check = newValue } }
  }

  /// What is to be stopped.
  var group: ServiceGroup? {
    get { subjects.withLock { $0.group } }
    set { subjects.withLock { $0.group = newValue } }
  }

  /// From now on, on a thread of its own.
  func obey() {
    signs.watch(.tasks())
    signs.begin()
    Thread.detachNewThread { [self] in
      while let order = (try? channel.receive(ReceiverOrder.self)) ?? nil { obey(order) }
      // As if both had been killed together: nothing may be received for nobody, and the next daemon
      // waits for this end.
      _exit(1)
    }
  }

  private func obey(_ order: ReceiverOrder) {
    switch order {
    case .begin: break
    case .proceed: gate.open()
    case .ask(let number):
      if check?.1.ledger.takeSuspicion() == true {
        try? channel.send(ReceiverReport.suspectsLedger)
      }
      try? channel.send(ReceiverReport.works(number, except: signs.fault))
    case .stop:
      guard let group else { _exit(0) }
      Task { await group.triggerGracefulShutdown() }
    case .beginCheck(let title):
      guard let (reception, parts) = check else { break }
      do throws(LedgerError) {
        try reception.begin(
          title: title, in: StateDirectory(existing: parts.state.goldenCheck.path))
      } catch {
        // The check finds no admittance.
        parts.logger.error("the golden check cannot be received: \(error)")
      }
    case .endCheck: check?.0.end()
    case .flush(let number):
      // It may wait for the ledger, and orders must not wait for it.
      DispatchQueue.global().async { [channel, receptions] in
        do throws(LedgerError) {
          try receptions?.flush()
          try? channel.send(ReceiverReport.flushed(number))
        } catch {
          try? channel.send(ReceiverReport.unwritable(number, "\(error)"))
        }
      }
    }
  }
}

/// Closed until it is opened.
final class Gate: Sendable {
  private let opened = Mutex(false)

  var isOpen: Bool { opened.withLock { $0 } }

  func open() { opened.withLock { $0 = true } }

  /// - Throws: `CancellationError`
  func wait() async throws {
    while !isOpen { try await Task.sleep(for: .milliseconds(50)) }
  }
}

/// A service that begins when a gate opens.
struct AfterGate: Service {
  private let gate: Gate
  private let service: any Service

  init(_ gate: Gate, _ service: any Service) {
    self.gate = gate
    self.service = service
  }

  func run() async throws {
    do {
      try await cancelWhenGracefulShutdown { try await gate.wait() }
    } catch is CancellationError {
      return
    }
    try await service.run()
  }
}

/// Services that end at the same time: none has to wait for the peers of another.
struct Together: Service {
  private let services: [any Service]

  init(_ services: [any Service]) { self.services = services }

  func run() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for service in services { group.addTask { try await service.run() } }
      try await group.waitForAll()
    }
  }
}
