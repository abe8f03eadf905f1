import ArgumentParser
import Foundation
import JobLedger
import Pipeline

/// What `pause`, `drain` and `resume` have in common.
struct ProcessingOptions: ParsableArguments {
  @OptionGroup var config: ConfigurationOption

  @Option(help: ArgumentHelp("Why, for the ledger's events; no patient data.", valueName: "text"))
  var reason: String?

  @Flag(help: "Print JSON.")
  var json = false

  /// The parts of an existing state directory; opening them brings an older ledger up to date.
  func parts() throws -> ConfiguredParts {
    try ConfiguredParts(config.load(), mustExist: true, account: invokingAccount)
  }

  func show(_ state: ProcessingState) throws {
    print(json ? try encodeJSON(state) : state.text)
  }
}

/// The user account of whoever runs this command, and the one behind `sudo`.
var invokingAccount: String {
  var account = "user \(geteuid())"
  if let entry = getpwuid(geteuid()) { account = String(cString: entry.pointee.pw_name) }
  let person = ProcessInfo.processInfo.environment["SUDO_USER"] ?? ""
  return person.isEmpty || person == account ? account : "\(account) (\(person))"
}
