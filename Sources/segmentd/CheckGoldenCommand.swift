import ArgumentParser
import Foundation
import Ingest
import JobLedger
import Pipeline

struct CheckGoldenCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check-golden",
    abstract: "Have the daemon check models with their golden cases.",
    discussion: """
      The daemon, which has to be running, sends the golden case of each model to its own listener; the case is \
      received, assembled, segmented and proved like any study, separately from patients' studies and without a \
      destination. The SHA-256 of the labels has to be the one in the model's bundle. Waits while there are jobs to \
      do. The same is done each night if the configuration has nightlyCheck. Checks the models that are named by \
      rules, or one.

      Exit status: 0 if every check passed, 2 if one failed or could not be made, 1 if no daemon is running.
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
