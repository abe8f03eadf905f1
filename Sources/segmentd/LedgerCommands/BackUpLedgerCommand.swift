import ArgumentParser
import ConfigurationFile
import Foundation
import Ingest
import JobLedger
import Wording

struct BackUpLedgerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "backup", abstract: "Copy the ledger into a new file while it is in use.",
    discussion: """
      The copy is a consistent snapshot with mode 0600, and is checked before it gets its name; an existing file is \
      not replaced. Copy spool/ and results/ afterwards: they then contain every file that the copy names, and newer \
      ones are recorded when the copy is used.
      """
        + examples("segmentd ledger backup /srv/backup"))

  @OptionGroup var config: ConfigurationOption

  @Argument(
    help: "The new file, or a folder in which it is named after the time.", completion: .file())
  var file: String

  @Flag(help: "Print JSON.")
  var json = false

  func run() async throws {
    let configuration = try config.load()
    let state = StateDirectory(existing: configuration.stateDirectory)
    var isFolder: ObjCBool = false
    var target = file
    if FileManager.default.fileExists(atPath: file, isDirectory: &isFolder), isFolder.boolValue {
      let time = Date().formatted(.iso8601).replacing(":", with: "")
      target = (file as NSString).appendingPathComponent("ledger-\(time).sqlite")
    }
    let backup = try Ledger(reading: state.ledger.path).backUp(to: target)
    print(
      json
        ? try encodeJSON(backup)
        : "\(backup.path): \(backup.byteCount) bytes, \(counted(backup.instances, "instance")), "
          + "\(counted(backup.jobs, "job")); the last event is \(backup.head.text)")
  }
}
