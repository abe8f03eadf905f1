import ArgumentParser
import Foundation
import Ingest
import JobLedger
import Pipeline

struct CheckGoldenCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check-golden",
    abstract: "Have the daemon check models with the cases that come with them.",
    discussion: """
      The daemon, which has to run, sends the golden case of each model to its own listener, and has it \
      received, assembled, segmented and proved as any study, apart from patients' studies and without a \
      destination. The labels have to be those whose SHA-256 the model's bundle records. Waits while jobs \
      are to be done. The same is done each night where the configuration has nightlyCheck. Checks the \
      models that rules name, or one.

      Exit status: 0 where every check passed, 2 where one failed or could not be made, 1 where no daemon \
      runs.
      """
        + examples(
          "segmentd check-golden",
          "segmentd check-golden --model hippocampus --json"))

  @OptionGroup var config: ConfigurationOption

  @Option(help: ArgumentHelp("One model.", valueName: "name"))
  var model: String?

  @Flag(help: "Print JSON.")
  var json = false

  func run() async throws {
    let configuration = try config.load()
    let parts = try ConfiguredParts(configuration, mustExist: true, account: invokingAccount)
    let models = model.map { [$0] } ?? configuration.routedModels
    for name in models { _ = try parts.models.bundle(name) }
    guard try parts.state.lockUnlessInUse(for: "check") == nil else {
      throw CheckGoldenError.noDaemon(configuration.stateDirectory)
    }
    let numbers = try models.map { try parts.ledger.requestGoldenCheck(of: $0, by: .person) }
    var checks: [GoldenCheck] = []
    for number in numbers {
      let check = try await ended(number, parts)
      checks.append(check)
      if !json { print("\(check.model): \(check.outcome?.rawValue ?? ""): \(check.message ?? "")") }
    }
    if json { print(try encodeJSON(checks)) }
    guard checks.allSatisfy({ $0.outcome == .passed }) else { throw ExitCode.findings }
  }

  private func ended(_ number: Int64, _ parts: ConfiguredParts) async throws -> GoldenCheck {
    while true {
      guard let check = try parts.ledger.goldenCheck(number) else {
        throw CheckGoldenError.gone(number)
      }
      if check.outcome != nil { return check }
      if try parts.state.lockUnlessInUse(for: "check") != nil {
        throw CheckGoldenError.noDaemon(parts.state.url.path)
      }
      try await Task.sleep(for: .milliseconds(300))
    }
  }
}

enum CheckGoldenError: Error, CustomStringConvertible {
  case noDaemon(String)
  case gone(Int64)

  var description: String {
    switch self {
    case .noDaemon(let path):
      "\(path): no daemon is using this state directory: start it (segmentd serve, or systemctl start "
        + "segmentd), it makes the check"
    case .gone(let number): "check \(number) is not in the ledger any more"
    }
  }
}
