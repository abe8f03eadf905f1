import ArgumentParser
import JobLedger
import Pipeline

struct DrainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "drain", abstract: "Let running jobs finish, and start no more until resume.",
    discussion: """
      Like pause, for an administrator who waits until running jobs have ended, for example before maintenance: once \
      no job is running, processing is drained, as the log and segmentd jobs then say. Images are still received, \
      series assembled and results delivered.
      """
        + examples("segmentd drain --wait"))

  @OptionGroup var options: ProcessingOptions

  @Flag(name: .customLong("wait"), help: "Return only once processing is drained.")
  var waits = false

  func run() async throws {
    let parts = try options.parts()
    var state = try parts.ledger.drainProcessing(by: invokingAccount, reason: options.reason)
    if waits, state.runningJobs > 0 { warn(state.text) }
    while true {
      let isRecorded = try parts.ledger.recordDrained()
      state = try parts.ledger.processingState()
      guard waits, !isRecorded, state.drainedAt == nil else { break }
      guard state.mode == .draining else { throw DrainError.ended(state.text) }
      // What a daemon left that was killed is not running: the next one begins it again.
      if let lock = try parts.state.lockUnlessInUse(for: "drain") {
        withExtendedLifetime(lock) {}
        warn("no daemon is running; what one left interrupted runs again after resume")
        break
      }
      try await Task.sleep(for: .seconds(1))
    }
    try options.show(state)
  }
}

enum DrainError: Error, CustomStringConvertible {
  /// Somebody resumed or paused processing meanwhile.
  case ended(String)

  var description: String {
    switch self {
    case .ended(let state): "the drain was ended by another command: \(state)"
    }
  }
}
