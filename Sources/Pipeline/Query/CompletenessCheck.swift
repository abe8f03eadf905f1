import Foundation
import JobLedger
import Logging
import ServiceLifecycle
import Synchronization
import Wording

/// Asks the query source about each series before it is assembled, and retrieves what is missing.
///
/// What the source says is in the ledger, so that a restart goes on where it was. While the source does
/// not answer, a series waits; then it is held or processed, and one that is held is asked about again,
/// ever more rarely.
public struct CompletenessCheck: Service {
  private let ledger: Ledger
  private let completion: SeriesCompletion
  private let quietPeriod: TimeInterval
  private let policy: CompletenessPolicy
  private let logger: Logger
  /// Series about which it asks at the same time.
  private static let width = 4

  /// - Parameters:
  ///   - ledger: the ledger.
  ///   - completion: asks and retrieves.
  ///   - quietPeriod: seconds without an instance after which a series is asked about.
  ///   - policy: how long a series waits, and what happens then.
  ///   - logger: is told of each answer.
  public init(
    ledger: Ledger, completion: SeriesCompletion, quietPeriod: TimeInterval,
    policy: CompletenessPolicy, logger: Logger
  ) {
    self.ledger = ledger
    self.completion = completion
    self.quietPeriod = quietPeriod
    self.policy = policy
    self.logger = logger
  }

  public func run() async throws {
    await repeatUntilShutdown(every: .milliseconds(500), logger: logger) {
      try await askDue()
      return false
    }
  }

  /// Asks about every series that is due.
  func askDue() async throws {
    let questions = try ledger.completenessQuestions(quietPeriod: quietPeriod)
    let failure = SourceFailure()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (index, question) in questions.enumerated() {
        if index >= Self.width { try await group.next() }
        group.addTask { try await ask(question, failure) }
      }
      try await group.waitForAll()
    }
  }

  private func ask(_ question: CompletenessQuestion, _ failure: SourceFailure) async throws {
    let finding: CompletenessFinding
    // One that is away is away for all of them.
    if let reason = failure.reason {
      finding = .unreachable(reason: reason)
    } else {
      finding = try await completion.complete(
        study: question.studyInstanceUID, series: question.seriesInstanceUID)
    }
    if case .unreachable(let reason) = finding { failure.reason = reason }
    try ledger.recordCompleteness(finding, of: question, policy: policy)
    log(finding, of: question)
  }

  private func log(_ finding: CompletenessFinding, of question: CompletenessQuestion) {
    let metadata: Logger.Metadata = [
      "study": "\(question.studyInstanceUID)", "series": "\(question.seriesInstanceUID)",
    ]
    switch finding {
    case .complete(let listed):
      logger.info(
        "the query source lists \(counted(listed, "instance")), all here", metadata: metadata)
    case .missing(_, let reason): logger.warning("\(reason)", metadata: metadata)
    case .unreachable(let reason):
      logger.warning("the query source does not answer: \(reason)", metadata: metadata)
    }
  }
}

/// Why the source cannot be asked, for the rest of one round.
private final class SourceFailure: Sendable {
  private let text = Mutex<String?>(nil)

  var reason: String? {
    get { text.withLock { $0 } }
    set { text.withLock { $0 = newValue } }
  }
}
