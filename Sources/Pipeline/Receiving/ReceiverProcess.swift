import FileSystem
import Foundation
import Ingest
import Synchronization

/// A receiving process of this daemon, seen from the daemon.
final class ReceiverProcess: Sendable {
  /// How a process ended.
  enum End: Sendable, Equatable, CustomStringConvertible {
    case exited(Int32)
    case killed(signal: Int32)
    /// It hung, for the reason given, and was ended by its daemon.
    case hung(SignsOfLife.Fault)

    /// Whether it crashed, in place of being told to end.
    var isCrash: Bool {
      switch self {
      case .exited(let status): status != 0
      case .killed(let signal): ![SIGTERM, SIGINT, SIGHUP, SIGQUIT].contains(signal)
      case .hung: true
      }
    }

    /// Whether the program itself went wrong with what it read: SIGKILL comes from outside.
    var isFaultOfProgram: Bool {
      switch self {
      case .exited: false
      case .killed(let signal): isCrash && signal != SIGKILL
      case .hung(let fault): fault.isOfReading
      }
    }

    var description: String {
      switch self {
      case .exited(let status): "ended with status \(status)"
      case .killed(let signal):
        "was ended by signal \(signal) (\(String(cString: strsignal(signal))))"
      case .hung(let fault): "hung and was ended: \(fault.reason)"
      }
    }
  }

  let session: ReceivingSession
  /// What it reports, until it ends.
  let reports: AsyncStream<ReceiverReport>
  private let process = Process()
  private let channel: MessageChannel
  private let ending = Ending()

  /// Starts this program once more, as a receiving process that ends with this one.
  ///
  /// - Throws: where the system has no process to give.
  init(_ setup: ReceiverSetup) throws {
    session = setup.session
    let (channel, theirs) = try MessageChannel.pair()
    self.channel = channel
    defer { close(theirs) }
    reports = channel.messages(ReceiverReport.self)
    process.executableURL = Self.program
    process.arguments = [Self.command]
    process.standardInput = FileHandle(fileDescriptor: theirs, closeOnDealloc: false)
    process.environment = Self.environment
    process.terminationHandler = { [ending] process in
      let status = process.terminationStatus
      ending.take(
        process.terminationReason == .uncaughtSignal ? .killed(signal: status) : .exited(status))
    }
    try process.run()
    try channel.send(ReceiverOrder.begin(setup))
  }

  /// The subcommand that runs a receiving process.
  static let command = "receive"

  /// The file of this program, or, where that was replaced since the start, this program itself.
  private static var program: URL {
    let own = "/proc/self/exe"
    if let path = try? FileManager.default.destinationOfSymbolicLink(atPath: own),
      let file = FileStatus(path), file.version == FileStatus(own)?.version
    {
      return URL(fileURLWithPath: path)
    }
    return URL(fileURLWithPath: own)
  }

  /// Swift's own report of a crash takes seconds, in which peers get no answer, and prints memory, which
  /// holds patients' data.
  private static var environment: [String: String] {
    ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { own, _ in own }
  }

  func send(_ order: ReceiverOrder) throws { try channel.send(order) }

  /// Waits for the end of the process, also in a task that is cancelled.
  func end() async -> End { await ending.wait() }

  /// Ends it at once.
  func kill() { if process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) } }

  /// Ends it at once, as it hangs.
  func kill(hungBy fault: SignsOfLife.Fault) {
    ending.isDue(to: fault)
    kill()
  }
}

/// How a process ended, for those who wait for it.
private final class Ending: Sendable {
  private struct State {
    var end: ReceiverProcess.End?
    /// Why the daemon ends it.
    var fault: SignsOfLife.Fault?
    var waiting: [CheckedContinuation<ReceiverProcess.End, Never>] = []
  }

  private let state = Mutex(State())

  func isDue(to fault: SignsOfLife.Fault) { state.withLock { $0.fault = fault } }

  func take(_ end: ReceiverProcess.End) {
    let (waiting, end) = state.withLock { state in
      // It may have ended by itself just before.
      let isOurs = end == .killed(signal: SIGKILL)
      let end = isOurs ? state.fault.map(ReceiverProcess.End.hung) ?? end : end
      state.end = end
      defer { state.waiting = [] }
      return (state.waiting, end)
    }
    for continuation in waiting { continuation.resume(returning: end) }
  }

  func wait() async -> ReceiverProcess.End {
    await withCheckedContinuation { continuation in
      let end = state.withLock { state in
        if state.end == nil { state.waiting.append(continuation) }
        return state.end
      }
      if let end { continuation.resume(returning: end) }
    }
  }
}
