import ArgumentParser

struct PauseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pause", abstract: "Begin no further job until resume.",
    discussion: """
      Kept in the ledger, so that it outlasts restarts, with who said so and when; a daemon on the same \
      state directory obeys at once. What is sent is received, series are assembled, results delivered. \
      A job that runs continues to its end; with --running it yields within seconds, and resumes from \
      where it was after resume, with the same result. segmentd jobs and explain say that processing is paused.
      """
        + examples("segmentd pause --reason \"PACS upgrade\"", "segmentd pause --running"))

  @OptionGroup var options: ProcessingOptions

  @Flag(name: .customLong("running"), help: "Have the job that runs yield, too.")
  var interruptsRunning = false

  func run() async throws {
    try options.show(
      options.parts().ledger.pauseProcessing(
        interruptsRunning: interruptsRunning, by: invokingAccount, reason: options.reason))
  }
}
