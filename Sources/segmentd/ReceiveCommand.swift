import ArgumentParser
import Pipeline

/// The receiving process of `segmentd serve` and `segmentd watch`, which start it; not for people.
struct ReceiveCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "receive",
    abstract: "Receive data for segmentd serve, which starts this command itself.",
    shouldDisplay: false)

  func run() async throws {
    let receiving = try ReceivingProcess()
    receiving.configuration.startLogging()
    guard try await receiving.run() else { throw ExitCode.failure }
  }
}
