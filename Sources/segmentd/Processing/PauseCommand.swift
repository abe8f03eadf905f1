import ArgumentParser

struct PauseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pause", abstract: "Begin no further job until resume.",
    discussion: """
      Kept in the ledger, so that it outlasts restarts, with who said so and when; a daemon on the same \
      state directory obeys at once. What is sent is received, series are assembled, results delivered. \
      A job that runs continues to its end. segmentd jobs and explain say that processing is paused.
      """)

  @OptionGroup var options: ProcessingOptions

  func run() async throws {
    try options.show(
      options.parts().ledger.pauseProcessing(by: invokingAccount, reason: options.reason))
  }
}
