import ArgumentParser
import Pipeline

/// The receiving process of `segmentd serve` and `segmentd watch`, which start it; not for people.
struct ReceiveCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "receive", abstract: "Receive for segmentd serve, which starts this by itself.",
    shouldDisplay: false)

  func run() async throws {
    let receiving = try ReceivingProcess()
    receiving.configuration.startLogging()
    guard try await receiving.run() else { throw ExitCode.failure }
  }
}
