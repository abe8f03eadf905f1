import ArgumentParser

struct LedgerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ledger", abstract: "Check, copy and mend the ledger and the files that it knows.",
    subcommands: [
      CheckLedgerCommand.self, BackUpLedgerCommand.self, VacuumLedgerCommand.self,
      RepairLedgerCommand.self,
    ])
}

extension ExitCode {
  /// Something is not as it has to be. 1 says that it could not be found out.
  static let findings = ExitCode(2)
}
