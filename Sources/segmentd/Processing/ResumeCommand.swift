import ArgumentParser

struct ResumeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resume", abstract: "Start jobs again after pause or drain.",
    discussion: examples("segmentd resume"))

  @OptionGroup var options: ProcessingOptions

  func run() async throws {
    try options.show(
      options.parts().ledger.resumeProcessing(by: invokingAccount, reason: options.reason))
  }
}
