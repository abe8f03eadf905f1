import ArgumentParser
import ConfigurationFile
import Pipeline

struct NotificationsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "notifications", abstract: "Test the notifications.",
    discussion: examples("segmentd notifications test --config /etc/segmentd.yaml"),
    subcommands: [Test.self])

  struct Test: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Send a test message to each recipient, or to one.",
      discussion: """
        Works with or without a running daemon; a test message does not count towards any limit. segmentd doctor connects and logs in \
        without sending anything.

        Exit status: 0 if every recipient accepted it, 2 if one did not.
        """
          + examples(
            "segmentd notifications test --config /etc/segmentd.yaml",
            "segmentd notifications test --config /etc/segmentd.yaml --recipient oncall",
            "segmentd notifications test --json"))

    @OptionGroup var config: ConfigurationOption

    @Option(help: ArgumentHelp("The name of one recipient.", valueName: "name"))
    var recipient: String?

    @Flag(help: "Print JSON.")
    var json = false

    /// What came of it for one recipient.
    private struct Outcome: Encodable {
      var recipient: String
      /// Why it was not sent; nil where it was.
      var fault: String?

      var text: String { "\(recipient): " + (fault.map { "not sent: \($0)" } ?? "sent") }
    }

    func run() async throws {
      let configuration = try config.load()
      let recipients = configuration.notificationRecipients.filter {
        recipient == nil || $0.name == recipient
      }
      guard !recipients.isEmpty else {
        throw ConfigurationError.invalid(
          file: config.path, line: nil,
          message: recipient.map { "notifications.recipients has no \"\($0)\"" }
            ?? "notifications has no recipients")
      }
      var outcomes: [Outcome] = []
      for recipient in recipients {
        var outcome = Outcome(recipient: recipient.name)
        do { try await recipient.channel.send(configuration.notificationTest) } catch {
          outcome.fault = "\(error)"
        }
        outcomes.append(outcome)
        // Some servers let one wait.
        if !json { print(outcome.text) }
      }
      if json { print(try encodeJSON(outcomes)) }
      if outcomes.contains(where: { $0.fault != nil }) { throw ExitCode.findings }
    }
  }
}
