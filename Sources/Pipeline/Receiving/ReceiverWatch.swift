import Ingest

/// Tells when a receiving process no longer answers.
///
/// It is asked every few seconds whether it works; as long as an answer is missing it is not asked again.
/// Time is counted in steps of the daemon's own, so that one that was stopped together with its receiving
/// process, or slept with the machine, takes nothing for a fault.
struct ReceiverWatch {
  /// What is to be done now.
  enum Step: Equatable {
    case ask(Int)
    case wait
    case end(SignsOfLife.Fault)
  }

  /// Between two steps.
  static let interval = Duration.seconds(5)
  /// Steps without an answer, after which none is expected any more.
  private static let patience = 6

  private var asked = 0
  private var answered = 0
  private var steps = 0
  private var fault: SignsOfLife.Fault?

  /// To be called once in each interval.
  mutating func step() -> Step {
    if let fault { return .end(fault) }
    guard asked > answered else {
      asked += 1
      steps = 0
      return .ask(asked)
    }
    steps += 1
    guard steps >= Self.patience else { return .wait }
    let seconds = Self.interval.components.seconds * Int64(steps)
    return .end(.init(reason: "it has not answered for \(seconds) s", isOfReading: false))
  }

  /// - Parameters:
  ///   - number: of the question.
  ///   - fault: what does not work any more; nil where all does.
  mutating func take(_ number: Int, except fault: SignsOfLife.Fault?) {
    answered = max(answered, number)
    self.fault = fault
  }
}
