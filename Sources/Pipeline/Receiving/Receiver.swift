import ConfigurationFile
import Foundation
import Ingest
import JobLedger
import Logging
import ServiceLifecycle

/// Everything that receives, in a process of its own: a crash there, as in a library that parses what a
/// peer sends, takes neither running jobs nor what was acknowledged. The process is started again, and
/// what it left half done is put right as after a crash of the whole daemon.
///
/// The ledger is all that both processes share. What the other process has not recorded yet counts too:
/// see ``flush()``.
actor Receiver: Service, UnrecordedReceptions {
  private let source: ConfigurationSource
  private let state: StateDirectory
  private let daemon: String
  private let checks: StartChecks
  private let aftermath: ReceiverAftermath
  private let logger: Logger

  private var process: ReceiverProcess?
  /// Waits for the first report of a process, by its number.
  private var first: (number: Int, continuation: CheckedContinuation<ReceiverError?, Never>)?
  /// Takes its reports.
  private var reporting: Task<Void, Never>?
  /// Processes of this daemon so far.
  private var count = 0
  private var mayProceed = false
  private var isStopping = false
  /// Processes whose aftermath is not over.
  private var recovering = 0
  private var flushes: [Int: CheckedContinuation<FlushAnswer, Never>] = [:]
  private var flushCount = 0
  private var watch = ReceiverWatch()

  private enum FlushAnswer {
    case done
    case failed(String)
    case ended
  }

  /// Since its first crash in a row: at once, and then after pauses.
  private static let pauses = RetryPolicy(firstPause: 0.5, longestPause: 5, maximumAttempts: nil)
  /// A process that has run so long has not crashed at its start.
  private static let steadyTime = Duration.seconds(60)
  /// After this time a process that was told to end is ended.
  private static let patience = Duration.seconds(4)

  /// - Parameters:
  ///   - source: the configuration.
  ///   - state: the state directory.
  ///   - daemon: of the sessions of its processes.
  ///   - checks: the receiving process may do all its work when they are done.
  ///   - aftermath: for each process that has ended by itself, after the checks.
  ///   - logger: is told of each end.
  init(
    _ source: ConfigurationSource, state: StateDirectory, daemon: String, checks: StartChecks,
    aftermath: ReceiverAftermath, logger: Logger
  ) {
    self.source = source
    self.state = state
    self.daemon = daemon
    self.checks = checks
    self.aftermath = aftermath
    self.logger = logger
  }

  /// Starts the first process, and returns when it receives.
  ///
  /// - Throws: ``ReceiverError`` where it cannot, as when a port is taken.
  func start() async throws {
    let process = try launch()
    if let failure = await firstReport(of: process) { throw failure }
  }

  /// Keeps a process running until the daemon ends.
  func run() async throws {
    await withGracefulShutdownHandler {
      await withTaskCancellationHandler {
        await withDiscardingTaskGroup { group in
          group.addTask { await self.proceedAfterChecks() }
          await supervise(&group)
          group.cancelAll()
        }
      } onCancel: {
        Task { await self.stop() }
      }
    } onGracefulShutdown: {
      Task { await self.stop() }
    }
  }

  private func supervise(_ group: inout DiscardingTaskGroup) async {
    var crashes = 0
    while let process {
      let began = ContinuousClock.now
      let end = await process.end()
      await reporting?.value
      self.process = nil
      answerAll()
      if isStopping || Task.isCancelled { return }
      if .now - began > Self.steadyTime { crashes = 0 }
      crashes += end.isCrash ? 1 : 0
      let ended = ReceiverEnd(
        session: process.session, end: end, reading: ReadingNotes.subjects(in: state.readingNotes))
      ended.log(logger)
      recovering += 1
      group.addTask { await self.recover(ended) }
      if crashes > 1 { await pause(Self.pauses.pause(after: crashes - 1) ?? 0) }
      await restart()
    }
  }

  /// Tries until there is a process, which may be about to end again.
  private func restart() async {
    while !isStopping, !Task.isCancelled {
      do {
        let process = try launch()
        if let failure = await firstReport(of: process) {
          logger.error("nothing is received: \(failure)")
        } else {
          logger.notice("receiving again")
        }
        return
      } catch {
        logger.error("the receiving process cannot be started: \(error)")
        await pause(5)
      }
    }
  }

  private func launch() throws -> ReceiverProcess {
    count += 1
    let process = try ReceiverProcess(
      ReceiverSetup(source: source, session: ReceivingSession(daemon: daemon, process: count)))
    self.process = process
    watch = ReceiverWatch()
    // It keeps nothing that is closed when the daemon ends, as the ledger.
    Task { [weak self] in
      while (try? await Task.sleep(for: ReceiverWatch.interval)) != nil {
        guard await self?.isToBeWatched(process) == true else { return }
      }
    }
    // It may have been told to stop in the meantime.
    if isStopping { endSoon(process) }
    return process
  }

  /// Waits until a process receives.
  ///
  /// - Returns: why it does not.
  private func firstReport(of process: ReceiverProcess) async -> ReceiverError? {
    let number = process.session.process
    // In a task of its own, as it goes on where this one is cancelled.
    reporting = Task { [weak self] in
      for await report in process.reports { await self?.take(report, of: number) }
      let end = await process.end()
      await self?.takeFirst(.ended("\(end)"), of: number)
    }
    let failure = await withCheckedContinuation { first = (number, $0) }
    if failure == nil { proceed() }
    return failure
  }

  private func take(_ report: ReceiverReport, of process: Int) {
    switch report {
    case .receiving: takeFirst(nil, of: process)
    case .failed(let reason): takeFirst(.failed(reason: reason), of: process)
    case .suspectsLedger: aftermath.ledger.suspectDamage()
    case .flushed(let number): answer(number, .done)
    case .unwritable(let number, let reason): answer(number, .failed(reason))
    case .works(let number, let fault):
      if process == self.process?.session.process { watch.take(number, except: fault) }
    }
  }

  /// Ends a process that hangs, so that another one takes its place.
  ///
  /// - Returns: whether to look after it again.
  private func isToBeWatched(_ process: ReceiverProcess) -> Bool {
    guard self.process === process, !isStopping else { return false }
    switch watch.step() {
    case .ask(let number): try? process.send(.ask(number))
    case .wait: break
    case .end(let fault):
      process.kill(hungBy: fault)
      return false
    }
    return true
  }

  private func takeFirst(_ failure: ReceiverError?, of process: Int) {
    guard first?.number == process else { return }
    first?.continuation.resume(returning: failure)
    first = nil
  }

  private func pause(_ seconds: Double) async {
    let end = ContinuousClock.now + .seconds(seconds)
    while !isStopping, .now < end { try? await Task.sleep(for: .milliseconds(50)) }
  }

  private func stop() {
    guard !isStopping else { return }
    isStopping = true
    if let process { endSoon(process) }
  }

  private func endSoon(_ process: ReceiverProcess) {
    try? process.send(.stop)
    Task {
      try? await Task.sleep(for: Self.patience)
      process.kill()
    }
  }
}

// MARK: - The checks, and what a process leaves behind

extension Receiver {
  private func proceedAfterChecks() async {
    while !checks.areDone {
      do { try await Task.sleep(for: .milliseconds(50)) } catch { return }
    }
    mayProceed = true
    proceed()
  }

  /// Lets the running process do all its work once nothing of those before is left half done.
  private func proceed() {
    if mayProceed, recovering == 0 { try? process?.send(.proceed) }
  }

  private func recover(_ ended: ReceiverEnd) async {
    while !mayProceed {
      do { try await Task.sleep(for: .milliseconds(50)) } catch { return }
    }
    do {
      try await aftermath.account(for: ended)
      recovering -= 1
      proceed()
      try await aftermath.tidyUp(after: ended)
    } catch is CancellationError {
      // The next start of the daemon goes on with it.
    } catch {
      logger.error("what the receiving process left cannot be put right: \(error)")
    }
  }
}

// MARK: - What is not recorded yet

extension Receiver {
  /// Returns when everything is in the ledger that the receiving process had at the call, and when what
  /// an earlier one lost in a crash is accounted for.
  func flush() async throws {
    while true {
      try Task.checkCancellation()
      guard recovering == 0 else {
        try await Task.sleep(for: .milliseconds(50))
        continue
      }
      // Between two processes there is nothing that could be unrecorded.
      guard let process else { return }
      switch await ask(process) {
      case .done: return
      case .failed(let reason): throw UnrecordedError(reason: reason)
      case .ended: continue
      }
    }
  }

  /// Has the process that receives take what comes over an association of this calling AE title into the
  /// directory of the check. Returns once it does, or once it is known that it cannot.
  ///
  /// - Throws: ``ReceiverError`` where no process receives at the moment.
  func beginCheck(title: String) async throws {
    guard let process else { throw ReceiverError.failed(reason: "nothing is received") }
    try process.send(.beginCheck(title: title))
    // Orders are obeyed one after the other.
    _ = await ask(process)
  }

  func endCheck() { try? process?.send(.endCheck) }

  private func ask(_ process: ReceiverProcess) async -> FlushAnswer {
    flushCount += 1
    let number = flushCount
    return await withCheckedContinuation { continuation in
      flushes[number] = continuation
      do { try process.send(.flush(number)) } catch { answer(number, .failed("\(error)")) }
    }
  }

  private func answer(_ number: Int, _ answer: FlushAnswer) {
    flushes.removeValue(forKey: number)?.resume(returning: answer)
  }

  /// The process has ended.
  private func answerAll() {
    for number in flushes.keys { answer(number, .ended) }
  }
}

/// Why it is not known that everything which was received is in the ledger.
struct UnrecordedError: Error, CustomStringConvertible {
  var reason: String
  var description: String { "\(reason); no series is assembled meanwhile" }
}
