import ArgumentParser

struct PauseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pause", abstract: "Start no more jobs until resume.",
    discussion: """
      Recorded in the ledger with who did it and when, so that it survives restarts; a daemon on the same state \
      directory obeys immediately. Images are still received, series assembled and results delivered. Running jobs \
      are completed; with --running they yield within seconds, and continue where they stopped after resume, with \
      the same result. segmentd jobs and explain say that processing is paused.
      """
        + examples("segmentd pause --reason \"PACS upgrade\"", "segmentd pause --running"))

  @OptionGroup var options: ProcessingOptions

  @Flag(name: .customLong("running"), help: "Make running jobs yield, too.")
  var interruptsRunning = false

  func run() async throws {
    try options.show(
      options.parts().ledger.pauseProcessing(
        interruptsRunning: interruptsRunning, by: invokingAccount, reason: options.reason))
  }
}
