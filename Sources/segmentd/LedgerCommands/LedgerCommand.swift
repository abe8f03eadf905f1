import ArgumentParser

struct LedgerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ledger",
    abstract: "Check, back up and repair the ledger and the files that it knows.",
    discussion: examples("segmentd ledger check", "segmentd ledger backup /srv/backup"),
    subcommands: [
      CheckLedgerCommand.self, BackUpLedgerCommand.self, VacuumLedgerCommand.self,
      RepairLedgerCommand.self,
    ])
}
